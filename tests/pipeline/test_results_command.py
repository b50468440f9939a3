"""`secateur results` and `secateur report` as a user calls them, on a store and on a file."""

from __future__ import annotations

import base64
import csv
import json
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import matplotlib.backends.backend_agg  # noqa: F401 - copies of this process then have it
import pyarrow.parquet
import pytest
from PIL import Image

from bench.agent.latency import summarise
from bench.agent.measurement import Measurement, Sample, Variant
from bench.agent.memory import MemoryReading
from bench.report_page import Code, Grid, Picture, Text
from bench.results import write_results
from benchmarks.large_store import write_store
from pipeline.report import write_report
from runtime.bundle import Bundle
from speech.errors import BadInput
from tests.bench.conftest import write_tiny_bundle
from tests.bench.store.journals import small_job, write_folder
from tests.pipeline.command_line import assert_one_sentence, secateur

NASTY = "<script>alert('x')</script>|`*_$"


def measured(
    name: str, method: str, zeros: float, *, device: str = "pi", **more: object
) -> Measurement:
    seconds = 0.05 - 0.01 * zeros
    score = {"wer": 0.05 + zeros / 2, "wer_low": 0.04 + zeros / 2, "wer_high": 0.07 + zeros / 2}
    found = Measurement(
        bundle=f"/nowhere/{name}",
        name=name,
        measured_at="2026-01-01T00:00:00+00:00",
        threads=1,
        bundle_sha256=None,
        variant=Variant(name, "ctc", method, zeros, zeros, zeros, score),
        samples=tuple(Sample("a.flac", seconds, 2.0, {}) for _ in range(3)),
        latency=summarise([seconds] * 3),
        real_time_factor=seconds / 2,
        memory={"at_end": MemoryReading(int(80e6), None)},
        device_bytes=2**20,
        environment={"device": device, "cpu": "Cortex-A76", "cores": 4},
        verdicts=("VALID",),
    )
    return replace(found, **more)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "results.jsonl"
    found = [
        measured("dense", "dense", 0.0),
        measured("obs-50", "obs", 0.5),
        measured("obs-70", "obs", 0.7, verdicts=("EMULATED",)),
        measured(NASTY, "wanda", 0.7),
        measured("dense", "dense", 0.0, device="mac", measured_at="2026-02-01"),
        measured("dense", "dense", 0.0, measured_at="2026-03-01", settings={"threads": 1}),
        measured("broken", "obs", 0.9, error="Was killed (SIGKILL).", samples=(), latency=None),
    ]
    write_results(path, found)
    return path


def rows(*words: str) -> list[dict[str, object]]:
    done = secateur("results", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_what_devices_sent_is_in_the_store_without_asking(data: Path) -> None:
    job, events = small_job("a", "b")
    folder = write_folder(data / "jobs" / "pi" / job.id, job, events[: len(events) // 2])
    assert [(row["device"], row["name"]) for row in rows()] == [("pi", "a"), ("pi", "b")]
    half = sum(int(str(row["samples"])) for row in rows())
    write_folder(folder, job, events)
    (data / "jobs" / "mac" / "1").mkdir(parents=True)
    (data / "jobs" / "mac" / "1" / "journal.jsonl").write_text("")
    done = secateur("results", "--json")
    assert sum(row["samples"] for row in json.loads(done.stdout)) == 16 > half
    assert "mac/1: without its job.json" in done.stderr
    assert rows(str(data / "results.sqlite"), "--device", "pi") == json.loads(done.stdout)


def test_results_are_imported_once_and_bundles_are_remembered(tmp_path: Path, data: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "tiny", "tiny")
    bundle = Bundle.open(folder)
    path = tmp_path / "results.jsonl"
    write_results(
        path, [measured("tiny", "obs", 0.5, bundle=str(folder), bundle_sha256=bundle.sha256)]
    )
    for added in (1, 0):
        done = secateur("results", "--import", str(path), "--json")
        assert f"{added} new" in done.stderr
    (folder / "bundle.json").unlink()
    [row] = rows()
    assert (row["name"], row["precision"], row["device"]) == ("tiny", "fp32", "pi")
    assert rows(str(path))[0]["precision"] == ""


def test_what_is_imported_may_be_given_to_another_device(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_results(path, [measured("tiny", "obs", 0.5)])
    assert secateur("results", "--import", str(path), "--as", "their-pi").returncode == 0
    [row] = rows()
    assert row["device"] == "their-pi"


def test_the_newest_of_the_same_is_shown_and_all_if_asked(file: Path) -> None:
    write_results(file, [
        measured("a", "obs", 0.5, measured_at="2026-02-01"),
        measured("a", "obs", 0.5, measured_at="2026-01-01"),
        measured("a", "obs", 0.5, measured_at="2026-03-01", samples=(), latency=None),
        measured("a", "obs", 0.5, measured_at="2026-01-01", threads=2),
    ])  # fmt: skip
    shown = [(row["measured_at"], row["threads"]) for row in rows(str(file))]
    assert shown == [("2026-02-01", 1), ("2026-01-01", 2)]
    assert len(rows(str(file), "--all")) == 4


def test_filters_csv_and_parquet(file: Path, tmp_path: Path) -> None:
    assert {row["name"] for row in rows(str(file), "--method", "obs")} == {
        "obs-50", "obs-70", "broken"
    }  # fmt: skip
    assert len(rows(str(file), "--method", "dense", "--device", "mac")) == 1
    table = tmp_path / "rows.parquet"
    done = secateur("results", str(file), "--csv", "--parquet", str(table))
    assert done.returncode == 0, done.stderr
    lines = list(csv.DictReader(done.stdout.splitlines()))
    wanted = rows(str(file))
    assert [line["name"] for line in lines] == [row["name"] for row in wanted]
    line = next(line for line in lines if line["name"] == "obs-70")
    assert (line["verdicts"], float(line["wer_low"])) == ("EMULATED", pytest.approx(39))
    assert pyarrow.parquet.read_table(table).to_pylist() == wanted


def test_a_long_table_is_cut_and_says_so_and_programs_get_all(tmp_path: Path) -> None:
    store = tmp_path / "results.sqlite"
    write_store(store, bundles=300, devices=4)
    measured_once, every = 4 * 296, 4 * 300
    said = f"Only the last 1,000 of {measured_once:,} rows are shown"
    done = secateur("results", str(store))
    assert done.returncode == 0 and said in done.stderr
    assert done.stdout.count("device-") == 1000
    done = secateur("results", str(store), "--markdown", "--limit", "3", "--all")
    assert f"Only the last 3 of {every:,} rows" in done.stderr
    found = rows(str(store), "--all")
    assert len(found) == every
    assert all(str(row["name"]) in done.stdout for row in found[-3:])
    done = secateur("results", str(store), "--csv")
    assert len(done.stdout.splitlines()) == 1 + measured_once and done.stderr == ""
    few = secateur("results", str(store), "--device", "device-1", "--method", "obs")
    assert few.returncode == 0 and few.stderr == ""


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["results"], ["Nothing is stored in", "results.sqlite", "`secateur bench BUNDLE`"]),
        (["results", "none.sqlite"], ["There is no store none.sqlite", "--import"]),
        (["results", "{file}", "--method", "obbs"], ["method 'obbs'", "dense, obs, wanda"]),
        (["results", "--import", "{empty}"], ["nothing to import", "job.json"]),
        (["results", "{file}", "--estimate", "pi-9"], ["'pi-9'", "did you mean 'pi-5'"]),
        (["results", "{file}", "--bundles", "nowhere"], ["There is no folder nowhere"]),
        (["results", "{file}", "--as", "pi"], ["--as", "--import"]),
        (["results", "--import", "{file}", "--as", "a b"], ["'a b' cannot be a device's name"]),
        (["results", "{file}", "--csv", "--json"], ["--json, --csv and --markdown", "one of them"]),
        (["report", "{file}", "-o", "x.pdf"], ["x.pdf ends in neither .html nor .md"]),
        (["report", "{file}", "--family", "whisper", "-o", "x.md"], ["family 'whisper'", "ctc"]),
    ],
)
def test_bad_input_is_one_sentence(
    file: Path, tmp_path: Path, words: list[str], fragments: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"file": file, "empty": tmp_path / "empty"}
    assert_one_sentence(secateur(*(word.format(**places) for word in words)), *fragments)


def test_no_guess_is_made_of_bundles_that_are_not_at_hand(file: Path) -> None:
    done = secateur("results", str(file), "--estimate", "pi-5", "--json")
    assert [
        row["verdicts"] for row in json.loads(done.stdout) if "ESTIMATED" in row["verdicts"]
    ] == []
    assert "ESTIMATED for pi-5 from data sheets alone" in done.stderr
    assert "5 bundles are left out" in done.stderr


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_report_is_one_page_that_needs_nothing_else(file: Path, tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "tiny", "tiny")
    manifest = (folder / "bundle.json").read_text()
    layers = '"layers": {"conv": 0.7, "head": 0.1}'
    (folder / "bundle.json").write_text(manifest.replace('"layers": {}', layers))
    sha256 = Bundle.open(folder).sha256
    here = measured("tiny", "obs", 0.7, bundle=str(folder), bundle_sha256=sha256, device="this")
    with file.open("a") as lines:
        lines.write(here.to_json() + "\n")
    out = tmp_path / "report.html"
    done = secateur("report", str(file), "-o", str(out), "--title", f"Cuts {NASTY}")
    assert done.returncode == 0, done.stderr
    page = Page(out.read_text())
    assert "script" not in page.tags
    assert page.words.count(NASTY) >= 2
    for said in (
        "5.0 [4.0–7.0]",
        "ctc on pi — EMULATED",
        "Was killed (SIGKILL)",
        "Cortex-A76",
        "Where the zeros are",
        "EMULATED, 1 of 7",
        "--device pi --threads 1",
    ):
        assert said in page.words, said
    assert len(page.sources) == page.tags.count("img") == 4
    for source in page.sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        with Image.open(BytesIO(base64.b64decode(data))) as picture:
            assert picture.size == (1600, 900)
            assert len(picture.convert("L").getcolors() or []) > 10


def test_the_report_in_markdown_has_its_pictures_beside(tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    blocks = [
        Text(f"Said {NASTY}\n# not a heading"),
        Grid(["a|b"], [["c|d"]], [True]),
        Picture("01-it", b"PNG", "It"),
        Code("``` fenced"),
    ]
    for _ in range(2):
        assert write_report("Title", blocks, out) == [out, tmp_path / "report-pictures"]
    text = out.read_text()
    assert r"\<script\>alert('x')\</script\>\|\`\*\_\$ \# not a heading" in text
    assert r"| c\|d |" in text
    assert "````\n``` fenced\n````" in text
    assert "![It](<report-pictures/01-it.png>)" in text
    assert (tmp_path / "report-pictures" / "01-it.png").read_bytes() == b"PNG"
    (tmp_path / "report-pictures" / "mine.txt").write_text("keep me")
    with pytest.raises(BadInput, match="report-pictures"):
        write_report("Another", blocks, out)
    assert out.read_text() == text
