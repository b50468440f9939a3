"""Graphs with rounded weights, and what those stand for."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from export.precision import graph_precisions, write_precision
from runtime.bundle import Bundle

Floats = NDArray[np.float32]


def weights_in(path: Path) -> dict[str, NDArray[Any]]:
    return {w.name: numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}


def meant(path: Path) -> dict[str, Floats]:
    """The weights that a rounded graph stands for, by the names they had; blocks are whole."""
    stored = weights_in(path)
    found = {}
    for name in (name.removesuffix(".codes") for name in stored if name.endswith(".codes")):
        codes, scales = stored[f"{name}.codes"], stored[f"{name}.scales"]
        if codes.ndim == 2:
            assert codes.dtype == np.int8 and np.abs(codes).max() <= 64
            found[name] = codes.astype(np.float32) * scales
        else:
            halves = np.stack([codes & 15, codes >> 4], -1).reshape(*scales.shape, 32)
            blocks = (halves.astype(np.float32) - 8) * scales[:, :, None]
            found[name] = blocks.reshape(len(blocks), -1).T
    return found


def in_precision(bundle: Bundle, precision: str, folder: Path) -> Bundle:
    """The bundle with its graphs in another precision; they lie in `folder`."""
    graphs = {}
    for role, wanted in graph_precisions(bundle.manifest.family, precision).items():
        graphs[role] = str(bundle.graph(role))
        if wanted != "fp32":
            graphs[role] = str(folder / f"{role}-{wanted}.onnx")
            write_precision(bundle.graph(role), Path(graphs[role]), wanted)
    return Bundle(bundle.folder, dataclasses.replace(bundle.manifest, graphs=graphs))


def exact_matrices(path: Path) -> dict[str, NDArray[Any]]:
    """Weights of an fp32 graph as (inputs, outputs), a convolution's as its windows lie."""
    return {
        name: weight.transpose(2, 1, 0).reshape(-1, len(weight)) if weight.ndim == 3 else weight
        for name, weight in weights_in(path).items()
    }
