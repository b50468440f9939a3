"""The graphs of optimum's layout, by onnxruntime: shared weights, zeros, uneven layers, a judge."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import export.optimum.layout
from export.optimum.check import check_graphs
from export.optimum.ear import check_ear
from export.optimum.expected import Expected, expected_of
from export.optimum.files import as_in_transformers_4
from export.optimum.layout import write_optimum_layout
from export.parity import ExportError
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.groups import groups
from prune.structure.slicing import cut
from speech.errors import BadInput
from tests.export.exported import noise

CLIPS = [noise(i, 1.0 + i) for i in range(3)]


def pruned(checkpoint: Checkpoint) -> Checkpoint:
    """Zeros, and heads and neurons missing where other layers have them."""
    model = checkpoint.model
    known = groups(model)
    for layer, left in (("0.self_attn", 3), ("1.encoder_attn", 1), ("1.fc1", 50)):
        cut(model, known[f"model.decoder.layers.{layer}"], range(left))
    with torch.no_grad():
        for layer in (m for m in model.modules() if isinstance(m, torch.nn.Linear)):
            if layer is not model.proj_out:
                layer.weight[layer.weight.abs() < 0.2] = 0
    return checkpoint


@pytest.fixture(scope="module")
def laid_out(
    tmp_path_factory: pytest.TempPathFactory, tiny_folders: dict[str, Path]
) -> tuple[Checkpoint, Path]:
    checkpoint = pruned(open_checkpoint(str(tiny_folders["whisper"])))
    folder = tmp_path_factory.mktemp("optimum") / "whisper"
    agreement = write_optimum_layout(checkpoint, folder, CLIPS)
    assert agreement.clips == 3 and agreement.optimum is None
    assert agreement.largest_difference < 1e-4
    return checkpoint, folder


def expected(checkpoint: Checkpoint) -> list[Expected]:
    return [expected_of(checkpoint, clip, {}) for clip in CLIPS]


def weights_in(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {w.name: numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}


def test_names_of_files_inputs_and_outputs(laid_out: tuple[Checkpoint, Path]) -> None:
    folder = laid_out[1]
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == {
        "config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json",
        "tokenizer_config.json", "vocab.json", "merges.txt",
        "onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx",
    }  # fmt: skip
    decoder = onnx.load(folder / "onnx" / "decoder_model_merged.onnx")
    onnx.checker.check_model(decoder)
    ends = [f"{i}.{s}.{k}" for i in "01" for s in ("decoder", "encoder") for k in ("key", "value")]
    assert [value.name for value in decoder.graph.input] == [
        "input_ids", "encoder_hidden_states",
        *(f"past_key_values.{end}" for end in ends), "use_cache_branch",
    ]  # fmt: skip
    assert [value.name for value in decoder.graph.output] == [
        "logits", *(f"present.{end}" for end in ends)
    ]  # fmt: skip


def test_both_branches_share_their_weights_and_zeros_stay(
    laid_out: tuple[Checkpoint, Path],
) -> None:
    checkpoint, folder = laid_out
    stored = weights_in(folder / "onnx" / "decoder_model_merged.onnx")
    parameters = {
        name: weight
        for name, weight in checkpoint.model.model.decoder.named_parameters(prefix="decoder")
        if "embed_tokens" not in name
    }
    tables = [name for name, weight in stored.items() if weight.ndim == 2]
    matrices = {name: weight for name, weight in parameters.items() if weight.ndim == 2}
    assert sorted(tables) == sorted([*matrices, "table"])
    assert stored["table"].shape == (32, checkpoint.model.config.vocab_size)
    for name, weight in matrices.items():
        found = stored[name] if "embed" in name else stored[name].T
        assert np.array_equal(found, weight.detach().numpy()), name


def test_the_first_clip_that_differs_is_named(laid_out: tuple[Checkpoint, Path]) -> None:
    checkpoint, folder = laid_out
    clips = expected(checkpoint)
    clips[1] = dataclasses.replace(clips[1], logits=clips[1].logits + np.float32(0.01))
    with pytest.raises(ExportError, match=r"0\.01 in the logits of clip 2 of 3"):
        check_graphs(folder / "onnx", clips)


def test_nothing_is_left_of_an_export_that_optimum_hears_otherwise(
    tmp_path: Path, tiny_sew: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the Python of optimum answers what it is told to, without any graph."""
    monkeypatch.setattr(export.optimum.layout, "_write_graphs", lambda _, place: place.mkdir())
    monkeypatch.setattr(export.optimum.layout, "check_graphs", lambda *_: 0.0)
    checkpoint, folder = tiny_sew, tmp_path / "sew"
    clips = expected(checkpoint)
    heard = [{"tokens": clip.choices, "text": clip.text} for clip in clips]
    agreeing = answering(tmp_path, {"optimum": "9.9", "heard": heard})
    assert check_ear(agreeing, folder, CLIPS, clips, {}) == "9.9"
    heard[2] = heard[1]
    other = answering(tmp_path, {"optimum": "9.9", "heard": heard})
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ExportError, match="in clip 3 of 3 and PyTorch"):
        write_optimum_layout(checkpoint, folder, CLIPS, python=other)
    assert sorted(tmp_path.iterdir()) == before


def answering(folder: Path, answer: object) -> Path:
    (folder / "answer.json").write_text(json.dumps(answer))
    return script(folder, f'cp {folder}/answer.json "$5"')


def script(folder: Path, line: str) -> Path:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{line}\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("echo No module named optimum >&2; exit 3", BadInput, "cannot import optimum .*optimum`"),
        ("echo KeyError: 7 >&2; exit 1", ExportError, r"optimum cannot listen .*KeyError: 7"),
    ],
)
def test_an_optimum_that_does_not_work(
    tmp_path: Path, line: str, kind: type[BadInput], said: str
) -> None:
    with pytest.raises(kind, match=said):
        check_ear(script(tmp_path, line), tmp_path, [], [], {})


def test_what_transformers_5_writes_of_a_tokenizer() -> None:
    end = {"id": 7, "content": "<|end|>", "special": True}
    new = {"backend": "tokenizers", "extra_special_tokens": ["<|end|>"], "pad_token": "<|end|>"}
    assert as_in_transformers_4(new, [end]) == {
        "pad_token": "<|end|>",
        "additional_special_tokens": ["<|end|>"],
        "added_tokens_decoder": {"7": {"content": "<|end|>", "special": True}},
    }
    old = {"extra_special_tokens": {"image_token": "<i>"}, "added_tokens_decoder": {"0": {}}}
    assert as_in_transformers_4(old, []) == old
