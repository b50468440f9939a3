"""The table of one model on one device, in the columns that studies of pruning have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.report import number, problems, sparsity, wer_with_interval
from bench.report_page import Block, Grid, Points, Text
from bench.rows import Row
from device_profiles.estimate import Work
from pipeline.plots.lines import fine_tunes, is_control
from pipeline.report_rows import Group
from prune.methods import METHODS
from runtime.bundle import Manifest
from tui.tradeoffs.axes import WER
from tui.tradeoffs.difference import Difference, Measured, difference

#: What is said of a difference that may be chance.
NO_DIFFERENCE = "no real difference"

_CAPTION = (
    "Zeros are counted among the prunable weights. Less work and fewer bytes: multiplications and "
    "additions, and weights read, that the graphs really do without for the same clip and the same "
    "text, against the dense model of the same precision; zeros that are multiplied all the same "
    "do not count. WER is the host's, with its 95 % interval. It is held against the dense model, "
    "that of methods that fine-tune against the dense model that was fine-tuned for as long, where "
    f"there is one: “{NO_DIFFERENCE}” where the interval of the difference holds zero. All heard "
    "the same clips, but the intervals are taken as if they had not: what is called real is."
)


@dataclass(frozen=True)
class _Column:
    head: str
    cells: Sequence[str]
    is_number: bool = True


def table(group: Group) -> list[Block]:
    """Methods in groups, controls first; columns of which nothing is known are left out."""
    results = sorted(group.results, key=lambda found: _place(found.row, group))
    rows = [found.row for found in results]
    manifests = {id(found.row): found.manifest for found in results}
    work = group.work()

    def cells(of: Callable[[Row], str]) -> list[str]:
        return [of(row) for row in rows]

    columns = [
        _Column("variant", cells(group.short), is_number=False),
        _Column("conditions", cells(group.mark), is_number=False),
        _Column("steps", cells(lambda row: steps(row, manifests[id(row)]))),
        _Column("zeros % asked / got", cells(sparsity)),
        _Column("less work %", cells(lambda row: _less(row, group, work, _operations))),
        _Column("fewer bytes read %", cells(lambda row: _less(row, group, work, _bytes))),
        _Column("disk MiB", cells(lambda row: number(row.size_mib, 2))),
        _Column("WER % [95 %]", cells(wer_with_interval)),
        _Column("to its control, points", cells(lambda row: _to_control(row, group)), False),
        _Column("latency ms, mean ± sd", cells(_mean)),
        _Column("median ms", cells(lambda row: number(row.latency_ms, 1))),
        _Column("peak MiB", cells(lambda row: number(row.memory_mib, 1))),
        _Column("doubts", cells(_doubts), is_number=False),
    ]
    told = [column for column in columns if any(column.cells)]
    grid = Grid(
        [column.head for column in told],
        list(zip(*(column.cells for column in told), strict=True)),
        [column.is_number for column in told],
        _headings(rows),
    )
    blocks: list[Block] = [grid, Text(_CAPTION)]
    said = [*holding(group), *problems(rows)]
    return [*blocks, Points(said)] if said else blocks


def _place(row: Row, group: Group) -> tuple[object, ...]:
    """Controls, then what cuts once, then what fine-tunes, each method by rising zeros."""
    kind = 0 if is_control(row.method) else 2 if fine_tunes(row.method) else 1
    zeros = row.requested_percent or row.achieved_percent or 0.0
    return kind, group.methods[row.method], zeros, group.mark(row)


def _headings(rows: Sequence[Row]) -> dict[int, str]:
    """Before the first row of each method what that method does."""
    headings, before = {}, None
    for place, row in enumerate(rows):
        if row.method != before:
            known = METHODS.get(row.method)
            says = known.summary if known else "nothing cut" if row.method == "dense" else ""
            headings[place] = f"{row.method or 'unknown'}: {says}" if says else row.method
        before = row.method
    return headings


def steps(row: Row, manifest: Manifest | None) -> str:
    """How many times a method that goes step by step has cut, as its recipe says."""
    method = METHODS.get(row.method)
    if method is None or method.schedule not in ("gradual", "rewind", "repeat"):
        return ""
    recipe = manifest.provenance.get("recipe") if manifest else None
    section = recipe.get("prune") if isinstance(recipe, Mapping) else None
    step = section.get("step") if isinstance(section, Mapping) else None
    if not isinstance(step, int | float) or not step or row.requested_percent is None:
        return ""
    return str(max(1, round(row.requested_percent / 100 / step)))


def _operations(work: Work) -> float:
    return sum(work.operations.values())


def _bytes(work: Work) -> float:
    return work.bytes


def _less(row: Row, group: Group, work: Mapping[int, Work], amount: Callable[[Work], float]) -> str:
    mine, theirs = work.get(id(row)), work.get(id(group.dense(row)))
    if mine is None or theirs is None or not amount(theirs):
        return ""
    return f"{round(100 * (1 - amount(mine) / amount(theirs)), 1) + 0.0:.1f}"


def _mean(row: Row) -> str:
    if row.mean_ms is None:
        return ""
    return f"{row.mean_ms:.1f}" + (f" ± {row.sd_ms:.1f}" if row.sd_ms is not None else "")


def _doubts(row: Row) -> str:
    told = ["failed"] if row.problem else []
    return ", ".join((*told, *(verdict for verdict in row.verdicts if verdict != "VALID")))


def to_control(row: Row, group: Group) -> Difference | None:
    """In points of WER; None where one of the two is not known, and for the dense model itself."""
    control = group.control(row)
    if control is None or control is row:
        return None
    mine, theirs = Measured.of(WER, row), Measured.of(WER, control)
    return difference(mine, theirs) if mine and theirs else None


def _to_control(row: Row, group: Group) -> str:
    found = to_control(row, group)
    if found is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:+.1f}"
    ends = f"{found.value:+.1f} [{found.low:+.1f} to {found.high:+.1f}]"
    return ends if found.is_real else f"{ends}, {NO_DIFFERENCE}"


def holding(group: Group) -> Iterator[str]:
    """A sentence a method: how far it goes before anybody can hear it."""
    lines = group.lines
    for line in lines.lines:
        own = [row for row in line.rows if row.method == line.method]
        told = [(row, found) for row in own if (found := to_control(row, group)) is not None]
        known = [(row, found) for row, found in told if found.is_real is not None]
        if not known:
            continue
        control = group.control(known[0][0])
        harmed = next((at for at, (_, found) in enumerate(known) if found.value > 0
                       and found.is_real), len(known))  # fmt: skip
        name = f"{line.method}, {line.mark}" if line.mark else line.method
        against = f"to {group.short(control)}" if control else ""
        parts = []
        if harmed:
            parts.append(f"{NO_DIFFERENCE} {against} up to {_zeros(known[harmed - 1][0])}")
        if harmed < len(known):
            row, found = known[harmed]
            than = "" if harmed else f" than {group.short(control)}" if control else ""
            parts.append(f"{found.value:.1f} points worse{than} at {_zeros(row)}")
        yield f"{name}: {', '.join(parts)}."


def _zeros(row: Row) -> str:
    return f"{number(row.achieved_percent, 0)} % zeros"
