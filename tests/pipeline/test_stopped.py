"""Fine-tuning that is stopped: what is said of it is true, and the same command resumes it."""

import os
import re
import signal
import tempfile
import time
from pathlib import Path

import pytest

from pipeline import progress
from runtime.bundle import Bundle
from tests.noise import write_noise
from tests.pipeline.command_line import begun_secateur, secateur
from tests.pipeline.conftest import WriteRecipe

STOPPED = (
    r"secateur: stopped; .*the state of the fine-tuning \d+ s ago is kept in {}, and the same "
    r"command resumes there\.$"
)


def stopped(pattern: Path, *words: str) -> str:
    """What the command says that gets a Ctrl-C once such a file is there."""
    with tempfile.TemporaryFile() as said:
        child = begun_secateur(*words, out=said.fileno(), err=said.fileno())
        deadline = time.monotonic() + 200
        while not [*pattern.parent.parent.glob(f"{pattern.parent.name}/{pattern.name}")]:
            assert os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(child, signal.SIGINT)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        assert os.waitstatus_to_exitcode(status) == 130
        return said.read().decode()


def test_a_pruning_says_where_its_state_is_and_resumes_there(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    clips = write_noise(tmp_path / "clips", [1.0] * 6)
    words = ["prune", str(tiny_folders["whisper"]), "--method", "mp_finetune_local"]
    words += ["--sparsity", "0.5", "--steps", "60", "--batch", "2", "--corpus", str(clips)]
    said = stopped(tmp_path / ".cut.work" / "lesson.pt", *words, "-o", str(tmp_path / "cut"))
    assert re.search(STOPPED.format(re.escape(str(tmp_path / ".cut.work"))), said), said
    assert not (tmp_path / "cut").exists()
    for name in ("cut", "whole"):
        done = secateur(*words, "-o", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    for file in ("model.safetensors", "pruning.json"):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert not (tmp_path / ".cut.work").exists()


@pytest.mark.long
def test_a_run_does_too(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    recipe = write_recipe(
        ["sew"],
        'prune.methods = ["mp_finetune_local"]\nprune.sparsities = [0.5]\n'
        "prune.fine_tuning.steps = 60\nmeasure.clips = 1\nmeasure.samples = 1\n",
    )
    said = stopped(tmp_path / "out" / ".*.work" / "lesson.pt", "run", str(recipe))
    assert re.search(STOPPED.format(re.escape(f"{tmp_path / 'out'}/") + r"\.\S+\.work"), said), said
    assert "finished bundles are kept in" in said
    (state,) = (tmp_path / "out").glob(".*.work/lesson.pt")
    kept = state.stat().st_mtime_ns
    done = secateur("run", str(recipe))
    assert done.returncode == 0, done.stderr
    assert not state.exists() and kept
    assert Bundle.open(tmp_path / "out" / "sew-mp_finetune_local-50", check_hashes=True)


def test_before_anything_is_saved_it_says_so(
    tiny_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.pruning.open_checkpoint", interrupted)
    words = ["prune", str(tiny_folders["whisper"]), "--sparsity", "0.5", "-o", str(tmp_path / "o")]
    for method, kept in (
        ("mp_global", "nothing was written"),
        ("mp_finetune_local", "nothing had been saved yet"),
    ):
        done = secateur(*words, "--method", method, "--corpus", "demo:calibration")
        assert done.returncode == 130
        assert f"secateur: stopped; {kept}." in done.stderr


@pytest.fixture
def lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What shows in long work is to be seen in short work too."""
    for name in ("_SOON", "_BETWEEN", "_SHARE"):
        monkeypatch.setattr(progress, name, 0.0)
    monkeypatch.setattr(progress, "_TICK", 0.002)


@pytest.mark.usefixtures("lines_at_once")
def test_a_pruning_shows_steps_loss_and_looks_without_a_terminal(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    clips = write_noise(tmp_path / "clips", [1.0] * 40)
    done = secateur(
        "prune", str(tiny_folders["whisper"]), "--method", "mp_finetune_local", "--sparsity", "0.5",
        "--steps", "20", "--batch", "2", "--corpus", str(clips), "-o", str(tmp_path / "out"),
        SECATEUR_PROGRESS="on",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^held-out clips: \d+ of 4", done.stderr, re.M)
    about = r"^fine-tuning: \d+ of 20 \(loss [\d.]+\), \d+ s so far, about \d+ s left$"
    assert re.search(about, done.stderr, re.M), done.stderr


@pytest.mark.usefixtures("lines_at_once")
def test_so_does_a_run(write_recipe: WriteRecipe) -> None:
    recipe = write_recipe(
        ["sew"],
        'prune.methods = ["mp_finetune_local"]\nprune.sparsities = [0.5]\n'
        "prune.fine_tuning.steps = 20\nmeasure.clips = 1\nmeasure.samples = 1\n",
    )
    done = secateur("run", str(recipe), "--workers", "1", SECATEUR_PROGRESS="on")
    assert done.returncode == 0, done.stderr
    about = r"\(sew-mp_finetune_local-50: fine-tuning \d+ of 20, about \d+ s left, loss [\d.]+\)"
    assert re.search(about, done.stderr), done.stderr
