"""Schedules: what happens when, what stays zero, and what a killed run comes to."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.layers import prunable_layers
from prune.methods import METHODS
from prune.options import Options
from prune.schedule import prune, stages
from prune.training_plan import FineTuning
from speech.errors import BadInput
from tests.noise import Spoken, noise

LESSON = FineTuning(steps=12, batch=2, warm_up=2, check_every=2, held_out=0.3, rate=1e-3)
OPTIONS = Options(step=0.3, fine_tuning=LESSON)


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    return noise(1.25, 2, 3)


def weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in checkpoint.model.state_dict().items()}


def test_a_gradual_schedule_ends_at_its_target_in_even_steps() -> None:
    cuts = [s.sparsity for s in stages(METHODS["iobs"], 0.9, 0.1) if s.sparsity is not None]
    assert cuts == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    odd = [s.sparsity for s in stages(METHODS["mp_repeat"], 0.25, 0.1)]
    assert odd == pytest.approx([0.125, 0.25])
    passing = stages(METHODS["mp_repeat"], 0.75, 0.1, through=[0.5, 0.0, 0.9])
    cuts = [0.1, 0.2, 0.3, 0.4, 0.5, 0.625, 0.75]
    assert [s.sparsity for s in passing] == pytest.approx(cuts)
    efforts = [s.effort for s in stages(METHODS["iobs"], 0.9, 0.1) if s.sparsity is None]
    assert efforts == sorted(efforts)


@pytest.mark.long_but("sew")
@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].fine_tunes])
def test_fine_tuning_changes_weights_and_no_zeros(
    tiny_checkpoint: Checkpoint, spoken: Spoken, method: str
) -> None:
    before = weights(tiny_checkpoint)
    sparsity = 0.0 if METHODS[method].schedule == "learn" else 0.3
    zeros_after_cut: dict[float, dict[str, torch.Tensor]] = {}
    pruned = prune(
        tiny_checkpoint,
        method,
        sparsity,
        spoken,
        options=OPTIONS,
        after=lambda s, _: zeros_after_cut.update({s: weights(tiny_checkpoint)}),
    )
    assert pruned.lessons
    assert sum(lesson.steps for lesson in pruned.lessons) == pytest.approx(12, abs=2)
    after = weights(tiny_checkpoint)
    assert any(
        after[name].shape != value.shape or not torch.equal(after[name], value)
        for name, value in before.items()
    )


def test_zeros_of_every_cut_survive_all_that_follows(
    tiny_whisper: Checkpoint, spoken: Spoken
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    options = Options(step=0.2, fine_tuning=LESSON)
    prune(
        tiny_whisper, "iobs", 0.6, spoken, options=options,
        after=lambda *_: seen.append(weights(tiny_whisper)),
    )  # fmt: skip
    keys = [f"{name}.weight" for name in prunable_layers(tiny_whisper.model)]
    zeros = [sum(int((state[key] == 0).sum()) for key in keys) for state in seen]
    whole = sum(seen[0][key].numel() for key in keys)
    assert [count / whole for count in zeros] == pytest.approx([0.2, 0.4, 0.6], abs=0.001)
    for earlier, later in pairwise(seen):
        for key in keys:
            assert (later[key][earlier[key] == 0] == 0).all(), key


def test_rewinding_learns_from_the_first_weights(tiny_whisper: Checkpoint, spoken: Spoken) -> None:
    """With nothing to learn, what stays is what the model came with."""
    before = weights(tiny_whisper)
    still = FineTuning(steps=2, batch=2, warm_up=0, check_every=1, held_out=0.3, rate=1e-12)
    prune(
        tiny_whisper, "imp_rewind_global", 0.6, spoken,
        options=Options(step=0.3, fine_tuning=still),
    )  # fmt: skip
    for name, layer in prunable_layers(tiny_whisper.model).items():
        kept = layer.weight != 0
        assert torch.allclose(layer.weight[kept], before[f"{name}.weight"][kept], atol=1e-6), name


def test_parp_lets_weights_come_back(tiny_whisper: Checkpoint, spoken: Spoken) -> None:
    cut_at_once = open_checkpoint(tiny_whisper.source)
    prune(cut_at_once, "mp_global", 0.6)
    bold = FineTuning(steps=30, batch=2, warm_up=2, check_every=5, held_out=0.3, rate=0.02)
    prune(tiny_whisper, "parp", 0.6, spoken, options=Options(fine_tuning=bold))
    back = sum(
        int(((layer.weight != 0) & (other.weight == 0)).sum())
        for layer, other in zip(
            prunable_layers(tiny_whisper.model).values(),
            prunable_layers(cut_at_once.model).values(),
            strict=True,
        )
    )
    assert back > 0


@pytest.mark.long_but("imp_rewind_local", "obs_structured_finetune")
@pytest.mark.parametrize("method", ["iobs", "imp_rewind_local", "parp", "obs_structured_finetune"])
def test_a_run_stopped_anywhere_comes_to_the_same_end(
    tiny_folders: dict[str, Path], tmp_path: Path, spoken: Spoken, method: str
) -> None:
    """Stopped again and again, each time a little later, until it is through."""
    folder = str(tiny_folders["whisper"])
    whole = open_checkpoint(folder)
    prune(whole, method, 0.4, spoken, options=Options(step=0.2, fine_tuning=LESSON))

    class StoppedError(Exception):
        pass

    patience = 5
    for attempt in range(100):
        checkpoint, calls = open_checkpoint(folder), 0

        def report(label: str, done: int, total: int) -> None:
            nonlocal calls
            calls += label.startswith("fine-tuning (")
            if calls > patience:
                raise StoppedError

        try:
            prune(
                checkpoint, method, 0.4, spoken, work=tmp_path / "work", report=report,
                options=Options(step=0.2, fine_tuning=LESSON),
            )  # fmt: skip
            break
        except StoppedError:
            assert attempt < 50
    assert attempt > 0
    ends = weights(checkpoint)
    assert all(torch.equal(value, ends[name]) for name, value in weights(whole).items())


def test_another_runs_state_is_refused(
    tiny_folders: dict[str, Path], tmp_path: Path, spoken: Spoken
) -> None:
    folder = str(tiny_folders["sew"])
    prune(open_checkpoint(folder), "mp_repeat", 0.4, spoken, options=OPTIONS, work=tmp_path)
    with pytest.raises(BadInput, match="another plan, model or speech"):
        prune(open_checkpoint(folder), "mp_repeat", 0.6, spoken, options=OPTIONS, work=tmp_path)


def test_the_control_cuts_nothing(tiny_whisper: Checkpoint, spoken: Spoken) -> None:
    with pytest.raises(BadInput, match="give it sparsity 0"):
        prune(tiny_whisper, "dense_finetune", 0.5, spoken)
    pruned = prune(tiny_whisper, "dense_finetune", 0, spoken, options=OPTIONS)
    assert pruned.sparsity.achieved == 0
