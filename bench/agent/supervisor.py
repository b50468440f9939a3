"""Runs a job: one turn after another, each in a fresh process, and everything into the journal.

Whatever happens to a turn is that case's result, and the others go on. Whatever happens to the
supervisor, the journal says where to go on.
"""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.agent import VERSION
from bench.agent.bundle_facts import facts_of
from bench.agent.children import AGENT, Child, agent_environment, measuring_environment
from bench.agent.clock import stamp_now
from bench.agent.cooling import pause
from bench.agent.environment import describe_environment
from bench.agent.events import (
    CaseEnded,
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
    event_from_json,
)
from bench.agent.failure import ended_badly, too_late
from bench.agent.job import Case, Job, read_job
from bench.agent.journal import JOURNAL_FILE, Journal, read_journal
from bench.agent.ledger import Ledger
from bench.agent.locks import JOB_LOCK, Busy, Holder, device_lock, held, waited_for
from bench.agent.schedule import TurnPlan, is_finished, next_turn
from bench.agent.turn import TurnOrder
from runtime.whole_folder import full_disk_is_bad_input

TURN_FILE, TURN_LOG = "turn.json", "turn.log"
#: Turns of a case that may be cut off in a row, by reboots or kills, before it is held to blame.
MOST_CUT_OFF = 5
_TICK = 0.1  # seconds between two looks at whether to stop
_PATIENCE = 3.0  # seconds that a reading asked for may take

#: Hears each line once it is on the disk.
Say = Callable[[str], None]


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The supervisor was told to stop; the job goes on where it is when it is run again."""


def run_job(
    folder: Path,
    *,
    say: Say = lambda line: None,
    stopping: Callable[[], bool] = lambda: False,
    sampler: Sequence[str] = (*AGENT, "sampler"),
) -> None:
    """Run, or go on with, the job in `folder`, until it is done.

    Raises BadInput for a job that cannot be run, Busy if the device is another job's, and Stopped
    once `stopping` says so.
    """
    job, now = read_job(folder), stamp_now()
    with ExitStack() as stack:
        me = Holder.this_process(job.id, job.host, now.at)
        stack.enter_context(held(folder / JOB_LOCK, me))
        stack.enter_context(_the_device(me, job.wait, stopping))
        journal = stack.enter_context(Journal(folder / JOURNAL_FILE))
        ledger = Ledger(read_journal(folder / JOURNAL_FILE))
        if ledger.job_ended:
            return
        record = _Recorder(journal, ledger, say)
        resumed = ledger.started > 0
        record(JobStarted(job.id, VERSION, resumed, describe_environment()))
        readings = stack.enter_context(_sampler(sampler))
        _Supervisor(folder, job, ledger, record, readings, stopping).run()


@contextmanager
def _the_device(me: Holder, wait: bool, stopping: Callable[[], bool]) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            lock = waited_for(device_lock(), me, give_up=lambda: stopping() or not wait)
            stack.enter_context(lock)
        except Busy:
            _stop_if(stopping)
            raise
        yield


def _sampler(command: Sequence[str]) -> Child:
    return Child(command, environment=agent_environment(), log=subprocess.DEVNULL)


@dataclass
class _Recorder:
    """First on the disk, then into the ledger, then told."""

    journal: Journal
    ledger: Ledger
    say: Say

    def __call__(self, event: Event) -> None:
        stamped = Stamped(stamp_now(), event)
        line = stamped.to_json()
        self.journal.append(line)
        self.ledger.add(stamped)
        self.say(line)


@dataclass
class _Supervisor:
    folder: Path
    job: Job
    ledger: Ledger
    record: _Recorder
    sampler: Child
    stopping: Callable[[], bool]

    def run(self) -> None:
        self._close_finished()
        while turn := next_turn(self.job, self.ledger):
            self._begin(turn.case)
            self._fresh_reading()
            self._cool_down()
            self._take(turn)
            self._fresh_reading()
            self._close_finished()
        ends = self.ledger.case_ends
        failed = sum(ends[case.id].error is not None for case in self.job.cases)
        self.record(JobEnded(len(self.job.cases), failed))

    def _begin(self, case: Case) -> None:
        if case.id not in self.ledger.cases and (facts := facts_of(case.id, case.bundle)):
            self.record(facts)

    def _close_finished(self) -> None:
        """Tell of the cases that are over; one may be so since before a resume."""
        for case in self.job.cases:
            if case.id in self.ledger.case_ends:
                continue
            turns = self.ledger.all_turns(case.id)
            failed = next((turn.end for turn in turns if turn.end and turn.end.error), None)
            if failed:
                self.record(CaseEnded(case.id, failed.error, failed.reason))
            elif is_finished(self.job, self.ledger, case.id):
                self.record(CaseEnded(case.id))
            elif self.ledger.cut_off(case.id) >= MOST_CUT_OFF:
                why = f"The machine or the agent went down {MOST_CUT_OFF} times in a row here."
                self.record(CaseEnded(case.id, why, "crash"))

    def _take(self, turn: TurnPlan) -> None:
        """One process from beginning to end; however it goes, the journal has its end."""
        plan, file = self.job.plan, self.folder / TURN_FILE
        with full_disk_is_bad_input(str(file)):
            file.write_text(self._order(turn).to_json(), encoding="utf-8")
        seconds = plan.timeout_seconds + (plan.sustained_seconds or 0)
        environment = measuring_environment(turn.case.settings.threads)
        with (
            (self.folder / TURN_LOG).open("wb") as log,
            Child((*AGENT, "turn", str(file)), environment=environment, log=log) as process,
        ):
            self.record(TurnStarted(turn.case.id, turn.number, process.pid))
            end = self._listen_to(process, turn, time.monotonic() + seconds)
            if end is None:
                process.kill()
                end = too_late(turn.case.id, turn.number, seconds)
            self.record(end)

    def _listen_to(self, process: Child, turn: TurnPlan, until: float) -> TurnEnded | None:
        """Journal what the process tells; its end, or None if it is not over in time."""
        while time.monotonic() < until:
            for line in self._wait(min(_TICK, until - time.monotonic()), process):
                try:
                    event = _of_turn(line, turn)
                except ValueError as problem:
                    process.kill()
                    why = f"The measuring process said what cannot be understood: {problem}."
                    return TurnEnded(turn.case.id, turn.number, None, why, "crash")
                if isinstance(event, TurnEnded):
                    return event
                self.record(event)
                process.nudge()
            if process.is_silent:
                code, limit = process.exit_code(), self.job.plan.memory_limit_mb
                if code < 0:  # who ends us all at once does not mean this case
                    self._wait(_TICK)
                    _stop_if(self.stopping)
                log = (self.folder / TURN_LOG).read_text(encoding="utf-8", errors="replace")
                return ended_badly(turn.case.id, turn.number, code, log, limit)
        return None

    def _order(self, turn: TurnPlan) -> TurnOrder:
        return TurnOrder(
            case=turn.case.id,
            turn=turn.number,
            bundle=turn.case.bundle,
            bundle_sha256=turn.case.bundle_sha256,
            settings=turn.case.settings,
            clips=self.job.clips,
            warm_up=self.job.plan.warm_up,
            first_clip=turn.first_clip,
            samples=turn.samples,
            hear_all=turn.hear_all,
            seconds=turn.seconds,
            memory_limit_mb=self.job.plan.memory_limit_mb,
            acknowledged=True,
        )

    def _cool_down(self) -> None:
        now = self.ledger.latest.temperature if self.ledger.latest else None
        waiting = pause(self.job.plan, at_start=self.ledger.first_temperature, now=now)
        if waiting is None:
            return
        self.record(waiting)
        end = time.monotonic() + waiting.seconds
        while time.monotonic() < end and not self.sampler.is_silent:
            self._wait(_TICK)
            now = self.ledger.latest.temperature if self.ledger.latest else None
            if now is None or now <= waiting.until:
                return

    def _fresh_reading(self) -> None:
        """The machine right before and after a turn; without one if the sampler is stuck."""
        self._wait(0)  # what was read earlier does not answer for now
        before, end = self.ledger.readings, time.monotonic() + _PATIENCE
        self.sampler.nudge()
        while self.ledger.readings == before and time.monotonic() < end:
            if self.sampler.is_silent:
                return
            self._wait(_TICK)

    def _wait(self, seconds: float, process: Child | None = None) -> list[str]:
        """Let something happen: readings go into the journal, the process' lines come back."""
        _stop_if(self.stopping)
        heard = [child for child in (self.sampler, process) if child and not child.is_silent]
        ready, _, _ = select.select(heard, [], [], max(0.0, seconds))
        if self.sampler in ready:
            for line in self.sampler.lines():
                self._record_reading(line)
        return process.lines() if process and process in ready else []

    def _record_reading(self, line: str) -> None:
        try:
            event = event_from_json(line)
        except ValueError:
            return
        if isinstance(event, Reading):
            self.record(event)


def _stop_if(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise Stopped("Stopped before its end; run it again to go on.")


def _of_turn(line: str, turn: TurnPlan) -> Phase | Sampled | Transcribed | TurnEnded:
    """Raises ValueError for anything that this turn has no business to say."""
    event = event_from_json(line)
    if not isinstance(event, Phase | Sampled | Transcribed | TurnEnded):
        raise ValueError(f"a {event.kind!r} event")
    if (event.case, event.turn) != (turn.case.id, turn.number):
        raise ValueError(f"an event of turn {event.turn} of {event.case!r}")
    return event
