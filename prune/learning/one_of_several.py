"""One of the processes that share a fine-tuning, on a GPU of its own: all it does, and its end."""

import os
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file

from prune.learning.handover import Handover, taken
from prune.learning.lesson import learn
from prune.learning.team import Team
from prune.training_plan import Outcome
from runtime.whole_folder import full_disk_is_bad_input
from speech.errors import BadInput

#: For how long one waits for another, as while that writes a snapshot; an end is told otherwise.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Seat:
    rank: int
    size: int
    #: Of this machine, where the processes find each other.
    port: int
    #: Of the processor.
    threads: int
    on_gpus: bool


class Opened:
    """What was handed over is not needed any more."""


@dataclass(frozen=True)
class Done:
    outcome: Outcome


Kind = Literal["refused", "out of memory", "killed", "other"]

#: Those first that may be what the others come of.
KINDS: tuple[Kind, ...] = ("refused", "out of memory", "killed", "other")


@dataclass(frozen=True)
class Failed:
    kind: Kind
    #: A sentence if it was refused, else what the error says.
    said: str
    trace: str


#: What a process sends: what it reports of its progress, and these.
Told = tuple[str, int, int] | Opened | Done | Failed


def work(
    seat: Seat, handover: Handover, resume: Path | None, best: Path, telling: Connection
) -> None:
    """The first process writes the best weights to `best`, and tells of progress."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with full_disk_is_bad_input("what fine-tuning keeps"):
            _share(seat, handover, resume, best, telling.send)
    except BaseException as error:
        telling.send(_failed(error))
        os._exit(1)  # a GPU's connections may wait for the others for ever


def _end_with_parent() -> None:
    """Nobody else waits for the weights."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _share(
    seat: Seat,
    handover: Handover,
    resume: Path | None,
    best: Path,
    tell: Callable[[Told], None],
) -> None:
    torch.set_num_threads(seat.threads)
    accelerator = _accelerator(seat)
    team = Team(seat.rank, seat.size, partial(accelerator.reduce, reduction="sum"))
    checkpoint, teacher, lesson = taken(handover, accelerator.device)
    tell(Opened())

    def report(label: str, done: int, total: int) -> None:
        if seat.rank == 0:
            tell((label, done, total))

    outcome, weights = learn(checkpoint, teacher, lesson, team=team, resume=resume, report=report)
    if seat.rank == 0:
        save_file({name: value.cpu().contiguous() for name, value in weights.items()}, best)
        tell(Done(outcome))
    accelerator.end_training()


def _accelerator(seat: Seat) -> Any:
    """With the other processes; of what the environment says of accelerate nothing counts."""
    for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
        del os.environ[name]
    os.environ |= {
        "RANK": str(seat.rank),
        "LOCAL_RANK": str(seat.rank),
        "WORLD_SIZE": str(seat.size),
        "LOCAL_WORLD_SIZE": str(seat.size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(seat.port),
        "OMP_NUM_THREADS": str(seat.threads),
    }
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs, check_cuda_p2p_ib_support

    if seat.on_gpus and not check_cuda_p2p_ib_support():  # some GPUs speak to none beside them
        os.environ |= {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}
    patience = InitProcessGroupKwargs(timeout=_PATIENCE)
    return Accelerator(cpu=not seat.on_gpus, mixed_precision="no", kwargs_handlers=[patience])


def _failed(error: BaseException) -> Failed:
    trace = traceback.format_exc()
    if isinstance(error, BadInput):
        return Failed("refused", str(error), trace)
    said = str(error).strip() or type(error).__name__
    is_full = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if is_full or "out of memory" in said or "allocate memory" in said:
        return Failed("out of memory", said, trace)
    return Failed("other", f"{type(error).__name__}: {said.splitlines()[0]}", trace)
