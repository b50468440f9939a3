"""How many processes this machine bears side by side, and what each may take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.model_name import ModelName
from pipeline.tasks import Task

#: What a process holds before it has a model: Python, torch, onnxruntime.
_BASE = 1 << 30
#: Copies of the weights that a process holds at its worst: dense, cut, exported, optimised.
_COPIES = 8
#: So many tasks are worth the seconds that a process takes to begin.
_WORTH_A_PROCESS = 3


@dataclass(frozen=True)
class Crew:
    """Processes side by side, and the processor threads of each; None for as many as torch takes.

    Sums come out otherwise with other threads, in their last bits, so these depend on the whole
    recipe and the machine: not on what is still to do, nor on the memory that is free just now.
    """

    workers: int
    threads: int | None


def crew(asked: int | None, whole: Sequence[Task], to_do: Sequence[Task], device: str) -> Crew:
    """As many as asked for; else what processor and memory bear, and one where a GPU computes."""
    if asked is not None:
        most = min(asked, len(whole))
        return Crew(min(most, len(to_do)), threads_each(most))
    heaviest = max((model_bytes(task.model) for task in whole), default=0)
    if not heaviest or _has_accelerator(device):
        return Crew(1, None)  # on the hub: nobody knows yet how large it is
    memory = psutil.virtual_memory()
    most = _borne(whole, memory.total // memory_each(heaviest))
    return Crew(
        min(most, _borne(to_do, memory.available // memory_each(heaviest))), threads_each(most)
    )


def _borne(tasks: Sequence[Task], room: int) -> int:
    return max(1, min(cores(), room, len(tasks) // _WORTH_A_PROCESS))


def memory_each(weights: int) -> int:
    """Bytes that a process takes at most, estimated from those of the model's weights."""
    return _BASE + _COPIES * weights


def threads_each(workers: int) -> int | None:
    return max(1, cores() // workers) if workers > 1 else None


def cores() -> int:
    """Those that this process may use."""
    process = psutil.Process()
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else None
    return int(allowed or psutil.cpu_count() or 1)


def model_bytes(model: str) -> int:
    """Of its weights on the disk; 0 where it is not here."""
    folder = ModelName.of(model).folder
    return sum(path.stat().st_size for path in _weights(folder)) if folder else 0


def _weights(folder: Path) -> list[Path]:
    files = [*folder.glob("*.safetensors")]
    return files or [*folder.glob("*.bin")]


def _has_accelerator(device: str) -> bool:
    if device == "cpu":
        return False
    from prune.device import chosen_device

    return chosen_device(device).type != "cpu"
