"""Opening an ONNX graph on the CPU, with settings for a small machine that does one thing."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runtime.heap import loading
from runtime.out_of_memory import tells_of_memory
from runtime.packed.graph import WeightlessGraph
from runtime.packed.pipe import piped
from runtime.packed.reader import PackedFile
from runtime.settings import DEFAULT, Settings
from speech.errors import BadInput

#: Whether onnxruntime may read a pipe that this process fills: it releases Python's lock while it
#: loads a graph only since 1.31, and before that would wait for ever.
READS_PIPES = (
    sys.platform == "linux"
    and Path("/dev/fd").is_dir()
    and tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) >= (1, 31)
)

#: Bytes that the arena begins with, in one piece: many small ones would each keep a rest that fits
#: nothing. It holds what whisper-small needs for 30 s, and pages that nobody touches cost nothing.
_ARENA_BEGINS = 64 << 20

#: Errors are raised, and need not be printed too.
_SILENT = 4

#: Characters of what onnxruntime says that are passed on.
_LONGEST = 500

#: What onnxruntime calls those who compute, the first choice first.
_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "coreml": ["CoreMLExecutionProvider", "CPUExecutionProvider"],
}


def open_session(path: Path, weights: Path | None = None, settings: Settings = DEFAULT) -> Any:
    """An onnxruntime session.

    `weights` is the packed file of a graph that was written without its weights. They are decoded
    straight into the session: through a pipe, where that works, at the peak of memory that an
    ordinary ONNX file has, and else as arrays that onnxruntime is lent, beside its own.
    """
    onnxruntime.set_default_logger_severity(_SILENT)
    options, providers = _options(settings), _providers(settings)
    try:
        with loading(lean=not settings.arena):
            if weights is None:
                return onnxruntime.InferenceSession(path, options, providers=providers)
            return _session_with_weights(path, options, providers, weights)
    except BadInput:
        raise
    except Exception as error:  # onnxruntime has one class per status and no common one
        reason = re.sub(r"/dev/fd/\d+", lambda _: str(path), first_line(error))
        raise BadInput(
            f"onnxruntime cannot open {path} ({reason}): {_advice(error, 'export it again')}."
        ) from error


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """One sentence where onnxruntime gives up amid the graphs of a bundle, or numpy cannot work
    with what they gave."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        # Last in what onnxruntime says, and after where that is in its sources.
        said = first_line(error).rstrip(".").rpartition("Status Message: ")[2]
        reason = re.sub(r"^/\S+:\d+ ", "", said)
        advice = _advice(error, "give it a shorter window, or export the bundle again")
        raise BadInput(f"onnxruntime cannot run {folder} ({reason}): {advice}.") from error


def refuse_nan(scores: NDArray[np.float32], folder: Path) -> None:
    """The likeliest of what is no number is the first, and a text made of that is nonsense."""
    if np.isnan(scores.max(initial=-np.inf)):
        raise BadInput(
            f"{folder} answers a sound with NaN or infinity: its weights are broken; "
            "export a sound checkpoint."
        )


def first_line(error: BaseException) -> str:
    """Of what a library says, and not too much of it: graphs may have names of any length."""
    said = str(error).strip() or type(error).__name__
    line = said.splitlines()[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _advice(error: Exception, otherwise: str) -> str:
    if tells_of_memory(f"{type(error).__name__}: {error}"):
        return "memory ran out; end other programs, give it a shorter window, or a smaller model"
    return otherwise


def _options(settings: Settings) -> Any:
    """For a small machine. Memory plans are off: every length of the cache would keep its own.
    So is reuse: it keeps a layer's memory for the next one, while attention needs other memory.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False
    options.enable_mem_reuse = False
    options.enable_cpu_mem_arena = settings.arena
    if settings.arena:
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    # Takes seven times as long as the sum and the norm that it would put into one (x86-64).
    options.add_session_config_entry(
        "optimization.disable_specified_optimizers", "SkipLayerNormFusion"
    )
    options.log_severity_level = _SILENT
    spinning = str(int(settings.spinning))
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    return options


@cache
def _share_arena() -> None:
    """One for all sessions of this process: encoder and decoder never run at once."""
    as_onnxruntime_has_it = -1
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    onnxruntime.create_and_register_allocator(
        memory,
        onnxruntime.OrtArenaCfg(
            {
                "max_mem": 0,
                "arena_extend_strategy": as_onnxruntime_has_it,
                "initial_chunk_size_bytes": _ARENA_BEGINS,
                "max_dead_bytes_per_chunk": as_onnxruntime_has_it,
            }
        ),
    )


def _providers(settings: Settings) -> list[str]:
    wanted = _PROVIDERS[settings.provider]
    if wanted[0] not in onnxruntime.get_available_providers():
        raise BadInput(
            f"The provider {settings.provider!r} needs an onnxruntime with {wanted[0]}, which "
            "this one is not (that of a Mac is): use 'cpu'."
        )
    return wanted


def _session_with_weights(path: Path, options: Any, providers: list[str], weights: Path) -> Any:
    """onnxruntime frees its copy of a weight once it is rearranged, but not what it was lent."""
    graph, packed = WeightlessGraph.open(path), PackedFile.open(weights)
    graph.check(packed)
    if READS_PIPES:
        with piped(graph.joined(packed)) as place:
            return onnxruntime.InferenceSession(place, options, providers=providers)
    lent = dict(packed.items())
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in lent.values()]
    options.add_external_initializers(list(lent), values)
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    session.lent_weights = lent  # onnxruntime points into them as long as it lives
    return session
