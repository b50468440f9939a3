"""What lies behind a folder that is closed to us, or has too long a name, is one sentence."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from runtime.archive import pack
from speech.audio import RATE
from tests.export.exported import noise, sew
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.conftest import WriteRecipe

UNPRIVILEGED = {"SECATEUR_TEST_UNPRIVILEGED": "1"}
REST = (
    'measure = { clips = 1, samples = 1 }\nprune = { methods = ["mp_local"], sparsities = [0.5] }\n'
)

COMMANDS = (
    "bench {bundle} --clips {place}",
    "card {place}",
    "eval demo-sew --corpus {place}",
    "eval {place}",
    "inspect {place}",
    "pack {bundle} -o {place}",
    "plot {place} --json",
    "plot {place}.json --json",
    "plot {place}.sqlite --json",
    "plot x.jsonl -o {place}.png",
    "prune {model} --method mp_local --sparsity 0.5 -o {place}",
    "prune {model} --method mp_finetune_local --sparsity 0.5 --corpus demo -o out --work {place}",
    "prune {model} --method obs --sparsity 0.5 -o out --corpus {place}",
    "prune {place} --method mp_local --sparsity 0.5 -o out",
    "recipe check {place}",
    "recipe import {place}",
    "recipe new --model {place}",
    "recipe new -o {place}",
    "results x.jsonl --bundles {place}",
    "results {place}",
    "run {place}",
    "run {recipe} --tensorboard {place}",
    "sensitivity {model} --corpus {place}",
    "sensitivity {model} --corpus demo --plot {place}.png",
    "sensitivity {place} --corpus demo",
    "sweep --corpus demo --methods mp_local --sparsities 0.5 -o {place} --model {model}",
    "sweep --corpus demo --methods mp_local --sparsities 0.5 -o x.json --model {place}",
    "transcribe {bundle} {place}",
    "transcribe {place} x.wav",
    "tui {place}.sqlite",
    "unpack {archive} -o {place}",
    "verify {bundle} --clips {place}",
)


@pytest.fixture(params=["behind a closed folder", "with too long a name"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "with too long a name":
        yield tmp_path / ("x" * 300)
        return
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    yield folder / "inside" / "something"
    folder.chmod(0o700)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_so_in_one_sentence(
    command: str,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_recipe: WriteRecipe,
    tiny_folders: dict[str, Path],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"bundle": sew()[1].folder, "model": tiny_folders["sew"], "place": place}
    if "{archive}" in command:
        words["archive"] = Path("sew.secateur")
        pack(sew()[1].folder, words["archive"])
    if "{recipe}" in command:
        words["recipe"] = write_recipe(["sew"], REST)
    (tmp_path / "x.jsonl").touch()
    before = sorted(tmp_path.rglob("*"))
    done = secateur(*command.format(**words).split(), **UNPRIVILEGED)
    assert_one_sentence(done, place.name[:50])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_recipe_has_all_its_faults_told(
    place: Path, tmp_path: Path, write_recipe: WriteRecipe
) -> None:
    path = write_recipe(["sew"], REST)
    text = path.read_text().replace("models = [", f'models = ["{place}", ')
    path.write_text(text.replace(f'"{tmp_path / "clips"}"', f'"{place}"'))
    done = secateur("recipe", "check", str(path), **UNPRIVILEGED)
    keys = ["models.0 = ", "corpus.evaluate = ", "corpus.calibrate = "]
    assert done.returncode == 2
    for line, key in zip(done.stderr.splitlines(), keys, strict=True):
        assert line.startswith(f"{path}: {key}") and "cannot be reached (" in line


def test_the_other_files_are_heard(place: Path, tmp_path: Path) -> None:
    clip = tmp_path / "heard.wav"
    soundfile.write(clip, noise(0, 1.0), RATE)
    words = ["transcribe", str(sew()[1].folder), str(place), str(clip), "--json"]
    done = secateur(*words, **UNPRIVILEGED)
    first, second = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, second["file"]) == (2, str(clip))
    assert "cannot be reached" in first["error"]


def test_a_run_leaves_a_closed_bundle_alone(tmp_path: Path, write_recipe: WriteRecipe) -> None:
    path = write_recipe(["sew"], REST)
    assert secateur("run", str(path)).returncode == 0
    bundle = tmp_path / "out" / "sew-mp_local-50"
    bundle.chmod(0)
    done = secateur("run", str(path), **UNPRIVILEGED)
    bundle.chmod(0o700)
    assert_one_sentence(done, f"{bundle}/bundle.json cannot be reached (Permission denied)")
