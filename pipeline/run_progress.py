"""What a run tells, for people: sentences on stderr, and how far it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import click

from pipeline.events import Built, Event, Hear, Measured, Planned, Progress, Refused, Warned
from pipeline.progress import Meter, Step, meter, without_remark


@contextmanager
def shown() -> Iterator[Hear]:
    with meter() as found:
        yield _Shown(found).hear


class _Shown:
    """The count of all bundles with the step that is under way; later on the steps alone."""

    def __init__(self, found: Meter):
        self._meter = found
        self._done = self._total = 0
        self._inner = Step("", monotonic())

    def hear(self, event: Event) -> None:
        match event:
            case Planned(to_build=to_build) if to_build:
                self._done, self._total = 0, len(to_build)
                self._count("")
            case Built(bundle, said):
                self._say(f"{bundle}: {said}")
                self._one_more()
            case Refused(bundle, why):
                self._say(f"{bundle} could not be made: {why}")
                self._one_more()
            case Warned(about, said):
                self._say(f"{about}: {said}")
            case Measured(bundle, device, error) if error:
                self._say(f"{bundle} could not be measured on {device}: {error}")
            case Progress(label, done, total):
                self._step(label, done, total)

    def _step(self, label: str, done: int, total: int) -> None:
        if self._done >= self._total:
            self._meter.report(label, done, total)
            return
        now = monotonic()
        name, remark = without_remark(label)
        if name != self._inner.label or done < self._inner.done:
            self._inner = Step(name, now, first=done)
        self._inner.done, self._inner.total = done, total
        words = self._inner.words(now) if total > 1 else name
        self._count(", ".join(filter(None, (words, remark))))

    def _one_more(self) -> None:
        if self._done < self._total:
            self._done += 1
            self._count("")

    def _count(self, detail: str) -> None:
        self._meter.report("bundles", self._done, self._total, detail)

    def _say(self, line: str) -> None:
        from tqdm import tqdm

        with tqdm.external_write_mode():
            click.echo(line, err=True)
