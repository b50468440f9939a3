"""A job as somebody sees it who looks on: what its news add up to; it knows no terminal."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from bench.agent.events import (
    CaseEnded,
    CaseStarted,
    Event,
    JobEnded,
    JobStarted,
    Phase,
    Reading,
    Sampled,
    Stamped,
    Transcribed,
    TurnEnded,
    TurnStarted,
    Waiting,
)
from tui.source.jobs import Begun, Counted, Heard, News, Over, Said

#: Lines of the log, and readings of the machine, that are kept.
_LOG, _READINGS = 2000, 600


@dataclass
class CaseSeen:
    """Of one case, over all its turns; seconds throughout."""

    samples: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    has_ended: bool = False
    error: str | None = None

    @property
    def phase_medians(self) -> dict[str, float]:
        return {name: median(found) for name, found in self.phases.items()}


@dataclass
class Watched:
    """`about` says what was asked for until there is a job; `take` the news as they come."""

    device: str
    about: str = ""
    is_replay: bool = False
    begun: Begun | None = None
    over: Over | None = None
    case: str | None = None  # that is measured right now
    turn: int = 0
    last_case: str | None = None  # that has ended
    cases: dict[str, CaseSeen] = field(default_factory=lambda: defaultdict(CaseSeen))
    counted: Counted | None = None
    temperatures: deque[float] = field(default_factory=lambda: deque(maxlen=_READINGS))
    clocks: deque[float] = field(default_factory=lambda: deque(maxlen=_READINGS))
    readings: int = 0
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG))
    logged: int = 0  # lines since the beginning, also those that are kept no more

    @property
    def is_going(self) -> bool:
        return self.over is None

    @property
    def ended(self) -> int:
        return sum(seen.has_ended for seen in self.cases.values())

    @property
    def failed(self) -> int:
        return sum(seen.error is not None for seen in self.cases.values())

    @property
    def total(self) -> int:
        return len(self.begun.cases) if self.begun else 0

    @property
    def summary(self) -> str:
        """In a few characters, for the head of every screen."""
        return f"{self.device} {self.ended}/{self.total}" if self.begun else f"{self.device} …"

    def take(self, news: News) -> None:
        if isinstance(news, Begun):
            self.begun, self.counted = news, None
            self._write(self._now, f"job {news.job}: {counted(len(news.cases), 'case')}")
        elif isinstance(news, Said):
            self._write(self._now, news.sentence)
        elif isinstance(news, Counted):
            self.counted = news if self.begun is None else None
        elif isinstance(news, Heard):
            self._hear(news.stamped)
        elif isinstance(news, Over):
            self.over, self.case, self.counted = news, None, None
            sign = {"done": "✓", "failed": "✗", "left": "…"}[news.ending]
            self._write(self._now, f"{sign} {news.sentence}")

    def _hear(self, stamped: Stamped) -> None:
        event = stamped.event
        if isinstance(event, Reading):
            self._read(event)
            return
        self._follow(event)
        if told := self._told(event):
            self._write(_clock(stamped.stamp.at), told)

    def _read(self, reading: Reading) -> None:
        self.readings += 1
        if reading.temperature is not None:
            self.temperatures.append(reading.temperature)
        if reading.clock_mhz is not None:
            self.clocks.append(reading.clock_mhz)

    def _follow(self, event: Event) -> None:
        if isinstance(event, TurnStarted):
            self.case, self.turn = event.case, event.turn
        elif isinstance(event, Phase):
            self.cases[event.case].phases[event.name].append(event.seconds)
        elif isinstance(event, Sampled):
            seen = self.cases[event.case]
            seen.samples.append(event.seconds)
            for name, seconds in event.phases.items():
                seen.phases[name].append(seconds)
        elif isinstance(event, CaseEnded):
            seen = self.cases[event.case]
            seen.has_ended, seen.error = True, event.error
            self.last_case = event.case
        elif isinstance(event, JobEnded):
            self.case = None

    def _told(self, event: Event) -> str:
        match event:
            case JobStarted():
                model = event.environment.get("model") or event.environment.get("cpu") or ""
                how = "goes on" if event.resumed else "begins"
                return f"the job {how} on {model}" if model else f"the job {how}"
            case CaseStarted():
                zeros = event.variant.achieved_sparsity
                cut = "" if zeros is None else f", {100 * zeros:.0f} % zeros"
                return f"{event.case} is {event.variant.method}{cut}"
            case TurnStarted():
                return f"{event.case}: turn {event.turn}, process {event.pid}"
            case Phase():
                return f"{event.case}: {event.name} {milliseconds(event.seconds)}"
            case Sampled():
                count = len(self.cases[event.case].samples)
                return f"{event.case}: sample {count}, {milliseconds(event.seconds)}"
            case Transcribed():
                return f"{event.case}: transcribed “{event.text}”"
            case TurnEnded(error=str()):
                return f"✗ {event.case}: {event.error}"
            case Waiting():
                return f"cooling down from {event.temperature:.0f} to {event.until:.0f} °C"
            case CaseEnded():
                return self._told_end(event)
            case JobEnded():
                return f"the job has ended: {counted(event.cases, 'case')}, {event.failed} failed"
        return ""

    def _told_end(self, event: CaseEnded) -> str:
        samples = self.cases[event.case].samples
        if event.error or not samples:
            return f"✗ {event.case} has ended: {event.error or 'nothing was timed.'}"
        middle = milliseconds(median(samples))
        return f"✓ {event.case} has ended: median {middle} of {counted(len(samples), 'sample')}"

    def _write(self, clock: str, line: str) -> None:
        self.log.append(f"{clock} {line}" if clock else line)
        self.logged += 1

    @property
    def _now(self) -> str:
        """What a recording says has its own times; we are not part of it."""
        return "" if self.is_replay else datetime.now().strftime("%H:%M:%S")


def counted(count: int, what: str) -> str:
    """Such as `1 case` and `2 cases`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def milliseconds(seconds: float) -> str:
    """To a tenth, or of long times to a whole one."""
    found = 1000 * seconds
    return f"{found:.1f} ms" if found < 1000 else f"{found:,.0f} ms"


def _clock(at: str) -> str:
    """Of the device's wall clock, in the time of where we are."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return ""
