"""Opening an ONNX graph on the CPU, with settings for a small machine that does one thing."""

import re
import sys
from pathlib import Path
from typing import Any

import onnxruntime

from runtime.packed.graph import WeightlessGraph
from runtime.packed.pipe import piped
from runtime.packed.reader import PackedFile
from speech.errors import BadInput

#: Whether onnxruntime may read a pipe that this process fills: it releases Python's lock while it
#: loads a graph only since 1.31, and before that would wait for ever.
READS_PIPES = (
    sys.platform == "linux"
    and Path("/dev/fd").is_dir()
    and tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) >= (1, 31)
)


def open_session(path: Path, threads: int, weights: Path | None = None) -> Any:
    """An onnxruntime session that computes on `threads` cores.

    `weights` is the packed file of a graph that was written without its weights. They are decoded
    straight into the session: through a pipe, where that works, at the peak of memory that an
    ordinary ONNX file has, and else as arrays that onnxruntime is lent, beside its own.
    """
    options = _options(threads)
    try:
        if weights is None:
            return _session(path, options)
        return _session_with_weights(path, options, weights)
    except BadInput:
        raise
    except Exception as error:  # onnxruntime has one class per status and no common one
        reason = re.sub(r"/dev/fd/\d+", lambda _: str(path), str(error).strip().splitlines()[0])
        raise BadInput(f"onnxruntime cannot open {path} ({reason}): export it again.") from error


def _options(threads: int) -> Any:
    """Settings that suit a few slow cores.

    Idle workers sleep instead of spinning, which there more than doubles a decoder step. Memory
    plans are off, because every length of the cache would keep its own.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(path: Path | str, options: Any) -> Any:
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _session_with_weights(path: Path, options: Any, weights: Path) -> Any:
    """onnxruntime frees its copy of a weight once it is rearranged, but not what it was lent."""
    graph, packed = WeightlessGraph.open(path), PackedFile.open(weights)
    graph.check(packed)
    if READS_PIPES:
        with piped(graph.joined(packed)) as place:
            return _session(place, options)
    lent = dict(packed.items())
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in lent.values()]
    options.add_external_initializers(list(lent), values)
    session = _session(path, options)
    session.lent_weights = lent  # onnxruntime points into them as long as it lives
    return session
