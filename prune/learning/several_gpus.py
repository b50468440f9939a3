"""One fine-tuning shared by several processes of this machine, each with a GPU of its own.

This process, which may have used a GPU already and so cannot be copied, begins new ones and waits.
They are watched: when one fails all end, and none outlives this process.
"""

import importlib.util
import math
import multiprocessing
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from prune.checkpoint import Checkpoint
from prune.device import refuse_gpus
from prune.learning.handover import Handover, left
from prune.learning.lesson import Lesson, Report, Weights
from prune.learning.one_of_several import KINDS, Done, Failed, Opened, Seat, Told, work
from prune.training_plan import Outcome
from runtime.whole_folder import full_disk_is_bad_input
from speech.errors import BadInput

#: Seconds for others to say what it was that one of them only suffered from, and to end by
#: themselves when all is done.
_GRACE, _TO_END = 3.0, 15.0

_SMALLER = "try a smaller fine_tuning.batch, with more of fine_tuning.accumulate"


def learn_on_several(
    processes: int,
    checkpoint: Checkpoint,
    teacher: nn.Module | None,
    lesson: Lesson,
    *,
    resume: Path | None = None,
    report: Report | None = None,
) -> tuple[Outcome, Weights]:
    """As `learn`, by so many processes; the models here are as they were."""
    device = next(checkpoint.model.parameters()).device
    if device.type != "cpu":
        refuse_gpus(processes, device)
    if importlib.util.find_spec("accelerate") is None:
        raise BadInput(
            "Fine-tuning on several GPUs needs accelerate, which is not installed here: "
            "pip install 'secateur[host]'."
        )
    models = [checkpoint.model, *([teacher] if teacher else [])]
    with (
        tempfile.TemporaryDirectory(prefix="secateur-") as folder,
        full_disk_is_bad_input(folder),
        _moved_away(models),
    ):
        handover = left(Path(folder) / "given", checkpoint, teacher, lesson)
        best = Path(folder) / "best.safetensors"
        crew = _Crew(processes, on_gpus=device.type == "cuda")
        outcome = crew.outcome(handover, resume, best, report)
        return outcome, load_file(best)


@contextmanager
def _moved_away(models: list[nn.Module]) -> Iterator[None]:
    """Their memory on a GPU is for the processes."""
    places = [next(model.parameters()).device for model in models]
    try:
        for model in models:
            model.to("cpu")
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        yield
    finally:
        for model, place in zip(models, places, strict=True):
            model.to(place)
            model.eval()


class _Crew:
    def __init__(self, size: int, *, on_gpus: bool):
        self._size, self._on_gpus = size, on_gpus
        self._ears: dict[Connection, Any] = {}
        self._opened = 0
        self._failed: list[Failed] = []
        self._outcome: Outcome | None = None

    def outcome(
        self,
        handover: Handover,
        resume: Path | None,
        best: Path,
        report: Report | None,
    ) -> Outcome:
        """Whatever comes, nobody of the crew is left."""
        processes = []
        try:
            for process, ear in self._begun(handover, resume, best):
                processes.append(process)
                self._ears[ear] = process
            self._listen(handover, report)
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.join()
        if self._outcome is None:
            raise self._complaint() from RuntimeError(self._worst.trace)
        return self._outcome

    def _begun(
        self, handover: Handover, resume: Path | None, best: Path
    ) -> Iterator[tuple[Any, Connection]]:
        context, port = multiprocessing.get_context("spawn"), _free_port()
        threads = max(1, torch.get_num_threads() // self._size)
        for rank in range(self._size):
            ear, mouth = context.Pipe(duplex=False)
            seat = Seat(rank, self._size, port, threads, self._on_gpus)
            process = context.Process(
                target=work, args=(seat, handover, resume, best, mouth), daemon=True
            )
            process.start()
            mouth.close()  # ours: it is the process that is listened to, and its end
            yield process, ear

    def _listen(self, handover: Handover, report: Report | None) -> None:
        """Until it is clear how it went, and those that end by themselves had time to do so."""
        until = math.inf
        while self._ears and (left_over := until - time.monotonic()) > 0:
            for ear in wait([*self._ears], None if until == math.inf else left_over):
                assert isinstance(ear, Connection)
                match self._told(ear):
                    case (str(label), int(done), int(total)) if report:
                        report(label, done, total)
                    case Opened():
                        self._opened += 1
                    case Done(outcome):
                        self._outcome = outcome
                    case Failed() as failure:
                        self._failed.append(failure)
            if self._opened == self._size:
                shutil.rmtree(handover.folder, ignore_errors=True)
                self._opened = 0
            if self._failed and self._worst.kind != "other":
                return
            if until == math.inf and (self._outcome or self._failed):
                until = time.monotonic() + (_TO_END if self._outcome else _GRACE)

    def _told(self, ear: Connection) -> Told | None:
        """A process that says nothing more, though it ought to, has failed as well."""
        try:
            told: Told = ear.recv()
        except (EOFError, OSError):
            process = self._ears.pop(ear)
            process.join(_GRACE)
            code = process.exitcode
            if code is not None and code < 0:
                return Failed("killed", f"signal {-code}", "")
            return Failed("other", f"it ended with exit code {code}", "") if code else None
        return told

    @property
    def _worst(self) -> Failed:
        """What most likely made the others fail."""
        silent = Failed("other", "it ended without a word", "")
        return min(self._failed, key=lambda failure: KINDS.index(failure.kind), default=silent)

    def _complaint(self) -> BadInput:
        worst, where = self._worst, f"Fine-tuning in {self._size} processes: one of them"
        match worst.kind:
            case "refused":
                return BadInput(worst.said)
            case "out of memory":
                return BadInput(f"{where} ran out of memory: {_SMALLER}.")
            case "killed":
                why = f"({worst.said}), most likely for want of memory"
                return BadInput(f"{where} was killed {why}: {_SMALLER}.")
            case "other":
                return BadInput(f"{where} failed: {worst.said.rstrip('.')}.")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
