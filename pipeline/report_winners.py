"""Which variant to take on each kind of device: measured there, or else a guess that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bench.agent.verdicts import EMULATED
from bench.estimates import counted, each_once, estimated_row, machine_of, threads_for
from bench.groups import Group, in_groups, labels
from bench.report_page import Block, Grid, Text
from bench.rows import ESTIMATED, Row
from bench.sources import Findings
from device_profiles.estimate import Calibration
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
class _Choice:
    """The answer for one device and group."""

    profile: Profile
    #: The device that was measured on; empty for a guess.
    device: str
    group: Group
    rows: Sequence[Row]


def winners(results: Sequence[Result], findings: Findings) -> list[Block]:
    """A line for each device profile and for each group of what may be compared."""
    boards = _boards()
    choices = list(_choices(results, findings, boards))
    if not choices:
        return []
    names = labels(choice.group for choice in choices)
    heads = ["device", "budgets", "known by", "take", "why"]
    lines = [_line(choice) for choice in choices]
    if len(names) > 1:
        heads.insert(1, "of")
        lines = [
            [line[0], names[choice.group], *line[1:]]
            for line, choice in zip(lines, choices, strict=True)
        ]
    blocks: list[Block] = [Grid(heads, lines, [False] * len(heads))]
    if len(names) > 1:
        blocks.append(Text(_GROUPS))
    if any(not choice.device for choice in choices):
        blocks.append(Text(_CAPTION))
    if len({choice.profile.id for choice in choices}) < len(boards):
        blocks.append(Text(_NO_GUESS))
    return blocks


@cache
def _boards() -> tuple[Profile, ...]:
    """One a kind of device: of its sizes of memory the plain name stands for all."""
    found: dict[tuple[str, ...], Profile] = {}
    for profile in load_profiles().values():
        found.setdefault(profile.detect or (profile.id,), profile)
    return tuple(found.values())


def _choices(
    results: Sequence[Result], findings: Findings, boards: Sequence[Profile]
) -> Iterator[_Choice]:
    measured = _measured(results)
    known = [] if all(board.id in measured for board in boards) else [
        *counted(findings.measurements, findings.bundles)
    ]  # fmt: skip
    for board in boards:
        for device, rows in measured.get(board.id, {}).items():
            for group, comparable in in_groups(rows).items():
                yield _Choice(board, device, group, comparable)
        if board.id not in measured:
            threads, _ = threads_for(board)
            guesses = [estimated_row(one, findings, board, Calibration(), threads) for one in known]
            for group, comparable in in_groups(each_once(guesses)).items():
                yield _Choice(board, "", group, comparable)


def _measured(results: Sequence[Result]) -> dict[str, dict[str, list[Row]]]:
    """By board and device. What an emulator ran says nothing of a device."""
    boards: dict[str, str] = {}
    found: dict[str, dict[str, list[Row]]] = {}
    for result in results:
        row = result.row
        if EMULATED in row.verdicts or row.problem or row.latency_ms is None:
            continue
        machine = machine_of(result.measurement)
        key = repr(machine)
        if key not in boards:
            boards[key] = _board_of(profile_for(machine))
        found.setdefault(boards[key], {}).setdefault(device_name(row.device), []).append(row)
    return found


def _board_of(profile: Profile) -> str:
    return next((b.id for b in _boards() if profile.detect and b.detect == profile.detect),
                profile.id)  # fmt: skip


def _line(choice: _Choice) -> list[str]:
    limits = Limits.of(choice.profile.budgets)
    losses = wer_losses(choice.rows, dense_wers(choice.rows))
    found = recommend(choice.rows, limits, losses)
    take = choice.rows[found.best].name if found.best is not None else "nothing fits"
    # that nothing is better is said by the best one's being taken
    price = found.price if found.better is not None else ""
    why = " ".join(filter(None, (found.why, price)))
    how = f"measured on {choice.device}" if choice.device else ESTIMATED
    return [choice.profile.name, _told(limits), how, take, why]


def _told(limits: Limits) -> str:
    return ", ".join(
        f"{KIND_OF[key].name} {limit:g} {KIND_OF[key].unit}".rstrip()
        for key, limit in limits.at_most.items()
    )
