"""Checkpoints with random weights and their bundles, exported once for all tests of a run."""

import fcntl
import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.bundle import write_bundle
from prune.checkpoint import Checkpoint, open_checkpoint
from runtime.bundle import Bundle, Sparsity
from tests import tiny_models

#: Of all processes of the run; tests/conftest.py makes and removes it.
_FOLDER = Path(os.environ["SECATEUR_TESTS"])


def noise(seed: int, seconds: float) -> NDArray[np.float32]:
    """Bursts of coloured noise: no two alike, none of them flat."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(int(seconds * 16_000)).astype(np.float32)
    loudness = np.repeat(rng.random(len(samples) // 1_600 + 1), 1_600)[: len(samples)]
    smooth = np.convolve(samples, rng.random(1 + seed % 7), "same")
    return (smooth * loudness * 0.1).astype(np.float32)


def write_empty_graph(_: object, path: Path) -> None:
    """In place of a true one, where no test asks what a model computes."""
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])), path)


def bundle_of(checkpoint: Checkpoint, folder: Path) -> Bundle:
    return write_bundle(
        checkpoint,
        folder,
        name="tiny",
        method="dense",
        sparsity=Sparsity(requested=None, achieved=0.0, model=0.0, layers={}),
        score=None,
        provenance={"seed": 0},
        parity_clips=[noise(90, 2.0)],
    )


def _exported(name: str, opened: Callable[[], Checkpoint]) -> tuple[Checkpoint, Bundle]:
    """Exporting takes seconds: who comes second waits, and finds the bundle of who came first."""
    with (_FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        checkpoint, folder = opened(), _FOLDER / f"{name}-bundle"
        bundle = Bundle.open(folder) if folder.exists() else bundle_of(checkpoint, folder)
    return checkpoint, bundle


def _written(name: str, write: Callable[[Path], None]) -> Checkpoint:
    folder = _FOLDER / name
    if not folder.exists():
        write(folder)
    return open_checkpoint(str(folder))


@functools.cache
def whisper() -> tuple[Checkpoint, Bundle]:
    return _exported("whisper", lambda: _written("whisper", tiny_models.write_whisper))


@functools.cache
def sew() -> tuple[Checkpoint, Bundle]:
    return _exported("sew", lambda: _written("sew", tiny_models.write_sew))


@functools.cache
def sew_d() -> tuple[Checkpoint, Bundle]:
    return _exported("sew_d", lambda: _written("sew_d", tiny_models.write_sew_d))


@functools.cache
def wav2vec2() -> tuple[Checkpoint, Bundle]:
    """With layer norm before attention, as the large models have it, and SEW's processor."""
    return _exported("wav2vec2", _wav2vec2)


def _wav2vec2() -> Checkpoint:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    processor = sew()[0].processor
    config = Wav2Vec2Config(
        vocab_size=len(tiny_models.LETTERS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16, 24),
        conv_stride=(20, 16),
        conv_kernel=(40, 16),
        num_feat_extract_layers=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.25)
    return Checkpoint(model, processor, "ctc", "random")


@functools.cache
def demo(name: str) -> Bundle:
    """A bundled model as it is."""
    return _exported(name, lambda: open_checkpoint(name))[1]
