"""One turn: a fresh process in which a bundle is loaded and heard a few times.

Import, load, the first (cold) transcription and the warm samples are told one by one. Everything
heavy is imported inside, so that its time and memory can be seen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from bench.agent.contention import queued_seconds
from bench.agent.events import Event, Phase, PhaseName, Sampled, Transcribed, TurnEnded
from bench.agent.job import ClipFile
from bench.agent.memory import read_memory
from bench.agent.waterline import forbidden_modules
from runtime.settings import Settings
from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import record_from

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runtime.recognizer import Recognizer
    from runtime.transcript import Transcript

#: Given every event as it happens, and returns when it is on the disk: nothing is measured
#: while the supervisor writes.
Emit = Callable[[Event], None]


@dataclass(frozen=True)
class TurnOrder:
    """What the supervisor asks of one measuring process."""

    case: str
    turn: int
    bundle: Path
    bundle_sha256: str | None
    settings: Settings
    clips: tuple[ClipFile, ...]
    warm_up: int
    first_clip: int
    samples: int
    hear_all: bool
    seconds: float | None = None
    memory_limit_mb: int | None = None
    #: Whether each line is answered by one on standard input before anything goes on.
    acknowledged: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, ensure_ascii=False)


def read_order(path: Path) -> TurnOrder:
    """Raises BadInput with the key that is wrong."""
    try:
        return record_from(TurnOrder, json_from(path.read_text(encoding="utf-8")))
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem
    except ValueError as problem:
        raise BadInput(f"{path}: {problem}.") from problem


def limit_memory(megabytes: int) -> None:
    """What this process may have of its own from now on; more is refused by the system.

    Of its own means heap and stacks: files that are only mapped cost nothing that is scarce.
    """
    if sys.platform != "linux":
        raise BadInput("plan.memory_limit_mb works on Linux only: leave it out.")
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20,) * 2)


def take_turn(order: TurnOrder, emit: Emit) -> None:
    """Measures in this process, which must be a fresh one for the memory to mean much.

    Raises whatever goes wrong; BadInput for a bundle or clip that cannot be used.
    """
    began = perf_counter()

    def phase_ended(name: PhaseName, started: float) -> None:
        seconds = perf_counter() - started
        emit(Phase(order.case, order.turn, name, seconds, read_memory()))

    from runtime.bundle import Bundle
    from runtime.recognizer import open_recognizer
    from speech.audio import RATE, read_audio

    phase_ended("import", began)

    started = perf_counter()
    bundle = Bundle.open(order.bundle, on_device=True)
    if order.bundle_sha256 not in (None, bundle.sha256):
        raise BadInput(f"{order.bundle} is another bundle than the job names: send it again.")
    recognizer = open_recognizer(bundle, order.settings)
    phase_ended("load", started)

    first = read_audio(order.clips[0].path)
    started = perf_counter()
    recognizer.transcribe(first)
    phase_ended("first", started)
    del first

    for number in range(order.warm_up):
        recognizer.transcribe(read_audio(order.clips[number % len(order.clips)].path))
    for number, clip in _clips_to_hear(order, began):
        samples = read_audio(order.clips[clip].path)
        before = queued_seconds()
        seconds, heard = _timed(recognizer, samples)
        after = queued_seconds()
        emit(
            Sampled(
                case=order.case,
                turn=order.turn,
                clip=clip,
                seconds=seconds,
                audio_seconds=len(samples) / RATE,
                phases=dict(heard.seconds),
                tokens=len(heard.tokens),
                queued_seconds=None if before is None or after is None else after - before,
            )
        )
        if order.hear_all and number < len(order.clips):
            emit(Transcribed(order.case, order.turn, clip, heard.text))
    emit(TurnEnded(order.case, order.turn, read_memory(), loaded_forbidden=forbidden_modules()))


def _clips_to_hear(order: TurnOrder, began: float) -> Iterator[tuple[int, int]]:
    """Numbers from 0 and clips, going round: one at least, and all of them if so asked."""
    due = max(1, len(order.clips) if order.hear_all else 0)
    for number in range(max(due, order.samples)):
        spent = order.seconds is not None and perf_counter() - began >= order.seconds
        if number >= due and spent:
            return
        yield number, (order.first_clip + number) % len(order.clips)


def _timed(recognizer: Recognizer, samples: NDArray[np.float32]) -> tuple[float, Transcript]:
    started = perf_counter()
    heard = recognizer.transcribe(samples)
    return perf_counter() - started, heard
