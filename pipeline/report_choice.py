"""Which of very many results a report shows: what matters, and how much that leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

from bench.estimates import machine_of
from bench.groups import Group, group_of, labels
from bench.rows import Row
from bench.sources import Findings, Selection
from bench.store.row_table import Reader
from bench.store.summaries import Summary
from pipeline.plots.lines import CONDITIONS, is_control
from pipeline.plots.slides import COSTS, front
from pipeline.report_rows import device_name
from pipeline.report_winners import Answer, measured_on
from speech.counted import counted
from speech.errors import BadInput

#: A page with more results than this, or more groups, is cut.
MOST_RESULTS, MOST_GROUPS = 1000, 24
#: Of one that is cut: groups that have pictures and a table, and the results in each.
SHOWN_GROUPS, SHOWN_RESULTS = 5, 60
#: Of these at most so many are dense models, so that there is room for others.
_MOST_CONTROLS = 12


#: What is read of a row to choose by it.
_NEEDED = Reader([
    "name", "family", "method", "achieved_percent", "wer", "wer_low", "wer_high", "size_mib",
    "latency_ms", "latency_low_ms", "latency_high_ms", "real_time_factor", "memory_mib",
    "problem", "precision", "model", "device", "machine", "threads", "settings", "verdicts",
    "measured_at", "bundle_sha256", "corpus", "clips", "normalizer", "window", "timed_corpus",
    "timed_clips",
])  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """What a page is made of, and what the answers on it are of."""

    findings: Findings
    #: For the devices that were measured on; None: those are to be found among the findings.
    answers: Sequence[Answer] | None = None
    #: What was left out and how to see it; empty where all is there.
    left_out: str = ""


@dataclass
class _Group:
    """Of one device; only as many results are kept as a page may show."""

    group: Group
    device: str
    count: int
    every: list[int] = field(default_factory=list)  # empty if there are too many
    best: list[int] = field(default_factory=list)


def choose(selection: Selection) -> Choice:
    """Reads the rows of a device at a time, and whole measurements only of what is shown."""
    groups: list[_Group] = []
    answers: list[Answer] = []
    for device in selection.devices():
        of_device = list(selection.rows(device=device, reader=_NEEDED))
        mine = [*_answers(selection, of_device)]
        groups += _groups(of_device, mine)
        answers += mine
    count = sum(one.count for one in groups)
    if count <= MOST_RESULTS and len(groups) <= MOST_GROUPS:
        numbers = sorted(number for one in groups for number in one.every)
        return Choice(selection.findings(numbers), answers)
    shown = sorted(groups, key=lambda one: -one.count)[:SHOWN_GROUPS]
    findings = selection.findings(sorted(number for one in shown for number in one.best))
    return Choice(findings, answers, _left_out(groups, shown, count))


def _answers(selection: Selection, of_device: Sequence[Summary]) -> Iterator[Answer]:
    """A device may be another machine by now, with the same name."""
    machines: dict[str, list[Summary]] = {}
    for one in of_device:
        machines.setdefault(one.row.machine, []).append(one)
    for members in machines.values():
        for one in members:
            with suppress(BadInput):  # one that cannot be read says nothing of its machine
                machine = machine_of(selection.whole(one.number))
                yield from measured_on(machine, (member.row for member in members))
                break


def _groups(of_device: Sequence[Summary], answers: Iterable[Answer]) -> Iterator[_Group]:
    named = {id(row) for answer in answers for row in answer.named}
    groups: dict[Group, list[Summary]] = {}
    for one in of_device:
        groups.setdefault(group_of(one.row), []).append(one)
    for group, members in groups.items():
        found = _Group(group, members[0].row.device, len(members))
        if found.count <= MOST_RESULTS:
            found.every = [one.number for one in members]
        found.best = _best([one.row for one in members], named, {
            id(one.row): one.number for one in members
        })  # fmt: skip
        yield found


def _best(rows: Sequence[Row], named: set[int], numbers: Mapping[int, int]) -> list[int]:
    """What the answers name, the dense models, what no other beats, and then the newest."""
    fronts = chain.from_iterable(front(_sound(rows), cost) for cost in COSTS)
    wanted = chain((row for row in rows if id(row) in named), _controls(rows), fronts,
                   reversed(rows))  # fmt: skip
    return list(dict.fromkeys(numbers[id(row)] for row in wanted))[:SHOWN_RESULTS]


def _sound(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.achieved_percent is not None and not row.problem]


def _controls(rows: Iterable[Row]) -> list[Row]:
    """One of each kind and condition."""
    found: dict[tuple[str, ...], Row] = {}
    for row in _sound(rows):
        if is_control(row.method):
            found.setdefault((row.method, *(read(row) for read in CONDITIONS.values())), row)
    return list(found.values())[:_MOST_CONTROLS]


def _left_out(groups: Sequence[_Group], shown: Sequence[_Group], count: int) -> str:
    names = labels(one.group for one in groups)
    others = [one for one in groups if all(one is not another for another in shown)]
    told = [
        f"There are {count:,} results, too many for one page. Pictures and tables show "
        f"{sum(len(one.best) for one in shown):,} of them: of {counted(len(shown), 'group')}, "
        "those with the most results, what is recommended, what no other variant beats, the "
        "dense models and the newest. What to take was chosen among all results."
    ]
    if others:
        some = [
            f"{names[one.group]} on {device_name(one.device)} ({counted(one.count, 'result')})"
            for one in sorted(others, key=lambda one: -one.count)[:SHOWN_GROUPS]
        ]
        told.append(f"Groups that are left out: {len(others)}, such as {'; '.join(some)}.")
    told.append(
        "For a page about fewer choose with --device, --family or --method; `secateur results "
        "--csv` has every row."
    )
    return " ".join(told)
