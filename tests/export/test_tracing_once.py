"""Models that differ in their weights only are traced once, and nobody can tell."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from export import stencils, tracing
from export.ctc_graph import write_ctc
from export.whisper_graph import write_decoder, write_encoder
from prune.checkpoint import Checkpoint
from prune.listen import transcribe
from tests.export.exported import noise


@pytest.fixture(autouse=True)
def nothing_traced_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget(monkeypatch, tmp_path / "first")


def forget(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Go on with another, empty cache."""
    stencils.forget()
    monkeypatch.setenv("SECATEUR_CACHE", str(cache))


def graphs(checkpoint: Checkpoint, model: Any, place: Path) -> bytes:
    if checkpoint.family == "ctc":
        write_ctc(model, place / "model.onnx")
        return (place / "model.onnx").read_bytes()
    write_encoder(model, place / "encoder.onnx")
    write_decoder(model, place / "decoder.onnx")
    return b"".join((place / f"{role}.onnx").read_bytes() for role in ("encoder", "decoder"))


def other_weights(model: Any) -> Any:
    other = copy.deepcopy(model)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn_like(parameter))
    return other


@pytest.mark.long_but("whisper")
@pytest.mark.parametrize("tiny_checkpoint", ["whisper", "sew"], indirect=True)
def test_a_second_model_of_the_same_shape_is_not_traced_and_comes_out_the_same(
    tiny_checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tiny_checkpoint.model, other_weights(tiny_checkpoint.model)
    transcribe(replace(tiny_checkpoint, model=second), [noise(0, 1.0)])  # leaves hooks in it
    traced: list[object] = []
    trace = tracing._trace
    monkeypatch.setattr(tracing, "_trace", lambda *a: traced.append(a) or trace(*a))
    alone = graphs(tiny_checkpoint, second, tmp_path)
    one_each = len(traced)
    forget(monkeypatch, tmp_path / "second")
    before = graphs(tiny_checkpoint, first, tmp_path)
    assert graphs(tiny_checkpoint, second, tmp_path) == alone != before
    stencils.forget()  # as in another process: read from the disk
    assert graphs(tiny_checkpoint, first, tmp_path) == before
    stencils.forget()
    for kept in (tmp_path / "second").rglob("*.onnx"):
        assert kept.stat().st_size < 500_000
        assert stencils.read_stencil(kept.stem) is not None
        stencils.forget()
        kept.write_bytes(b"damaged")
        assert stencils.read_stencil(kept.stem) is None, "it is traced again"
    assert len(traced) == 2 * one_each


def test_another_setting_is_traced_anew(
    tiny_whisper: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = copy.deepcopy(tiny_whisper.model)
    other.model.encoder.layers[0].final_layer_norm.eps = 0.1
    path = tmp_path / "encoder.onnx"
    write_encoder(tiny_whisper.model, path)
    before = path.read_bytes()
    write_encoder(other, path)
    after = path.read_bytes()
    forget(monkeypatch, tmp_path / "second")
    write_encoder(other, path)
    assert path.read_bytes() == after != before
