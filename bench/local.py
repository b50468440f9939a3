"""Measures bundles on this machine: one fresh process per bundle, one failure never ends the rest.

A fresh process is what makes peak memory and start-up honest, and what lets a case that crashes,
hangs or is killed for memory become a line in the results instead of the end of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import bench
from bench.agent.case import Case
from bench.agent.measure import describe_variant
from bench.agent.measurement import Measurement
from bench.clips import clip_files
from runtime.bundle import Bundle
from speech.corpora.corpus import Clip
from speech.errors import BadInput

ROOT = Path(bench.__file__).resolve().parents[1]  # where the rooms lie
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Step:
    """What `measure_here` reports: a case begins (with its process id) or ends, perhaps badly."""

    stage: Literal["started", "measured", "failed"]
    bundle: Path
    index: int  # from 0
    total: int
    pid: int | None = None  # of the measuring process, while it runs
    error: str | None = None


Progress = Callable[[Step], None]


def measure_here(
    bundles: Sequence[Path],
    clips: Sequence[Clip],
    *,
    threads: int = 1,
    warm_up: int = 3,
    samples: int = 20,
    timeout: float = 900.0,
    progress: Progress | None = None,
) -> list[Measurement]:
    """One measurement per bundle, in order; a failed one has its `error` set.

    `samples` is the count of timed transcriptions of each clip, `timeout` the seconds one bundle
    may take in all.
    """
    with tempfile.TemporaryDirectory(prefix="secateur-clips-") as folder:
        files = tuple(clip_files(clips, Path(folder)))
        cases = [Case(path.resolve(), files, threads, warm_up, samples) for path in bundles]
        return [
            _reported(case, timeout, Step("started", case.bundle, index, len(cases)), progress)
            for index, case in enumerate(cases)
        ]


def _reported(case: Case, timeout: float, step: Step, progress: Progress | None) -> Measurement:
    """One case, with its beginning and its end told to `progress`."""

    def started(pid: int) -> None:
        if progress:
            progress(replace(step, pid=pid))

    measurement = _measure_case(case, timeout, started)
    if progress:
        stage: Literal["failed", "measured"] = "failed" if measurement.error else "measured"
        progress(replace(step, stage=stage, error=measurement.error))
    return measurement


def _measure_case(case: Case, timeout: float, started: Callable[[int], None]) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="secateur-case-") as folder:
        file = Path(folder) / "case.json"
        file.write_text(case.to_json(), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.agent", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=_environment(os.environ, case.threads),
        )
        try:
            started(process.pid)
            answer, complaints = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return _failed(case, f"Took longer than {timeout:g} s and was stopped.")
        finally:
            _end(process)
    return _measurement(case, process.returncode, answer, complaints)


def _end(process: subprocess.Popen[str]) -> None:
    """Leaves no process behind, whether the case timed out or the user pressed Ctrl-C."""
    if process.poll() is None:
        process.kill()
        process.communicate()


def _measurement(case: Case, code: int, answer: str, complaints: str) -> Measurement:
    """The agent's answer, or the reason why there is none."""
    if code < 0:
        return _failed(case, _killed(-code))
    try:
        if code == 0:
            return Measurement.from_json(answer)
        return _failed(case, str(json.loads(answer)["error"]))
    except (ValueError, KeyError, TypeError):
        last = complaints.strip().splitlines()[-1:] or ["it said nothing"]
        return _failed(case, f"The measuring process ended with code {code}: {last[0]}")


def _killed(number: int) -> str:
    if number == signal.SIGKILL:
        return "Was killed (SIGKILL): most often the system does this when memory runs out."
    return f"Crashed with {signal.Signals(number).name}."


def _failed(case: Case, error: str) -> Measurement:
    bundle = _opened(case.bundle)
    return Measurement(
        bundle=str(case.bundle),
        name=bundle.manifest.name if bundle else case.bundle.name,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        threads=case.threads,
        bundle_sha256=bundle.sha256 if bundle else None,
        warm_up=case.warm_up,
        error=error,
        variant=describe_variant(bundle) if bundle else None,
    )


def _opened(folder: Path) -> Bundle | None:
    """To say which variant failed, where its manifest can still be read."""
    try:
        return Bundle.open(folder, on_device=True)
    except BadInput:
        return None


def _environment(base: Mapping[str, str], threads: int) -> dict[str, str]:
    """The caller's environment, with every library held to the same count of threads."""
    paths = [str(ROOT), *filter(None, [base.get("PYTHONPATH")])]
    return {
        **base,
        **{name: str(threads) for name in _THREAD_VARIABLES},
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
    }
