"""What a report says beside its pictures: whom to believe, where it was measured, how again."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.agent.measurement import Fact, Measurement
from bench.report_page import Block, Code, Grid, Points, Text
from bench.rows import ESTIMATED, OTHER_CLIPS, Row, machine_of

VERDICTS = {
    "VALID": "nothing speaks against it.",
    "THROTTLED": "the processor was slowed down meanwhile, as for heat.",
    "UNDER_VOLTED": "the power supply did not hold its voltage.",
    "SWAPPED": "memory was moved to the disk.",
    "NOISY": "other programs took the processor, or samples spread too far to know the median.",
    "TOO_FEW": "there are fewer samples than were asked for, or than an interval needs.",
    "EMULATED": "an emulator ran it: speed, memory and heat are not those of the device.",
    ESTIMATED: "nobody measured it: it is reckoned from operations, bytes and data sheets.",
    OTHER_CLIPS: "it was timed on another corpus than its WER is of.",
}

#: What is told of a machine, in this order; the keys are those of the agent's environment.
_FACTS = {
    "cpu": "processor",
    "cores": "cores",
    "core_kinds": "kinds of cores",
    "architecture": "architecture",
    "instruction_sets": "instruction sets",
    "memory_mb": "memory, MiB",
    "page_kb": "page, KiB",
    "system": "system",
    "governor": "governor",
    "python": "Python",
    "onnxruntime": "onnxruntime",
    "numpy": "numpy",
    "emulation": "emulation",
}


def verdicts(rows: Sequence[Row]) -> list[Block]:
    """How many rows have each, and what it means; older measurements have none."""
    counts = Counter(verdict for row in rows for verdict in row.verdicts)
    without = sum(not row.verdicts and not row.problem for row in rows)
    told = [
        f"{verdict}, {counts[verdict]} of {len(rows)}: {meaning}"
        for verdict, meaning in VERDICTS.items()
        if counts[verdict]
    ]
    told += [f"{name}, {counts[name]} of {len(rows)}." for name in counts.keys() - VERDICTS.keys()]
    if without:
        told.append(f"No verdict, {without} of {len(rows)}: measured before there were verdicts.")
    return [Points(told)] if told else []


def environment(measurements: Sequence[Measurement]) -> list[Block]:
    """A column a device and state of its software, and what it was like meanwhile."""
    if not measurements:
        return []
    places: dict[str, list[Measurement]] = {}
    for found in measurements:
        facts = {key: found.environment.get(key) for key in ("device", *_FACTS)}
        places.setdefault(json.dumps(facts, default=str), []).append(found)
    columns = [_column(group) for group in places.values()]
    names = list(dict.fromkeys(name for column in columns for name in column))
    lines = [[name, *(column.get(name, "") for column in columns)] for name in names]
    heads = ["", *(str(group[0].environment.get("device") or "") for group in places.values())]
    return [Grid(heads, lines, [False] * len(heads))]


def _column(group: Sequence[Measurement]) -> dict[str, str]:
    facts = group[0].environment
    told = {"machine": machine_of(group[0])}
    told |= {label: _told(facts.get(key)) for key, label in _FACTS.items()}
    conditions = [found.conditions for found in group if found.conditions]
    told |= {
        "degrees Celsius": _range(
            value for c in conditions for value in (c.temperature_at_start, c.temperature_at_most)
        ),
        "clock, MHz": _range(
            value for c in conditions for value in (c.clock_mhz_at_least, c.clock_mhz_at_most)
        ),
        "load at most": _range(c.load_at_most for c in conditions),
        "measured": _span([found.measured_at[:10] for found in group]),
    }
    return {name: text for name, text in told.items() if text}


def _told(value: Fact) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _range(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = f"{min(known):g}", f"{max(known):g}"
    return low if low == high else f"{low} to {high}"


def _span(dates: Sequence[str]) -> str:
    return min(dates) if min(dates) == max(dates) else f"{min(dates)} to {max(dates)}"


def again(measurements: Sequence[Measurement]) -> list[Block]:
    """How they were measured, and the commands."""
    devices: dict[str, list[Measurement]] = {}
    for found in measurements:
        devices.setdefault(str(found.environment.get("device") or "this"), []).append(found)
    commands = [_command(device, group) for device, group in devices.items()]
    return [Text(_how(measurements)), Code("\n\n".join(commands))] if commands else []


def _command(device: str, group: Sequence[Measurement]) -> str:
    names = dict.fromkeys(shlex.quote(found.name) for found in group)
    threads = ",".join(map(str, sorted({found.threads for found in group})))
    words = ["secateur bench", *names, f"--device {shlex.quote(device)} --threads {threads}"]
    return " \\\n    ".join(words)


def _how(measurements: Sequence[Measurement]) -> str:
    clips = _range(len({s.clip for s in found.samples}) or None for found in measurements)
    samples = _range(len(found.samples) or None for found in measurements)
    warm = _range(found.warm_up for found in measurements)
    return (
        f"Each was heard in processes of its own: {samples or 'no'} timed transcriptions of "
        f"{clips or 'no'} clips, {warm} before them thrown away."
    )
