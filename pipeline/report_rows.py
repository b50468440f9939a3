"""The results that a report is about, sorted by model and device, each with what it is held to."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.agent.measurement import Measurement
from bench.groups import Group as Comparable
from bench.groups import group_of, model_of, short_labels
from bench.remote.devices import THIS
from bench.rows import ESTIMATED, Row, rows_from
from bench.sources import Findings
from device_profiles.estimate import Work
from pipeline.plots.lines import (
    CONDITIONS,
    Lines,
    Reader,
    differing,
    fine_tunes,
    is_control,
    learns_only,
    lines_of,
)
from runtime.bundle import Bundle, Manifest
from speech.errors import BadInput
from tui.tradeoffs.lineage import DENSE


@dataclass(frozen=True)
class Result:
    """A row with what it came from, as far as that is at hand."""

    row: Row
    measurement: Measurement
    manifest: Manifest | None
    bundle: Bundle | None


@dataclass(frozen=True)
class Group:
    """Results that may be compared: of one model, on the same speech, on one device."""

    model: str
    device: str
    results: Sequence[Result]
    #: What a result has of its own besides method and sparsity, such as int8.
    mark: Reader = field(compare=False)
    #: The model, with the speech where the page has several groups of that model.
    label: str = ""

    @cached_property
    def rows(self) -> list[Row]:
        return [result.row for result in self.results]

    @cached_property
    def sound(self) -> list[Row]:
        """Those to draw."""
        return [row for row in self.rows if row.achieved_percent is not None and not row.problem]

    @property
    def name(self) -> str:
        label = self.label or self.model
        return f"{label} on {self.device}" if self.device else label

    @property
    def title(self) -> str:
        """With what speaks against it."""
        doubts = ("EMULATED", ESTIMATED)
        told = [mark for mark in doubts if any(mark in row.verdicts for row in self.rows)]
        return " — ".join((self.name, *told))

    @cached_property
    def lines(self) -> Lines:
        return lines_of(self.sound, CONDITIONS)

    def short(self, row: Row) -> str:
        """Its name without the model's."""
        return row.name.removeprefix(f"{self.model}-")

    @cached_property
    def methods(self) -> dict[str, int]:
        """In the order of their first rows."""
        return {name: at for at, name in enumerate(dict.fromkeys(row.method for row in self.rows))}

    @cached_property
    def _controls(self) -> dict[tuple[str, str], Row]:
        """By mark and kind, the first of each."""
        found: dict[tuple[str, str], Row] = {}
        for row in self.sound:
            if is_control(row.method):
                kind = DENSE if row.method == DENSE else ""
                found.setdefault((self.mark(row), kind), row)
        return found

    def dense(self, row: Row) -> Row | None:
        """Under the same conditions."""
        return self._controls.get((self.mark(row), DENSE))

    def control(self, row: Row) -> Row | None:
        """Under the same conditions; for what fine-tunes the model that only did that, if any."""
        if fine_tunes(row.method) and not learns_only(row.method):
            return self._controls.get((self.mark(row), ""), self.dense(row))
        return self.dense(row) if row.method != DENSE else None

    def work(self) -> dict[int, Work]:
        """By a row's identity what its graphs do for one and the same clip, and the same text.

        Variants that hear worse may say more, which is no work that pruning added.
        """
        told = next(
            (
                found.measurement
                for found in sorted(self.results, key=lambda found: found.row.method != DENSE)
                if found.bundle and found.measurement.samples
            ),
            None,
        )
        if told is None:
            return {}
        from export.work import bundle_work

        seconds = statistics.median(sample.audio_seconds for sample in told.samples)
        tokens = [sample.tokens for sample in told.samples if sample.tokens is not None]
        found: dict[int, Work] = {}
        for result in self.results:
            bundle = result.bundle
            if bundle is None or not (tokens or bundle.manifest.family == "ctc"):
                continue
            with suppress(BadInput):
                found[id(result.row)] = bundle_work(
                    bundle,
                    audio_seconds=seconds,
                    tokens=statistics.median(tokens) if tokens else 0.0,
                    window=result.measurement.settings.get("window"),
                )
        return found


def results_of(findings: Findings) -> list[Result]:
    """In the order of the measurements."""
    rows = rows_from(findings.measurements, findings.manifests)
    return [
        Result(
            row,
            found,
            findings.manifests.get(found.bundle_sha256 or ""),
            findings.bundles.get(found.bundle_sha256 or ""),
        )
        for row, found in zip(rows, findings.measurements, strict=True)
    ]


def groups_of(results: Sequence[Result]) -> list[Group]:
    """Of each model, speech and device: others are not to be compared in a picture."""
    groups: dict[tuple[Comparable, str], list[Result]] = {}
    for result in results:
        groups.setdefault((group_of(result.row), result.row.device), []).append(result)
    devices = {device for _, device in groups}
    names = short_labels(key for key, _ in groups)
    return [
        Group(model_name(found[0].row) or "all",
              device if len(devices) > 1 or device not in ("", THIS) else "",
              found, differing([result.row for result in found], CONDITIONS), names[key])
        for (key, device), found in groups.items()
    ]  # fmt: skip


def model_name(row: Row) -> str:
    """The last part of a path or of a name on the hub."""
    model = model_of(row)
    return Path(model).name if model else ""


def device_name(device: str) -> str:
    """As a sentence has it; older measurements do not name theirs."""
    return "this machine" if device in ("", THIS) else device


def manifests_of(results: Sequence[Result]) -> Mapping[str, Manifest]:
    """By hash, in the order of the results."""
    return {
        result.row.bundle_sha256 or result.row.name: result.manifest
        for result in results
        if result.manifest
    }
