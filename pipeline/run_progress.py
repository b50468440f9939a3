"""What a run tells, for people: sentences on stderr, and a bar of what is under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from pipeline.events import Built, Event, Hear, Measured, Planned, Progress, Refused, Warned
from pipeline.progress import bars


@contextmanager
def shown() -> Iterator[Hear]:
    with bars() as report:
        shown = _Shown(report)
        try:
            yield shown.hear
        finally:
            shown.close()


class _Shown:
    """A bar over all bundles; beside it one of the step, as long as steps come one by one."""

    def __init__(self, report: Any):
        self._report = report
        self._all: Any = None

    def hear(self, event: Event) -> None:
        match event:
            case Planned(to_build=to_build) if to_build:
                self._begin(len(to_build))
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

    def _begin(self, total: int) -> None:
        from tqdm import tqdm

        self._all = tqdm(desc="bundles", total=total, disable=None, leave=False, delay=1)

    def _step(self, label: str, done: int, total: int) -> None:
        if self._all is None:
            self._report(label, done, total)
        else:
            self._all.set_postfix_str(f"{label} {done}/{total}", refresh=True)

    def _one_more(self) -> None:
        if self._all is not None:
            self._all.update()
            if self._all.n >= self._all.total:
                self.close()

    def _say(self, line: str) -> None:
        from tqdm import tqdm

        with tqdm.external_write_mode():
            click.echo(line, err=True)

    def close(self) -> None:
        if self._all is not None:
            self._all.close()
            self._all = None
