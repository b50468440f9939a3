"""From a job's lines to the tables that answer questions; made anew as often as wanted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from bench.agent.events import Reading, Stamped
from bench.agent.job import Job
from bench.agent.ledger import Ledger, Turn
from bench.agent.measurement import Measurement, Sample
from bench.agent.memory import MemoryReading
from bench.store import row_table

#: Counts up when a job's lines are to be folded again, as by a summary that says more.
FOLD = 4


def fold_job(
    connection: sqlite3.Connection, row: int, job: Job, lines: Sequence[tuple[int, Stamped]]
) -> None:
    """Replace all that was made of this job; `row` is its id in `jobs`, within a transaction."""
    from bench.folded import measurements_of  # which scores: numpy, that nobody needs to look

    forget_fold(connection, row)
    events = [stamped for _, stamped in lines]
    ledger = Ledger(events)
    (device,) = connection.execute(
        "SELECT devices.name FROM devices JOIN jobs ON devices.id = jobs.device WHERE jobs.id = ?",
        (row,),
    ).fetchone()
    for place, measurement in enumerate(measurements_of(job, events)):
        case = add_case(connection, row, place, measurement, device)
        _add_turns(connection, case, ledger.all_turns(measurement.case or ""))
    _add_readings(connection, row, lines)
    connection.execute("UPDATE jobs SET fold = ? WHERE id = ?", (FOLD, row))


def forget_fold(connection: sqlite3.Connection, row: int) -> None:
    for table in ("cases", "readings"):
        connection.execute(f"DELETE FROM {table} WHERE job = ?", (row,))


def add_case(
    connection: sqlite3.Connection, row: int, place: int, found: Measurement, device: str
) -> int:
    """With its samples and transcripts; gives its id."""
    name = found.case or found.name
    text = found.with_clips().to_json()
    facts = (row, place, name, found.bundle_sha256, found.measured_at, text)
    added = connection.execute(
        "INSERT INTO cases (job, place, name, bundle_sha256, measured_at, measurement)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        facts,
    )
    case = added.lastrowid
    assert case is not None
    row_table.add_case(connection, case, found, device)
    connection.executemany(
        "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (_sample(case, place, sample) for place, sample in enumerate(found.samples)),
    )
    connection.executemany(
        "INSERT INTO transcripts VALUES (?, ?, ?, ?, ?)",
        (
            (case, place, heard.clip, heard.reference, heard.text)
            for place, heard in enumerate(found.transcripts)
        ),
    )
    return case


def _sample(case: int, place: int, found: Sample) -> tuple[object, ...]:
    phases = json.dumps(dict(found.phases), allow_nan=False)
    about = (found.turn, found.clip, found.seconds, found.audio_seconds, found.tokens, phases)
    return (case, place, *about)


def _add_turns(connection: sqlite3.Connection, case: int, turns: Sequence[Turn]) -> None:
    for turn in turns:
        assert turn.end
        ending = (turn.at, turn.started, turn.ended, turn.end.error, turn.end.reason)
        connection.execute(
            "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?)", (case, turn.number, *ending)
        )
        connection.executemany(
            "INSERT OR REPLACE INTO phases VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (case, turn.number, phase.name, phase.seconds, *_memory(phase.memory))
                for phase in turn.phases
            ),
        )


def _memory(found: MemoryReading) -> tuple[int | None, ...]:
    return found.peak_bytes, found.pss_bytes, found.swap_bytes


def _add_readings(
    connection: sqlite3.Connection, row: int, lines: Iterable[tuple[int, Stamped]]
) -> None:
    connection.executemany(
        "INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (row, number, stamp.at, stamp.mono, stamp.boot, *_told(event))
            for number, stamp, event in (
                (number, stamped.stamp, stamped.event) for number, stamped in lines
            )
            if isinstance(event, Reading)
        ),
    )


def _told(reading: Reading) -> tuple[object, ...]:
    facts = json.dumps(asdict(reading), allow_nan=False)
    return reading.temperature, reading.clock_mhz, reading.throttled, reading.watts, facts
