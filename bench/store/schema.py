"""The tables, as steps from one version to the next; a step that was shipped is never changed.

`lines` is the truth: the journals as they came. All but `devices`, `jobs`, `lines`, `bundles` and
`places` is made from it and can be made again; `rows` is in `bench.store.row_table`.
"""

from __future__ import annotations

import sqlite3

#: SQLite's mark of whose file this is, so that nobody else's is taken for a store.
APPLICATION = 0x5EC47E4

_FIRST = (
    "CREATE TABLE devices (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    # `text` is job.json; null for what was imported from a results file without its journal.
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        device INTEGER NOT NULL REFERENCES devices (id),
        name TEXT NOT NULL,
        text TEXT,
        fold INTEGER NOT NULL DEFAULT 0,
        UNIQUE (device, name)
    )""",
    # `current` is 0 for lines that the device lost in a power cut after they had been copied.
    """CREATE TABLE lines (
        job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        current INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (job, number, sha256)
    ) WITHOUT ROWID""",
    # `measurement` is bench.agent.measurement.Measurement without its device.
    """CREATE TABLE cases (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        name TEXT NOT NULL,
        bundle_sha256 TEXT,
        measured_at TEXT NOT NULL,
        measurement TEXT NOT NULL,
        UNIQUE (job, name)
    )""",
    # Seconds on the monotonic clock; only turns that ended, and with an error those do not count.
    """CREATE TABLE turns (
        "case" INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        turn INTEGER NOT NULL,
        at TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL NOT NULL,
        error TEXT,
        reason TEXT,
        PRIMARY KEY ("case", turn)
    ) WITHOUT ROWID""",
    """CREATE TABLE samples (
        "case" INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        turn INTEGER NOT NULL,
        clip TEXT NOT NULL,
        seconds REAL NOT NULL,
        audio_seconds REAL NOT NULL,
        tokens INTEGER,
        phases TEXT NOT NULL,
        PRIMARY KEY ("case", place)
    ) WITHOUT ROWID""",
    """CREATE TABLE phases (
        "case" INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        turn INTEGER NOT NULL,
        name TEXT NOT NULL,
        seconds REAL NOT NULL,
        peak_bytes INTEGER,
        pss_bytes INTEGER,
        swap_bytes INTEGER,
        PRIMARY KEY ("case", turn, name)
    ) WITHOUT ROWID""",
    """CREATE TABLE transcripts (
        "case" INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        clip TEXT NOT NULL,
        reference TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY ("case", place)
    ) WITHOUT ROWID""",
    # `facts` is bench.agent.events.Reading; those asked for most have columns.
    """CREATE TABLE readings (
        job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        at TEXT NOT NULL,
        mono REAL NOT NULL,
        boot TEXT NOT NULL,
        temperature REAL,
        clock_mhz REAL,
        throttled INTEGER,
        watts REAL,
        facts TEXT NOT NULL,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID""",
    # Named by the hash of its manifest, so it can be checked.
    "CREATE TABLE bundles (sha256 TEXT PRIMARY KEY, manifest TEXT NOT NULL) WITHOUT ROWID",
)

_SECOND = (
    # Where a bundle lay on this machine: devices know it by folders of their own.
    """CREATE TABLE places (
        sha256 TEXT NOT NULL,
        folder TEXT NOT NULL,
        PRIMARY KEY (sha256, folder)
    ) WITHOUT ROWID""",
)

_THIRD = (
    # Of the journal as it was imported; null for what an older version imported.
    "ALTER TABLE jobs ADD COLUMN bytes INTEGER",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD)


class Foreign(Exception):  # noqa: N818 - says whose file it is, not what broke
    """A file that this version cannot use; the words continue a sentence that names it."""


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Up to the newest version, all steps or none. Raises Foreign for what is not ours."""
    _check(connection)
    if version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check(connection)  # another process may have been faster
        for step in MIGRATIONS[version(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection) -> None:
    found = version(connection)
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    used = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if used and mark != APPLICATION:
        raise Foreign("is an SQLite file of something else: name another one.")
    if found > len(MIGRATIONS):
        raise Foreign(
            f"was written by a newer Secateur (its schema is {found}, this one knows "
            f"{len(MIGRATIONS)}): update Secateur here."
        )
