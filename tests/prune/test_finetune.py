"""Fine-tuning gives back what pruning took, and no zero."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.layers import prunable_layers
from prune.finetune import FineTuning, finetune
from prune.learning.losses import task_for
from speech.corpora import open_corpus
from speech.errors import BadInput
from tests.prune.lessons import BRIEF, RATE, Spoken, cut, each_step, noise, same, weights


@pytest.fixture(scope="module")
def demo_spoken() -> Spoken:
    corpus = open_corpus("demo:calibration", limit=80)
    return [(clip.samples(), clip.text) for clip in corpus.clips]


def test_a_pruned_whisper_understands_again_and_stays_pruned(demo_spoken: Spoken) -> None:
    checkpoint = open_checkpoint("demo-whisper")
    masks = cut(checkpoint, 0.8)
    plan = replace(BRIEF, steps=24, batch=8, rate=2e-3, warm_up=4, check_every=8)
    outcome = finetune(checkpoint, demo_spoken, plan, masks=masks)
    (start, before), *_, (end, after) = outcome.held_out
    assert (start, end) == (0, 24)
    assert before > 2.5, "pruning did no harm that could be mended"
    assert after < 0.5 * before
    assert (outcome.steps, outcome.best_step, outcome.stopped) == (24, 24, "finished")
    assert not checkpoint.model.training
    for name, layer in prunable_layers(checkpoint.model).items():
        gone = layer.weight.view(torch.int32)[~masks[name]]
        assert not gone.any(), f"{name}: what was cut grew back"


def test_masked_weights_are_zero_after_every_step(tiny_checkpoint: Checkpoint) -> None:
    """With accumulation, weight decay and weights that were not zero when training began."""
    generator = torch.Generator().manual_seed(0)
    layers = prunable_layers(tiny_checkpoint.model)
    masks = {n: torch.rand(x.weight.shape, generator=generator) > 0.5 for n, x in layers.items()}
    seen: list[int] = []

    def check(done: int) -> None:
        seen.append(done)
        assert all(not x.weight[~masks[n]].any() for n, x in layers.items())

    plan = replace(BRIEF, accumulate=2, weight_decay=0.1)
    finetune(tiny_checkpoint, noise(), plan, masks=masks, report=each_step(check))
    assert seen == list(range(1, 13))
    for name, layer in layers.items():
        assert bool((layer.weight[masks[name]] != 0).all()), "a weight that was kept is gone"


def test_without_masks_zeros_may_come_back(tiny_checkpoint: Checkpoint) -> None:
    dense = deepcopy(tiny_checkpoint.model)
    cut(tiny_checkpoint, 0.5)
    plan = replace(BRIEF, distil_states=100.0)
    assert finetune(tiny_checkpoint, noise(), plan, teacher=dense).best_step > 0
    zeros = sum(int((x.weight == 0).sum()) for x in prunable_layers(tiny_checkpoint.model).values())
    assert zeros == 0


def test_steps_are_reported_with_their_loss_and_looks_as_they_go(tiny_whisper: Checkpoint) -> None:
    heard: list[tuple[str, int, int]] = []
    finetune(tiny_whisper, noise(), BRIEF, report=lambda *what: heard.append(what))
    assert heard[0] == ("fine-tuning", 0, 12)
    assert heard[1:3] == [("held-out clips", 0, 2), ("held-out clips", 2, 2)]
    taken = [(label, done) for label, done, _ in heard if label.startswith("fine-tuning (loss ")]
    assert [done for _, done in taken] == list(range(1, 13))
    losses = [float(label.removeprefix("fine-tuning (loss ").rstrip(")")) for label, _ in taken]
    assert all(0 < loss < 50 for loss in losses)


def test_the_clips_of_a_look_are_bounded(
    tiny_whisper: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prune.finetune.MOST_HELD_OUT", 3)
    totals: set[int] = set()

    def report(label: str, done: int, total: int) -> None:
        totals.update({total} if label == "held-out clips" else ())

    finetune(tiny_whisper, noise(20), replace(BRIEF, steps=1, held_out=0.5), report=report)
    assert totals == {3}


@pytest.mark.parametrize("family", ["whisper", "wav2vec2-large"])
def test_a_batch_in_pieces_teaches_what_it_does_at_once(
    tiny_folders: dict[str, Path], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where little goes through the model at once, for the sake of memory."""
    plan = replace(BRIEF, distil_logits=1.0, distil_states=1.0, spec_augment=False)
    outcomes = []
    for most in (60.0, 1.0):
        monkeypatch.setattr("prune.learning.trainer._SOUND_AT_ONCE", most)
        checkpoint = _together(tiny_folders[family])
        teacher, sizes = deepcopy(checkpoint.model), set[int]()
        cut(checkpoint, 0.5)
        checkpoint.model.register_forward_pre_hook(
            lambda _, __, given, sizes=sizes: sizes.add(len(next(iter(given.values())))),
            with_kwargs=True,
        )
        outcomes.append((finetune(checkpoint, noise(), plan, teacher=teacher), weights(checkpoint)))
        assert max(sizes) == (3 if most == 60 else 1)
    (one, learnt), (other, again) = outcomes
    for (step, loss), (_, close) in zip(one.held_out, other.held_out, strict=True):
        assert close == pytest.approx(loss, rel=1e-3), step
    for name, value in learnt.items():
        assert torch.allclose(again[name], value, atol=2e-3), name


def _together(folder: Path) -> Checkpoint:
    """Clips of a CTC model go through together where it was trained with an attention mask."""
    checkpoint = open_checkpoint(str(folder))
    checkpoint.processor.feature_extractor.return_attention_mask = True
    return checkpoint


def test_a_rate_that_is_too_high_stops_with_the_best_kept(tiny_variant: Checkpoint) -> None:
    before = weights(tiny_variant)
    plan = replace(BRIEF, steps=200, rate=1e3, clip=1e6, check_every=2, patience=99)
    outcome = finetune(tiny_variant, noise(), plan)
    assert outcome.stopped.startswith("diverged: ")
    assert outcome.steps < 200
    assert outcome.best_step == 0
    assert same(weights(tiny_variant), before)
    assert not tiny_variant.model.training


def test_a_loss_that_is_no_number_stops_at_once(tiny_whisper: Checkpoint) -> None:
    spoken = noise()
    broken = [(np.full_like(samples, np.nan), text) for samples, text in spoken]
    outcome = finetune(tiny_whisper, broken, BRIEF)
    assert outcome.stopped.startswith("diverged: ")
    assert outcome.steps == 0
    assert all(value.isfinite().all() for value in weights(tiny_whisper).values())


def test_it_stops_when_it_no_longer_improves(tiny_whisper: Checkpoint) -> None:
    """On noise with random texts there is nothing to learn that holds for other clips."""
    plan = replace(BRIEF, steps=400, rate=3e-3, check_every=5, patience=3)
    outcome = finetune(tiny_whisper, noise(12), plan)
    losses = dict(outcome.held_out)
    assert outcome.stopped == "no longer improving"
    assert outcome.steps == outcome.best_step + 3 * 5 < 400
    assert losses[outcome.best_step] == min(losses.values())
    again = finetune(tiny_whisper, noise(12), replace(plan, steps=1, rate=1e-9))
    assert again.held_out[0][1] == pytest.approx(min(losses.values()), rel=1e-6)


def test_layers_of_odd_sizes_train_too(tiny_whisper: Checkpoint) -> None:
    """As structured pruning leaves them: one feed-forward smaller, one layer gone."""
    encoder = tiny_whisper.model.model.encoder
    torch.manual_seed(0)
    encoder.layers[0].fc1, encoder.layers[0].fc2 = torch.nn.Linear(32, 9), torch.nn.Linear(9, 32)
    del tiny_whisper.model.model.decoder.layers[1]
    outcome = finetune(tiny_whisper, noise(), BRIEF)
    assert outcome.held_out[-1][1] < outcome.held_out[0][1]


def test_half_precision_trains_as_well(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA's autocast, played by the CPU's: the answers come in bfloat16, the losses do not."""
    halved = partial(torch.autocast, "cpu", torch.bfloat16)
    monkeypatch.setattr("prune.learning.trainer._precision", lambda _: (halved, False))
    plan = replace(BRIEF, distil_logits=1.0, distil_states=1.0)
    teacher = deepcopy(tiny_checkpoint.model)
    cut(tiny_checkpoint, 0.5)
    outcome = finetune(tiny_checkpoint, noise(), plan, teacher=teacher)
    assert outcome.stopped == "finished"
    assert all(value.dtype == torch.float32 for value in weights(tiny_checkpoint).values())


def test_clips_heard_together_are_answered_as_if_alone(
    tiny_folders: dict[str, Path],
) -> None:
    """Models with layer norm and an attention mask; those with group norm are not batched."""
    checkpoint = open_checkpoint(str(tiny_folders["wav2vec2-large"]))
    alone = task_for(checkpoint)
    checkpoint.processor.feature_extractor.return_attention_mask = True
    together = task_for(checkpoint)
    examples = [together.example(*clip) for clip in noise()]
    assert [len(group) for group in alone.groups(examples)] == [1] * 6
    assert [len(group) for group in together.groups(examples)] == [6]
    with torch.no_grad():
        answers = [alone.answer(checkpoint.model, alone.batch([e])) for e in examples]
        answer = together.answer(checkpoint.model, together.batch(examples))
    assert torch.allclose(answer.logits, torch.cat([a.logits for a in answers]), atol=1e-4)
    by_hand = sum(float(a.loss) * a.tokens for a in answers) / sum(a.tokens for a in answers)
    assert float(answer.loss) == pytest.approx(by_hand, rel=0.05)


def test_whisper_is_told_its_language_and_not_asked_for_it(tiny_multilingual: Checkpoint) -> None:
    task, tokenizer = task_for(tiny_multilingual), tiny_multilingual.processor.tokenizer
    samples = noise(1)[0][0]
    batch = task.batch([task.example(samples, "turn on"), task.example(samples, "")])
    told = tokenizer.convert_ids_to_tokens(batch.given["decoder_input_ids"][0][:4])
    assert told == ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    assert tokenizer.decode([t for t in batch.targets[0] if t >= 0]) == " turn on<|endoftext|>"
    assert tokenizer.decode([t for t in batch.targets[1] if t >= 0]) == "<|endoftext|>"


def test_nothing_outside_is_disturbed(tiny_checkpoint: Checkpoint) -> None:
    """Neither the global generators nor the model's own settings."""
    config = tiny_checkpoint.model.config.to_dict()
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3).tolist(), np.random.rand(3).tolist()
    torch.manual_seed(5)
    np.random.seed(5)
    finetune(tiny_checkpoint, noise(), replace(BRIEF, spec_augment=False))
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist()) == expected
    assert tiny_checkpoint.model.config.to_dict() == config


def test_clips_beyond_the_window_or_too_short_for_their_text_are_left_out(
    tiny_folders: dict[str, Path],
) -> None:
    long, brief = np.ones(5 * RATE, np.float32), np.ones(30, np.float32)
    unusable: dict[str, Spoken] = {"whisper": [(long, "on")] * 3, "sew": [(brief, "on")] * 3}
    for family, spoken in unusable.items():
        alone, beside = (open_checkpoint(str(tiny_folders[family])) for _ in range(2))
        with pytest.raises(BadInput, match=r"Only 0 of 3 clips can be fine-tuned on"):
            finetune(alone, spoken, BRIEF)
        with pytest.raises(BadInput, match="no speech to fine-tune on"):
            finetune(alone, [], BRIEF)
        finetune(alone, noise(), BRIEF)
        finetune(beside, spoken + noise(), BRIEF)
        assert same(weights(alone), weights(beside))


def test_silence_with_no_words_is_learnt_as_such(tiny_checkpoint: Checkpoint) -> None:
    silence: Spoken = [(np.zeros(RATE, np.float32), "")] * 4
    outcome = finetune(tiny_checkpoint, silence, replace(BRIEF, steps=20, rate=3e-3))
    assert outcome.held_out[-1][1] < outcome.held_out[0][1]


def test_a_speller_learns_letters_whatever_their_case(tiny_sew: Checkpoint) -> None:
    task = task_for(tiny_sew)
    samples = noise(1)[0][0]
    expected = task.example(samples, "turn on").tokens
    assert tiny_sew.processor.tokenizer.unk_token_id not in expected
    assert task.example(samples, "TURN  ON").tokens == expected
    assert task.example(samples, "Turn on!").tokens == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps = 0 must be at least 1"),
        ({"batch": 0}, "batch = 0 must be at least 1"),
        ({"rate": 0.0}, "rate = 0.0 must be above 0"),
        ({"rate": float("nan")}, "rate = nan must be above 0"),
        ({"temperature": float("inf")}, "temperature = inf must be finite"),
        ({"held_out": 1.0}, "held_out = 1.0 must be above 0 and below 1"),
        ({"warm_up": -1}, "warm_up = -1 must be 0 or more"),
    ],
)
def test_impossible_plans_are_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        FineTuning(**settings)  # type: ignore[arg-type]


def test_the_rate_rises_in_a_line_and_falls_to_nothing() -> None:
    plan = FineTuning(steps=100, rate=1.0, warm_up=10)
    rates = [plan.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 90)
