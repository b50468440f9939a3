"""Writing a bundle: the graphs, the tokenizer, the checkpoint and the manifest, all or nothing."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from export import ctc_graph, whisper_graph
from export.decoding import ctc_rules, ctc_symbols, whisper_rules
from export.manifest import write_json, write_manifest
from export.packed_checkpoint import replace_weights
from export.parity import check_parity
from prune.checkpoint import Checkpoint
from prune.language import speech_choice
from runtime.bundle import HOST_ONLY, MANIFEST, Bundle, Manifest, Sparsity
from runtime.rules import CtcRules, WhisperRules
from runtime.whole_folder import written_whole
from speech.errors import BadInput
from speech.score import Score

#: How the checkpoint lies in the bundle, if it does.
Pytorch = Literal["plain", "packed", "none"]


@dataclasses.dataclass(frozen=True)
class _Parts:
    """What a family puts into the folder, as paths inside it."""

    graphs: Mapping[str, str]
    tokenizer: str
    decoding: WhisperRules | CtcRules
    choice: Mapping[str, str]


def write_bundle(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    name: str,
    method: str,
    sparsity: Sparsity,
    score: Score | None,
    provenance: Mapping[str, Any],
    parity_clips: Sequence[NDArray[np.float32]],
    language: str | None = None,
    task: str | None = None,
    pytorch: Pytorch = "plain",
    zstd: int | None = None,
) -> Bundle:
    """Export a checkpoint into `folder`; the graphs are fp32, whatever the checkpoint is.

    The bundle is written beside its place and moved there once PyTorch and onnxruntime agree on
    `parity_clips`, so a half-written one never stands there. An older bundle gives way; any other
    folder with something in it is refused. `language` and `task` are for multilingual Whisper
    (default: what the checkpoint is set to, else to transcribe English). `zstd` is for a
    checkpoint that is packed.
    """
    folder = folder.absolute()
    refuse_to_replace(folder)
    with written_whole(folder, replace=True) as place:
        (place / "onnx").mkdir()
        plain = dataclasses.replace(checkpoint, model=_as_fp32(checkpoint.model))
        if checkpoint.family == "whisper":
            parts = _write_whisper(plain, place, language, task)
        else:
            parts = _write_ctc(plain, place)
        if pytorch != "none":
            checkpoint.save(place / HOST_ONLY)
        if pytorch == "packed":
            replace_weights(place / HOST_ONLY, zstd=zstd)
        manifest = Manifest(
            name=name,
            family=checkpoint.family,
            architecture=str(plain.model.config.model_type),
            method=method,
            sparsity=sparsity,
            score=score,
            provenance=provenance,
            features=_as_json(checkpoint.feature_settings),
            decoding=parts.decoding,
            precision="fp32",
            graphs=parts.graphs,
            weights={},
            tokenizer=parts.tokenizer,
            files=(),
        )
        check_parity(plain, write_manifest(manifest, place), parity_clips, choice=parts.choice)
    return Bundle.open(folder)


def _write_whisper(
    plain: Checkpoint, place: Path, language: str | None, task: str | None
) -> _Parts:
    graphs = {"encoder": "onnx/encoder.onnx", "decoder": "onnx/decoder.onnx"}
    choice = speech_choice(plain.model, language, task)
    rules = whisper_rules(plain.model, choice)
    whisper_graph.write_encoder(plain.model, place / graphs["encoder"])
    whisper_graph.write_decoder(plain.model, place / graphs["decoder"])
    plain.processor.tokenizer.backend_tokenizer.save(str(place / "tokenizer.json"))
    return _Parts(graphs, "tokenizer.json", rules, choice)


def _write_ctc(plain: Checkpoint, place: Path) -> _Parts:
    graphs = {"model": "onnx/model.onnx"}
    rules = ctc_rules(plain)
    ctc_graph.write_ctc(plain.model, place / graphs["model"])
    write_json(ctc_symbols(plain), place / "vocab.json")
    return _Parts(graphs, "vocab.json", rules, {})


def _as_fp32(model: Any) -> Any:
    """The model itself if it is fp32 on the CPU in evaluation mode, else a copy that is."""
    ready = all(p.dtype.itemsize == 4 and p.device.type == "cpu" for p in model.parameters())
    return model if ready and not model.training else copy.deepcopy(model).float().cpu().eval()


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Only what JSON can hold: feature extractors also report arrays that follow from the rest."""
    return {
        key: value
        for key, value in settings.items()
        if value is None or isinstance(value, str | int | float | bool)
    }


def refuse_to_replace(folder: Path) -> None:
    """Raise where something stands that is no bundle."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise BadInput(f"{folder} is not a folder: choose another place for the bundle.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise BadInput(
            f"{folder} holds something that is no bundle: choose another place, or clear it first."
        )
