"""Opens the store's file; whatever SQLite has against it becomes one sentence."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.store import row_table
from bench.store.schema import Foreign, migrate
from speech.errors import BadInput

#: Seconds that we wait for another process to finish its writing.
PATIENCE = 30.0
_PAUSE = 0.05
_BEGINS_WITH = b"SQLite format 3\0"


def is_store(path: Path) -> bool:
    """Whether a file is SQLite's, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS_WITH)) == _BEGINS_WITH
    except OSError:
        return False


def no_progress(done: int, total: int) -> None:
    """For whoever need not know."""


@contextmanager
def opened(
    path: Path, *, patience: float = PATIENCE, progress: row_table.Progress = no_progress
) -> Iterator[sqlite3.Connection]:
    """In the newest version; the file is made if it is not there.

    `progress` counts the rows that are made once of a store of an older version.
    """
    with _in_a_sentence(path, patience):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            _keep_a_log(connection, time.monotonic() + patience)
            migrate(connection)
            if not row_table.is_current(connection):
                with transaction(connection):
                    # another process may have been faster
                    if not row_table.is_current(connection):
                        row_table.make_anew(connection, progress)
            yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything written within it, or nothing; one process at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _keep_a_log(connection: sqlite3.Connection, until: float) -> None:
    """Write-ahead, so that readers and a writer do not wait for each other.

    SQLite does not wait by itself where two processes make the same file at once.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            if not _is_locked(problem) or time.monotonic() > until:
                raise
        time.sleep(_PAUSE)


@contextmanager
def _in_a_sentence(path: Path, patience: float) -> Iterator[None]:
    try:
        yield
    except Foreign as problem:
        raise BadInput(f"{path} {problem}") from problem
    except OSError as problem:
        raise BadInput(f"{path}: the store cannot be made ({problem.strerror}).") from problem
    except sqlite3.Error as problem:
        raise BadInput(_told(path, patience, problem)) from problem


def _told(path: Path, patience: float, problem: sqlite3.Error) -> str:
    if _is_locked(problem):
        return (
            f"{path}: another process has been writing this store for {patience:g} s: "
            "wait for it to end, and do it again."
        )
    if getattr(problem, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return (
            f"{path} is no whole store ({problem}): put it aside; the journals it was made of "
            "can be imported again."
        )
    return f"{path}: the store cannot be used ({problem}): see that it can be written to."


def _is_locked(problem: sqlite3.Error) -> bool:
    return str(getattr(problem, "sqlite_errorname", "")).startswith(
        ("SQLITE_BUSY", "SQLITE_LOCKED")
    )
