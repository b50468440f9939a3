"""Prune and hear in PyTorch, point by point, without exporting anything."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pipeline.listening import as_bundled
from pipeline.plan import CONTROL
from pipeline.progress import Report
from pipeline.sweep_results import Point, Sweep
from prune.checkpoint import Checkpoint
from prune.methods import METHODS
from prune.oneshot import Statistics
from prune.option_use import used
from prune.options import Options
from prune.schedule import Pruned, prune
from speech.corpora import Corpus
from speech.errors import BadInput
from speech.scoring import Score

DENSE = "dense"


class Workbench:
    """The dense model, and what all cuts of copies of it share."""

    def __init__(
        self,
        dense: Checkpoint,
        corpus: Corpus,
        options: Options,
        *,
        speech: Corpus | None = None,
        lessons: Corpus | None = None,
        batch: int = 16,
        report: Report | None = None,
    ):
        """`corpus` is scored on, `speech` calibrates, and teaches unless there are `lessons`.

        `batch` is how many clips Whisper hears at once.
        """
        self.dense, self.corpus = dense, corpus
        self._options, self._speech, self._lessons = options, speech, lessons
        self._batch, self._report, self._label = batch, report, ""

    @cached_property
    def _statistics(self) -> Statistics | None:
        """Worked out from the first listening on, once for all methods."""
        if self._speech is None:
            return None
        return Statistics(self.dense, self._speech, self._options, self._told)

    def named(self, label: str) -> None:
        """What the bars of progress are to begin with."""
        self._label = label

    def cut(
        self,
        method: str,
        sparsity: float,
        after: Callable[[float, Checkpoint], None] | None = None,
    ) -> tuple[Checkpoint, Pruned]:
        """A copy, pruned. `after` is called at each sparsity that a gradual schedule reaches."""
        checkpoint = replace(self.dense, model=copy.deepcopy(self.dense.model))
        pruned = prune(
            checkpoint,
            method,
            sparsity,
            self._speech,
            options=used(method, self._options),
            lessons=self._lessons,
            statistics=self._statistics,
            after=(lambda reached, _: after(reached, checkpoint)) if after else None,
            report=self._told,
        )
        return checkpoint, pruned

    def heard(self, checkpoint: Checkpoint) -> Score:
        return as_bundled(
            checkpoint,
            self.corpus,
            batch=self._batch,
            progress=lambda done, total: self._told("listening", done, total),
        )

    def point(self, method: str, sparsity: float) -> Point:
        """Pruned and heard; with the reason where a method cannot reach that sparsity."""
        begun = time.perf_counter()
        try:
            if method == DENSE:
                checkpoint, achieved = self.dense, 0.0
            else:
                checkpoint, pruned = self.cut(method, sparsity)
                achieved = pruned.sparsity.achieved
        except BadInput as error:
            return Point(method, sparsity, problem=str(error))
        cut = time.perf_counter()
        found = self.heard(checkpoint)
        return Point(
            method,
            sparsity,
            achieved,
            found.to_json(),
            prune_seconds=round(cut - begun, 3),
            listen_seconds=round(time.perf_counter() - cut, 3),
        )

    def _told(self, label: str, done: int, total: int) -> None:
        if self._report:
            self._report(f"{self._label}{label}", done, total)


@dataclass(frozen=True)
class Asked:
    """A point to come."""

    method: str
    sparsity: float

    def __str__(self) -> str:
        return f"{self.method} {100 * self.sparsity:g} %" if self.sparsity else self.method


def asked(methods: Sequence[str], sparsities: Sequence[float]) -> list[Asked]:
    """The dense model once, at 0; and fine-tuned, where a method fine-tunes: their control."""
    wanted = [Asked(DENSE, 0.0)] if 0 in sparsities else []
    cutting = [name for name in methods if name != CONTROL]
    if CONTROL in methods or any(METHODS[name].fine_tunes for name in cutting):
        wanted.append(Asked(CONTROL, 0.0))
    return [*wanted, *(Asked(name, s) for name in cutting for s in sparsities if s)]


def carried_out(
    bench: Workbench, sweep: Sweep, wanted: Sequence[Asked], path: Path
) -> Iterator[Sweep]:
    """The sweep after each point that was missing, written before it is given."""
    for place, one in enumerate(wanted, start=1):
        if not sweep.has(one.method, one.sparsity):
            bench.named(f"{place} of {len(wanted)}, {one}: ")
            sweep = replace(sweep, family=bench.dense.family)
            sweep = sweep.added(bench.point(one.method, one.sparsity))
            sweep.write(path)
            yield sweep
