"""Several processes learn what one would, go on after a kill, and end together, whatever happens.

Processes are real where they are what is tested, on the CPU; where it is the arithmetic, threads
stand for them, which begin sooner.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import Tensor

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.device import refuse_gpus
from prune.families.layers import prunable_layers
from prune.finetune import FineTuning, finetune
from prune.learning import several_gpus, trainer
from prune.learning.lesson import Lesson, learn
from prune.learning.losses import task_for
from prune.learning.one_of_several import Failed, _failed
from prune.learning.team import Team
from prune.training_plan import Outcome
from speech.errors import BadInput
from tests.prune.lessons import BRIEF, Spoken, Weights, cut, each_step, noise, same, weights

#: Batches of three clips, which two processes cannot share evenly, and nothing left to chance.
PLAIN = replace(
    BRIEF, accumulate=2, distil_logits=1.0, distil_states=1.0,
    spec_augment=False, speed=False, voices=False,
)  # fmt: skip

#: In theory keys' biases change nothing: their gradients are rounding errors, and Adam makes steps
#: of them.
_IDLE = "k_proj.bias"


def assert_close(one: Weights, other: Weights) -> None:
    for name, value in one.items():
        if not name.endswith(_IDLE):
            assert torch.allclose(value, other[name], atol=1e-4), name


def assert_like(outcome: Outcome, expected: Outcome) -> None:
    assert outcome.stopped == expected.stopped
    assert (outcome.steps, outcome.best_step) == (expected.steps, expected.best_step)
    steps, losses = zip(*outcome.held_out, strict=True)
    assert steps == tuple(step for step, _ in expected.held_out)
    assert losses == pytest.approx([loss for _, loss in expected.held_out], rel=1e-4)


class InThreads:
    """A team of threads: each brings a tensor, and all get the sum."""

    def __init__(self, size: int):
        self._size, self._brought = size, dict[int, Tensor]()
        self._all_here = threading.Barrier(size, timeout=60)

    def learn(self, lesson: Lesson, opened: Callable[[], Checkpoint]) -> list[Outcome | Weights]:
        """Outcome and weights of each in turn; the teacher is the model before it was cut."""

        checkpoints = [opened() for _ in range(self._size)]
        teachers = [deepcopy(checkpoint.model) for checkpoint in checkpoints]
        teams = [Team(rank, self._size, partial(self._summed, rank)) for rank in range(self._size)]

        def one(rank: int) -> tuple[Outcome, Weights]:
            return learn(checkpoints[rank], teachers[rank], lesson, team=teams[rank])

        with ThreadPoolExecutor(self._size) as pool:
            return [thing for pair in pool.map(one, range(self._size)) for thing in pair]

    def _summed(self, rank: int, tensor: Tensor) -> Tensor:
        self._brought[rank] = tensor
        self._all_here.wait()
        total = torch.stack([self._brought[i] for i in range(self._size)]).sum(0)
        self._all_here.wait()
        return total


def lesson_of(checkpoint: Checkpoint, plan: FineTuning, spoken: Spoken) -> Lesson:
    task = task_for(checkpoint)
    examples = [task.example(*clip) for clip in spoken]
    masks = cut(deepcopy(checkpoint), 0.5)
    return Lesson(plan, examples[:5], examples[5:], masks)


@pytest.mark.parametrize(("family", "size"), [("whisper", 4), ("sew", 2), ("wav2vec2-large", 4)])
def test_shares_add_up_to_the_whole(tiny_folders: dict[str, Path], family: str, size: int) -> None:
    """Clips one by one (sew) and together, texts of several lengths; of four one hears nothing."""

    def opened() -> Checkpoint:
        checkpoint = open_checkpoint(str(tiny_folders[family]))
        if family == "wav2vec2-large":
            checkpoint.processor.feature_extractor.return_attention_mask = True
        return checkpoint

    lesson = lesson_of(opened(), PLAIN, noise(10))
    alone = opened()
    expected, by_one = learn(alone, deepcopy(alone.model), lesson)
    results = InThreads(size).learn(lesson, opened)
    for outcome, by_several in zip(results[::2], results[1::2], strict=True):
        assert_like(outcome, expected)
        assert_close(by_several, by_one)
        assert same(by_several, results[1]), "not all came to the same"


@pytest.mark.parametrize("family", ["whisper", "sew"])
def test_all_stop_where_one_is_at_a_loss(tiny_folders: dict[str, Path], family: str) -> None:
    """One clip is no number: whoever hears it, nobody goes on or waits for ever."""
    opened = partial(open_checkpoint, str(tiny_folders[family]))
    lesson = lesson_of(opened(), PLAIN, noise(10))
    silent = replace(lesson.learnt[0], samples=np.full_like(lesson.learnt[0].samples, np.nan))
    for broken, steps in (
        (replace(lesson, learnt=[silent, *lesson.learnt[1:]]), 1),
        (replace(lesson, held_out=[silent, *lesson.held_out[1:]]), 0),
        (replace(lesson, plan=replace(PLAIN, rate=1e3, clip=1e6, check_every=2)), 2),
    ):
        outcomes = InThreads(2).learn(broken, opened)[::2]
        assert outcomes[0].stopped.startswith("diverged: ")
        assert str(outcomes[0]) == str(outcomes[1])
        assert outcomes[0].steps == steps


def test_what_is_left_to_chance_is_every_process_own() -> None:
    """The first process draws as one alone."""

    def drawn(rank: int) -> tuple[float, float]:
        with trainer._seeded((0, 2, 5), rank, torch.device("cpu")):
            return float(torch.rand(())), float(np.random.rand())

    first, second = np.random.SeedSequence((0, 2, 5)).generate_state(2, np.uint32).tolist()
    torch.manual_seed(first)
    np.random.seed(second)
    assert drawn(0) == (float(torch.rand(())), float(np.random.rand()))
    assert len({draw for rank in range(4) for draw in drawn(rank)}) == 8


# From here on: real processes.


def crew_of(parent: psutil.Process) -> list[psutil.Process]:
    """Those that learn; a process that Python has for cleaning up stays until its parent ends."""
    return [p for p in parent.children() if "resource_tracker" not in " ".join(p.cmdline())]


@pytest.fixture(scope="module")
def by_two(tiny_folders: dict[str, Path]) -> Iterator[tuple[Outcome, Weights]]:
    checkpoint = open_checkpoint(str(tiny_folders["whisper"]))
    teacher, masks = deepcopy(checkpoint.model), cut(checkpoint, 0.5)
    steps: list[int] = []
    outcome = finetune(
        checkpoint,
        noise(),
        PLAIN,
        masks=masks,
        teacher=teacher,
        report=each_step(steps.append),
        processes=2,
    )
    assert steps == list(range(1, 13))
    assert not crew_of(psutil.Process())
    assert not checkpoint.model.training
    for name, layer in prunable_layers(checkpoint.model).items():
        assert not layer.weight.view(torch.int32)[~masks[name]].any(), name
    yield outcome, weights(checkpoint)


def test_two_processes_learn_what_one_does(
    tiny_whisper: Checkpoint, by_two: tuple[Outcome, Weights]
) -> None:
    teacher, masks = deepcopy(tiny_whisper.model), cut(tiny_whisper, 0.5)
    expected = finetune(tiny_whisper, noise(), PLAIN, masks=masks, teacher=teacher)
    assert_like(by_two[0], expected)
    assert_close(by_two[1], weights(tiny_whisper))


def learn_by(
    folder: str, processes: int, state: Path, progress: Callable[[int], None]
) -> tuple[Outcome, Weights]:
    checkpoint = open_checkpoint(folder)
    teacher, masks = deepcopy(checkpoint.model), cut(checkpoint, 0.5)
    outcome = finetune(
        checkpoint, noise(), PLAIN, masks=masks, teacher=teacher, resume=state,
        report=each_step(progress), processes=processes,
    )  # fmt: skip
    return outcome, weights(checkpoint)


@pytest.mark.long
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_bits(
    tiny_folders: dict[str, Path],
    tmp_path: Path,
    by_two: tuple[Outcome, Weights],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder, file, alone = str(tiny_folders["whisper"]), tmp_path / "run.pt", tmp_path / "alone.pt"
    context = multiprocessing.get_context("fork")
    ear, mouth = context.Pipe(duplex=False)
    parent = context.Process(target=learn_by, args=(folder, 2, file, mouth.send))
    parent.start()
    mouth.close()
    assert ear.recv() == 1
    orphans = crew_of(psutil.Process(parent.pid))
    assert len(orphans) == 2
    while ear.recv() < 6:
        pass
    orphans[1].suspend()  # and so the other waits for it
    parent.kill()
    parent.join()
    _, alive = psutil.wait_procs(orphans[:1], timeout=30)
    assert not alive, "it waits for ever"
    orphans[1].resume()
    _, alive = psutil.wait_procs(orphans, timeout=30)
    assert not alive
    assert not [*tmp_path.glob("secateur-*/*")], "weights are left behind"
    alone.write_bytes(file.read_bytes())
    steps: list[int] = []
    outcome, learnt = learn_by(folder, 2, file, steps.append)
    assert steps[0] in (5, 9), "it did not go on from a look"
    assert outcome == by_two[0]
    assert same(learnt, by_two[1])
    outcome, learnt = learn_by(folder, 1, alone, steps.append)
    assert_like(outcome, by_two[0])
    assert_close(learnt, by_two[1])


def test_one_that_is_killed_ends_all(tiny_whisper: Checkpoint) -> None:
    seen: list[psutil.Process] = []

    def kill_one() -> None:
        while len(seen) < 2:
            time.sleep(0.01)
            seen[:] = crew_of(psutil.Process())
        os.kill(seen[1].pid, signal.SIGKILL)

    before = weights(tiny_whisper)
    threading.Thread(target=kill_one, daemon=True).start()
    with pytest.raises(BadInput, match=r"^Fine-tuning in 2 processes: one of them was killed"):
        finetune(tiny_whisper, noise(), BRIEF, processes=2)
    assert not [process for process in seen if process.is_running()]
    assert same(weights(tiny_whisper), before)


def test_the_first_cause_is_told() -> None:
    crew = several_gpus._Crew(2, on_gpus=False)
    crew._failed = [
        Failed("other", "RuntimeError: Connection closed by peer", ""),
        _failed(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")),
    ]
    said = str(crew._complaint())
    assert said.startswith("Fine-tuning in 2 processes: one of them ran out of memory: try a ")
    assert "fine_tuning.batch" in said
    assert _failed(BadInput("It is so.")).said == "It is so."
    crew._failed = crew._failed[:1]
    assert str(crew._complaint()).endswith("failed: RuntimeError: Connection closed by peer.")


def test_more_gpus_than_there_are(
    tiny_whisper: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    refuse_gpus(3, torch.device("cuda"))
    refuse_gpus(1, torch.device("cpu"))
    with pytest.raises(BadInput, match=r"not 4 GPUs here but 3: use --gpus 3"):
        refuse_gpus(4, torch.device("cuda"))
    with pytest.raises(BadInput, match=r"cannot share .* on 'mps'"):
        refuse_gpus(2, torch.device("mps"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadInput, match=r"needs accelerate"):
        finetune(tiny_whisper, noise(), BRIEF, processes=2)
