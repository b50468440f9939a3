"""All jobs that this app has started, attached to or plays, in the order in which that was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from tui.source.jobs import Going, JobNews, News, Order, Playing, Runner, Tell
from tui.source.shown import shown
from tui.watched import Watched

#: Seconds that jobs get to be left in when the app ends.
_PARTING = 2.0


class Post(Protocol):
    """Takes news from any thread to where `take` is called."""

    def __call__(self, message: JobNews) -> object: ...


class Desk:
    """One of the jobs is the one that is shown."""

    def __init__(self, runner: Callable[[], Runner], post: Post):
        """The runner is asked for when there is something to run."""
        self._make_runner = runner
        self.jobs: list[Watched] = []
        self.at = 0
        self._post = post
        self._going: list[Going] = []
        self._playing: dict[int, Playing] = {}

    @cached_property
    def runner(self) -> Runner:
        return self._make_runner()

    @property
    def shown(self) -> Watched | None:
        return self.jobs[self.at] if self.jobs else None

    @property
    def playing(self) -> Playing | None:
        """What is shown, if it is a recording that has not come to its end."""
        job = self.shown
        return self._playing.get(self.at) if job and job.is_going else None

    @property
    def line(self) -> str:
        """Of the jobs that go on; recordings do not."""
        going = [job for job in self.jobs if job.is_going and not job.is_replay]
        return f"▶ {', '.join(job.summary for job in going)}" if going else ""

    def start(self, orders: Iterable[Order]) -> None:
        for order in orders:
            about = ", ".join(order.names)
            self._begin(Watched(order.device, about), self._starting(order))

    def attach(self, device: str, job: str | None) -> None:
        about = f"attaching to job {job}" if job else "attaching to the newest job"
        self._begin(Watched(device, about), lambda tell: self.runner.attach(device, job, tell))

    def play(self, place: Path) -> None:
        device = (place if place.is_dir() else place.parent).parent.name

        def begin(tell: Tell) -> Going:
            playing = self._playing[len(self.jobs)] = self.runner.play(place, tell)
            return playing

        self._begin(Watched(device or str(place), is_replay=True), begin)

    def take(self, message: JobNews) -> None:
        self.jobs[message.run].take(message.news)

    def turn(self) -> None:
        """To the next one."""
        self.at = (self.at + 1) % max(1, len(self.jobs))

    def leave(self) -> None:
        """The one that is shown: a recording ends, a job goes on without us."""
        if self.shown and self.shown.is_going:
            self._going[self.at].leave()

    def stop(self) -> None:
        """The job that is shown, wherever it is measured."""
        if self.shown and self.shown.is_going:
            self._going[self.at].stop()

    def part(self) -> list[str]:
        """From all of them; gives a sentence for each job that goes on."""
        left = [at for at, job in enumerate(self.jobs) if job.is_going]
        for going in (self._going[at] for at in left):
            going.leave()
        for going in (self._going[at] for at in left):
            going.leave(_PARTING)
        return [told for at in left if (told := _where(self.jobs[at]))]

    def _starting(self, order: Order) -> Callable[[Tell], Going]:
        return lambda tell: self.runner.start(order, tell)

    def _begin(self, job: Watched, begin: Callable[[Tell], Going]) -> None:
        """BadInput for what cannot even be begun, which then is no job of ours."""
        number = len(self.jobs)
        going = begin(partial(self._tell, number))
        self.jobs.append(job)
        self._going.append(going)
        self.at = number

    def _tell(self, number: int, news: News) -> None:
        with suppress(RuntimeError):  # the app has ended, and with it the loop that it lived in
            self._post(JobNews(number, shown(news)))


def _where(job: Watched) -> str:
    if job.is_replay:
        return ""
    if job.begun is None:
        return f"{job.device}: no job had begun."
    name = job.begun.job
    return (
        f"{job.device}: job {name} goes on; `secateur bench attach {job.device} {name}` follows it."
    )
