"""Fine-tuning that is stopped, killed or finished: it is saved, and ends as if nothing had been."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.finetune import FineTuning, finetune
from speech.errors import BadInput
from tests.prune.lessons import BRIEF, cut, each_step, noise, same, weights


class Killed(Exception):  # noqa: N818
    pass


def killing_at(step: int) -> Callable[[int], None]:
    def kill(done: int) -> None:
        if done == step:
            raise Killed

    return kill


def killed_and_resumed(folder: str, file: Path, killed_at: int) -> None:
    """Whatever else draws from the global generators in the meantime."""
    plan = replace(BRIEF, distil_logits=1.0)
    teacher = open_checkpoint(folder).model
    whole, shot, again = (open_checkpoint(folder) for _ in range(3))
    masks = cut(whole, 0.5)
    expected = finetune(whole, noise(), plan, masks=masks, teacher=teacher)
    kill = killing_at(killed_at)
    with pytest.raises(Killed):
        finetune(
            shot, noise(), plan, masks=masks, teacher=teacher, resume=file, report=each_step(kill)
        )
    torch.manual_seed(99)
    np.random.seed(99)
    got = finetune(again, noise(), plan, masks=masks, teacher=teacher, resume=file)
    assert got == expected
    assert same(weights(again), weights(whole))


def test_killed_and_resumed_comes_to_the_same_bits(
    tiny_variant: Checkpoint, tmp_path: Path
) -> None:
    killed_and_resumed(tiny_variant.source, tmp_path / "run.pt", 7)


@pytest.mark.parametrize("killed_at", [2, 4, 11])
def test_wherever_it_is_killed(tiny_whisper: Checkpoint, tmp_path: Path, killed_at: int) -> None:
    """Before the first look, at it, and before the last."""
    killed_and_resumed(tiny_whisper.source, tmp_path / "run.pt", killed_at)


CHILD = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from prune.checkpoint import open_checkpoint
from prune.finetune import finetune
from tests.prune.lessons import BRIEF, each_step, noise
def slowly(done):
    print(done, flush=True)
    time.sleep(0.05)
checkpoint = open_checkpoint({folder!r})
finetune(checkpoint, noise(), BRIEF, resume=Path({file!r}), report=each_step(slowly))
"""


def test_a_process_that_is_killed_outright_loses_nothing_but_time(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder, file = str(tiny_folders["whisper"]), tmp_path / "run.pt"
    code = CHILD.format(root=str(Path(__file__).parents[2]), folder=folder, file=str(file))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 6:
            child.send_signal(signal.SIGKILL)
            break
    assert child.wait(timeout=60) == -signal.SIGKILL
    steps: list[int] = []
    whole, resumed = open_checkpoint(folder), open_checkpoint(folder)
    expected = finetune(whole, noise(), BRIEF)
    assert (
        finetune(resumed, noise(), BRIEF, resume=file, report=each_step(steps.append)) == expected
    )
    assert steps[0] == 5, "it did not go on from the look after step 4"
    assert same(weights(resumed), weights(whole))


def test_between_looks_it_is_saved_by_time(
    tiny_whisper: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a model whose steps take half a minute, and which is stopped before its first look."""
    plan, file, steps = replace(BRIEF, check_every=12), tmp_path / "run.pt", list[int]()
    whole, shot, again = (open_checkpoint(tiny_whisper.source) for _ in range(3))
    expected = finetune(whole, noise(), plan)
    monkeypatch.setattr("prune.learning.lesson.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("prune.learning.lesson._SAVE_SHARE", 1e9)
    with pytest.raises(Killed):
        finetune(shot, noise(), plan, resume=file, report=each_step(killing_at(7)))
    assert finetune(again, noise(), plan, resume=file, report=each_step(steps.append)) == expected
    assert steps == [8, 9, 10, 11, 12]
    assert same(weights(again), weights(whole))


def test_a_snapshot_that_is_slow_to_write_is_written_seldom(
    tiny_whisper: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prune.learning.lesson.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("prune.learning.lesson._SAVE_SHARE", 1e-9)
    written: list[object] = []
    monkeypatch.setattr("prune.learning.lesson.write_snapshot", lambda *what: written.append(what))
    finetune(tiny_whisper, noise(), BRIEF, resume=tmp_path / "run.pt")
    assert len(written) == 4, "after each look"


def test_stopped_in_a_look_it_goes_on_with_that_look(
    tiny_whisper: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, steps, looks = tmp_path / "run.pt", list[int](), list[int]()
    whole, shot, again = (open_checkpoint(tiny_whisper.source) for _ in range(3))
    expected = finetune(whole, noise(), BRIEF)
    monkeypatch.setattr("prune.learning.lesson.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("prune.learning.lesson._SAVE_SHARE", 1e9)

    def kill(label: str, done: int, total: int) -> None:
        if label == "held-out clips" and done == 0:
            looks.append(total)
            if len(looks) == 2:
                raise Killed

    with pytest.raises(Killed):
        finetune(shot, noise(), BRIEF, resume=file, report=kill)
    assert finetune(again, noise(), BRIEF, resume=file, report=each_step(steps.append)) == expected
    assert steps[0] == 5
    assert same(weights(again), weights(whole))


def test_a_finished_run_is_not_done_again(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    first, second = (open_checkpoint(str(tiny_folders["sew"])) for _ in range(2))
    outcome = finetune(first, noise(), BRIEF, resume=tmp_path / "run.pt")
    again = finetune(
        second,
        noise(),
        BRIEF,
        resume=tmp_path / "run.pt",
        report=each_step(lambda _: pytest.fail("again")),
    )
    assert again == outcome
    assert same(weights(first), weights(second))


def test_a_snapshot_of_another_run_or_a_damaged_one_is_refused(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    def run(plan: FineTuning = BRIEF, clips: int = 6, sparsity: float = 0.0) -> None:
        checkpoint = open_checkpoint(str(tiny_folders["sew"]))
        cut(checkpoint, sparsity)
        finetune(checkpoint, noise(clips), plan, resume=file)

    file = tmp_path / "run.pt"
    run()
    for other in ({"plan": replace(BRIEF, seed=1)}, {"clips": 7}, {"sparsity": 0.5}):
        with pytest.raises(BadInput, match=r"run\.pt is of a fine-tuning run with another plan"):
            run(**other)
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"run\.pt cannot be read .* delete it"):
        run()
