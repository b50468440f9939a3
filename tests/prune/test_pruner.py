"""Pruning from Python: in place, on a copy, again, and saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, BertConfig, BertModel, WhisperForConditionalGeneration

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.pruner import Pruner
from prune.training_plan import FineTuning
from speech.errors import BadInput

Spoken = list[tuple[Any, str]]


@pytest.fixture
def spoken() -> Spoken:
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(16_000), "turn on the lights") for _ in range(5)]


def zeros(model: torch.nn.Module) -> int:
    return sum(int((weight == 0).sum()) for weight in model.parameters())


def test_a_model_in_memory_is_pruned_in_place_and_saved(
    tiny_folders: dict[str, Path], spoken: Spoken, tmp_path: Path
) -> None:
    folder = tiny_folders["whisper"]
    model = WhisperForConditionalGeneration.from_pretrained(folder).train()
    pruner = Pruner(model, AutoProcessor.from_pretrained(folder)).calibrate(spoken, clips=3)
    pruned = pruner.prune(sparsity=0.5, method="obs", layers="encoder.*")
    assert pruned is model
    assert model.training, "left as it was"
    infos = {info.name: info for info in pruner.layer_info()}
    first = infos["model.encoder.layers.0.fc1"]
    assert (first.component, first.shape, first.parameters) == ("encoder.ffn", (64, 32), 2048)
    assert first.zeros == 1024
    assert first.sparsity == 0.5
    assert infos["model.decoder.layers.0.fc1"].zeros == 0
    assert pruner.pruned is not None
    assert set(pruner.pruned.errors) == {name for name in infos if ".encoder." in name}
    assert pruner.save(tmp_path / "out") == tmp_path / "out"
    again = WhisperForConditionalGeneration.from_pretrained(tmp_path / "out")
    for mine, theirs in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    with pytest.raises(BadInput, match="not an empty folder"):
        pruner.save(tmp_path / "out")


def test_copies_share_what_was_heard_and_leave_the_model_alone(
    tiny_sew: Checkpoint, spoken: Spoken
) -> None:
    pruner = Pruner(tiny_sew).calibrate(spoken)
    before = zeros(pruner.model)
    calls: list[str] = []

    def report(label: str, done: int, total: int) -> None:
        calls.append(label)

    copies = [pruner.prune(s, method="wanda", in_place=False, report=report) for s in (0.3, 0.6)]
    assert zeros(pruner.model) == before
    assert zeros(copies[0]) < zeros(copies[1])
    alone = Pruner(open_checkpoint(tiny_sew.source)).calibrate(spoken)
    expected = alone.prune(0.6, method="wanda")
    for mine, theirs in zip(copies[1].parameters(), expected.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_pruning_again_keeps_the_zeros(tiny_whisper: Checkpoint, spoken: Spoken) -> None:
    pruner = Pruner(tiny_whisper).calibrate(spoken)
    for method, sparsity in (("wanda", 0.3), ("obs", 0.5), ("mp_global", 0.6)):
        before = {n: w == 0 for n, w in pruner.model.state_dict().items()}
        pruner.prune(sparsity, method=method)
        after = pruner.model.state_dict()
        assert all(bool((after[name][was] == 0).all()) for name, was in before.items())
        infos = pruner.layer_info()
        share = sum(info.zeros for info in infos) / sum(info.parameters for info in infos)
        assert share == pytest.approx(sparsity, abs=0.001)
    with pytest.raises(BadInput, match="cannot be reached"):
        pruner.prune(0.2, method="mp_local")


def test_structured_and_fine_tuned(
    tiny_whisper: Checkpoint, spoken: Spoken, tmp_path: Path
) -> None:
    pruner = Pruner(tiny_whisper).calibrate(spoken)
    plan = FineTuning(steps=2, batch=2)
    pruner.prune(method="obs_structured_finetune", heads=0.5, fine_tuning=plan)
    shapes = {info.name: info.shape for info in pruner.layer_info()}
    assert any(shape[0] < 32 for name, shape in shapes.items() if name.endswith("q_proj"))
    assert pruner.pruned is not None
    assert pruner.pruned.lessons[0].steps == 2
    pruner.save(tmp_path / "out")
    again = Pruner(tmp_path / "out")
    assert {info.name: info.shape for info in again.layer_info()} == shapes


def test_cleanup_lets_go_of_everything_but_the_model(tiny_sew: Checkpoint, spoken: Spoken) -> None:
    pruner = Pruner(tiny_sew).calibrate(spoken)
    pruner.prune(0.3, method="taylor", in_place=False)
    assert pruner._statistics
    pruner.cleanup()
    assert not pruner._statistics
    assert all(weight.grad is None for weight in pruner.model.parameters())
    hooks = [
        hook
        for module in pruner.model.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if "prune" in str(getattr(hook, "__module__", ""))
    ]
    assert hooks == []
    with pytest.raises(BadInput, match="call calibrate first"):
        pruner.prune(0.5, method="wanda")
    pruner.prune(0.5, method="mp_local")


def test_a_model_that_cannot_be_pruned_is_one_sentence(tiny_sew: Checkpoint) -> None:
    bert = BertModel(
        BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9)
    )
    cases = [
        (lambda: Pruner(bert, tiny_sew.processor), "'bert' model; Secateur knows sew"),
        (lambda: Pruner(torch.nn.Linear(2, 2), tiny_sew.processor), "'Linear' model"),
        (lambda: Pruner(tiny_sew.model), "needs its processor"),
        (lambda: Pruner(tiny_sew.model.sew, tiny_sew.processor), "has no head"),
        (lambda: Pruner(tiny_sew.model.half(), tiny_sew.processor), r"model\.float\(\)"),
        (lambda: Pruner("demo-wisper"), "did you mean demo-whisper"),
    ]
    for make, sentence in cases:
        with pytest.raises(BadInput, match=sentence) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_mistakes_are_named(tiny_sew: Checkpoint, spoken: Spoken) -> None:
    pruner = Pruner(tiny_sew)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"method": "obss"}, "did you mean 'obs'"),
        ({"sparsity": 1.5, "method": "mp_local"}, "1.5 is not between 0 and 1"),
        ({"method": "mp_local", "sped": 1}, "'sped' is no option"),
        ({"method": "mp_local", "pattern": (2, 4)}, "no use for pattern"),
        ({"method": "mp_local", "layers": "decoder"}, "'decoder' matches no prunable layer"),
    ]
    for words, sentence in cases:
        with pytest.raises(BadInput, match=sentence):
            pruner.prune(**words)
    for clips, sentence in (
        ([], "no clip"),
        ([(np.zeros((2, 9)), "on")], "not one row"),
        ([(np.zeros(16_000), "on")], "silent"),
    ):
        with pytest.raises(BadInput, match=sentence):
            pruner.calibrate(clips)
    with pytest.raises(BadInput, match="at least 1"):
        pruner.calibrate(spoken, clips=0)


def test_a_corpus_goes_by_its_name(tiny_sew: Checkpoint) -> None:
    pruner = Pruner(tiny_sew).calibrate("demo:calibration", clips=3)
    pruner.prune(method="wanda")
    infos = pruner.layer_info()
    share = sum(info.zeros for info in infos) / sum(info.parameters for info in infos)
    assert share == pytest.approx(0.5, abs=0.01)


def test_traces_are_measured_anew_for_another_count_of_directions(
    tiny_whisper: Checkpoint, spoken: Spoken
) -> None:
    pruner = Pruner(tiny_whisper).calibrate(spoken, clips=2)
    found = []
    for directions in (0, 1, 5, 1):
        pruner.prune(0.5, "mp_trace", in_place=False, hutchinson=directions)
        assert pruner.pruned is not None
        found.append(pruner.pruned.sparsity.layers)
    assert found[1] == found[3]
    assert len({str(layers) for layers in found}) == 3
    with pytest.raises(BadInput, match="mp_local has no use for hutchinson"):
        pruner.prune(0.5, "mp_local", hutchinson=2)


def test_a_smaller_vocabulary_for_texts_in_memory(
    tiny_whisper: Checkpoint, tiny_sew: Checkpoint, spoken: Spoken
) -> None:
    words = tiny_whisper.model.config.vocab_size
    pruner = Pruner(tiny_whisper).calibrate(spoken, clips=2)
    pruner.trim_vocabulary(["turn on the radio"]).prune(0.5, "obs")
    assert pruner.model.config.vocab_size < words
    with pytest.raises(BadInput, match="one string"):
        pruner.trim_vocabulary("turn on the radio")
    with pytest.raises(BadInput, match="spells in letters"):
        Pruner(tiny_sew).trim_vocabulary(["turn on the radio"])
