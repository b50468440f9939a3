"""Which variant to take on each kind of device: measured there, or else a guess that says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bench.agent.verdicts import EMULATED
from bench.estimates import counted, each_once, estimated_row, machine_of, threads_for
from bench.groups import Group, in_groups, labels
from bench.report_page import Block, Grid, Text
from bench.rows import ESTIMATED, Row
from bench.sources import Findings
from device_profiles.estimate import Calibration
from device_profiles.machine import Machine
from device_profiles.probe import profile_for
from device_profiles.profiles import Profile, load_profiles
from pipeline.report_rows import Result, device_name
from tui.tradeoffs.budgets import KIND_OF, Limits
from tui.tradeoffs.lineage import dense_wers, wer_losses
from tui.tradeoffs.recommend import recommend

_NO_GUESS = (
    "The other devices cannot be guessed at: no bundle that was measured is at hand as it was, or "
    "what it computes cannot be counted."
)
_CAPTION = (
    f"{ESTIMATED} is a guess: nobody measured there, and the time is reckoned from the operations "
    "and bytes of the graphs and the figures of data sheets, for as many threads as the device's "
    "profile names. It may be off by several times, and says nothing of memory. Of all that keeps "
    "a device's budgets, the variant with the lowest WER is taken; of those whose WER is not "
    "significantly different from it, the fastest; and of those whose latencies overlap the "
    "smallest, the simplest, the most exact."
)
_GROUPS = (
    "Variants are compared with those of the same model only, scored and timed on the same clips: "
    "there is a line for each of these groups."
)


@dataclass(frozen=True)
class Answer:
    """For one device and group: a line of the table, and the rows that it names."""

    board: str
    #: The device that was measured on; empty for a guess.
    device: str
    group: Group
    cells: Sequence[str]
    named: Sequence[Row]


def winners(
    results: Sequence[Result], findings: Findings, measured: Sequence[Answer] | None = None
) -> list[Block]:
    """A line for each device profile and for each group of what may be compared.

    `measured` are the answers for devices that were measured on, where the results are but some of
    what those are of.
    """
    boards = _boards()
    answers = list(_in_order(_measured(results) if measured is None else measured, findings))
    if not answers:
        return []
    names = labels(answer.group for answer in answers)
    heads = ["device", "budgets", "known by", "take", "why"]
    lines = [answer.cells for answer in answers]
    if len(names) > 1:
        heads.insert(1, "of")
        lines = [[one.cells[0], names[one.group], *one.cells[1:]] for one in answers]
    blocks: list[Block] = [Grid(heads, lines, [False] * len(heads))]
    if len(names) > 1:
        blocks.append(Text(_GROUPS))
    if any(not answer.device for answer in answers):
        blocks.append(Text(_CAPTION))
    if len({answer.board for answer in answers}) < len(boards):
        blocks.append(Text(_NO_GUESS))
    return blocks


@cache
def _boards() -> tuple[Profile, ...]:
    """One a kind of device: of its sizes of memory the plain name stands for all."""
    found: dict[tuple[str, ...], Profile] = {}
    for profile in load_profiles().values():
        found.setdefault(profile.detect or (profile.id,), profile)
    return tuple(found.values())


def _in_order(measured: Sequence[Answer], findings: Findings) -> Iterator[Answer]:
    """By board; for one that nobody measured on there are guesses."""
    boards = {answer.board for answer in measured}
    known = [] if all(board.id in boards for board in _boards()) else [
        *counted(findings.measurements, findings.bundles)
    ]  # fmt: skip
    for board in _boards():
        yield from (answer for answer in measured if answer.board == board.id)
        if board.id not in boards:
            threads, _ = threads_for(board)
            guesses = [estimated_row(one, findings, board, Calibration(), threads) for one in known]
            yield from _answers(each_once(guesses), board, "")


def _measured(results: Sequence[Result]) -> list[Answer]:
    machines: dict[str, Machine] = {}
    found: dict[tuple[str, str], list[Row]] = {}
    for result in results:
        machine = machine_of(result.measurement)
        machines[repr(machine)] = machine
        found.setdefault((repr(machine), result.row.device), []).append(result.row)
    return [one for (key, _), rows in found.items() for one in measured_on(machines[key], rows)]


def measured_on(machine: Machine, rows: Iterable[Row]) -> list[Answer]:
    """For one device. What an emulator ran says nothing of it."""
    profile = profile_for(machine)
    board = next((b for b in _boards() if profile.detect and b.detect == profile.detect), profile)
    sound = [
        row
        for row in rows
        if EMULATED not in row.verdicts and not row.problem and row.latency_ms is not None
    ]
    return _answers(sound, board, device_name(sound[0].device)) if sound else []


def _answers(rows: Iterable[Row], board: Profile, device: str) -> list[Answer]:
    return [_answer(board, device, group, own) for group, own in in_groups(rows).items()]


def _answer(board: Profile, device: str, group: Group, rows: Sequence[Row]) -> Answer:
    limits = Limits.of(board.budgets)
    losses = wer_losses(rows, dense_wers(rows))
    found = recommend(rows, limits, losses)
    take = rows[found.best].name if found.best is not None else "nothing fits"
    # that nothing is better is said by the best one's being taken
    price = found.price if found.better is not None else ""
    why = " ".join(filter(None, (found.why, price)))
    how = f"measured on {device}" if device else ESTIMATED
    named = [rows[at] for at in (found.best, found.better) if at is not None]
    return Answer(board.id, device, group, [board.name, _told(limits), how, take, why], named)


def _told(limits: Limits) -> str:
    return ", ".join(
        f"{KIND_OF[key].name} {limit:g} {KIND_OF[key].unit}".rstrip()
        for key, limit in limits.at_most.items()
    )
