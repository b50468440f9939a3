"""Text from bundles, results and arguments is shown, and no terminal obeys it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import sys
import termios
import tty
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from bench.results import write_results
from runtime.bundle import MANIFEST, BundleFile
from speech.audio import RATE
from tests.bench.conftest import SYMBOLS, write_noises, write_tiny_bundle
from tests.pipeline.command_line import begun_secateur, secateur
from tests.test_house import ROOMS, ROOT, sources
from tests.tui.measured import measurement

#: A window's title, a line overwritten, a colour in one byte, text turned round.
HOSTILE = "\x1b]0;owned\x07\r\x9b31m\u202egpj"

_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hostile")
    bundle = write_tiny_bundle(place / "bundle", "tiny")
    symbols = {"a": f"a{HOSTILE}", "b": "\x1b[2J"}
    vocabulary = {symbols.get(name, name): token for name, token in SYMBOLS.items()}
    (bundle / "vocab.json").write_text(json.dumps(vocabulary))
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"] = [vars(BundleFile.of(bundle, file["path"])) for file in manifest["files"]]
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    titled = place / "titled"
    titled.mkdir()
    for name in ("name", "method", "architecture", "precision"):
        manifest[name] = f"tiny{HOSTILE}"
    manifest["provenance"] = {"model": HOSTILE, "seed": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    (titled / MANIFEST).write_text(json.dumps(manifest))
    for file in bundle.rglob("*"):
        if file.is_file() and file.name != MANIFEST:
            (titled / file.relative_to(bundle)).parent.mkdir(exist_ok=True)
            (titled / file.relative_to(bundle)).write_bytes(file.read_bytes())
    soundfile.write(place / "clip.wav", write_noises(place)[0].samples(), RATE)
    found = measurement(f"one{HOSTILE}", HOSTILE, 0.5, 0.1, 10.0, verdicts=(HOSTILE,))
    failed = replace(measurement("two", "obs", 0.5, 0.1, 10.0), error=f"broken{HOSTILE}\nagain")
    write_results(place / "results.jsonl", [found, failed])
    (place / "bad.jsonl").write_text(json.dumps({HOSTILE: HOSTILE}))
    (place / "recipe.toml").write_text(f'name = {json.dumps(HOSTILE)}\n"\\u001b[2J" = 1\n')
    return place


COMMANDS = (
    "transcribe {place}/bundle {place}/clip.wav",
    "transcribe {place}/bundle {place}/clip.wav {place}/nothing.wav",
    "transcribe {place}/bundle {place}/clip.wav --json",
    "inspect {place}/titled",
    "inspect {place}/titled --json",
    "verify {place}/titled",
    "card {place}/titled",
    "pack {place}/titled -o {place}/{hostile}.secateur",
    "unpack {place}/{hostile}.secateur -o {place}/unpacked",
    "bench {place}/titled --device {hostile}",
    "results {place}/results.jsonl",
    "results {place}/results.jsonl --csv",
    "results {place}/results.jsonl --markdown",
    "results {place}/results.jsonl --json",
    "results {place}/bad.jsonl",
    "report {place}/results.jsonl -o {place}/report.md",
    "plot {place}/results.jsonl --json",
    "recipe check {place}/recipe.toml",
    "recipe explain {place}/recipe.toml",
    "run {place}/recipe.toml",
    "device add {hostile} pi@somewhere",
    "device doctor {hostile}",
    "inspect {place}/{hostile}",
    "{hostile}",
)


def words(command: str, place: Path) -> list[str]:
    return [word.format(place=place, hostile=HOSTILE) for word in command.split(" ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_obeyed_in_a_pipe(command: str, place: Path) -> None:
    done = secateur(*words(command, place))
    assert done.returncode in (0, 1, 2), done.stderr
    for text in (done.stdout, done.stderr):
        assert not _OBEYED.search(text), repr(text)


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_obeyed_on_a_terminal(command: str, place: Path) -> None:
    text = _STYLE.sub("", on_a_terminal(words(command, place)))
    text = re.sub(r"(?m)^\r", "", text)  # how a progress bar goes to the beginning of its line
    assert not _OBEYED.search(text), repr(text)


def on_a_terminal(words: Sequence[str]) -> str:
    """What a terminal gets of the command."""
    ours, its = pty.openpty()
    tty.setraw(its)  # or the system would write \r\n for \n
    child = begun_secateur(*words, out=its, err=its)
    os.close(its)
    said = b""
    try:
        while piece := os.read(ours, 1 << 16):
            said += piece
    except OSError:  # nobody has the other end any more
        pass
    os.close(ours)
    os.waitpid(child, 0)
    return said.decode()


def test_a_transcript_is_one_line_with_all_that_was_in_it(place: Path) -> None:
    done = secateur("transcribe", str(place / "bundle"), str(place / "clip.wav"))
    assert done.stdout.count("\n") == 1
    assert r"\x1b" in done.stdout
    record = secateur("transcribe", str(place / "bundle"), str(place / "clip.wav"), "--json")
    assert "\x1b" in json.loads(record.stdout)["text"]


def test_our_own_tables_are_styled_on_a_terminal(place: Path) -> None:
    assert _STYLE.search(on_a_terminal(["results", str(place / "results.jsonl")]))


@pytest.mark.parametrize("begin", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_of_a_csv_file_is_a_formula(begin: str, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write_results(file, [measurement(begin, "obs", 0.5, 0.1, 10.0)])
    done = secateur("results", str(file), "--csv")
    [row] = csv.DictReader(io.StringIO(done.stdout))
    assert row["name"].startswith("'")
    assert float(row["wer"]) == 10.0


def test_a_wrong_line_is_one_sentence_even_where_a_name_has_several(tmp_path: Path) -> None:
    done = secateur("inspect", str(tmp_path / "two\nlines"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_no_table_is_printed_past_the_console_that_cleans() -> None:
    rooms = [path for room in ROOMS for path in sources(room)]
    users = [path for path in rooms if "from rich.console import Console" in path.read_text()]
    assert users == [ROOT / "bench" / "console.py"]


def test_a_bar_cannot_be_labelled_to_command() -> None:
    """Bars of any library, which write their own line again and again."""
    ours, its = pty.openpty()
    tty.setraw(its)
    termios.tcsetwinsize(its, (24, 200))
    child = os.fork()
    if not child:
        os.dup2(its, 2)
        from tqdm import tqdm

        from runtime.terminal import shown

        sys.stderr = os.fdopen(2, "w")
        with shown():
            for _ in tqdm(range(2), desc=HOSTILE, mininterval=0):
                tqdm.write(f"line{HOSTILE}", file=sys.stderr)
        os._exit(0)
    os.close(its)
    os.waitpid(child, 0)
    said = os.read(ours, 1 << 16).decode()
    assert r"\x1b]0;owned\x07" in said and "100%" in said
    assert not _OBEYED.search(said.replace("\r", ""))
