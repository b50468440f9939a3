"""Opening an ONNX graph on the CPU, with settings for a small machine that does one thing."""

from pathlib import Path
from typing import Any

import onnxruntime

from speech.errors import BadInput


def open_session(path: Path, threads: int) -> Any:
    """An onnxruntime session that computes on `threads` cores.

    Idle workers sleep instead of spinning: on a few slow cores spinning more than doubles a
    decoder step. Memory plans are off, because every length of the cache would keep its own.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has one class per status and no common one
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"onnxruntime cannot open {path} ({reason}): export it again.") from error
