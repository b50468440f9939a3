"""What measured bundles would take on a device where they were not measured; always ESTIMATED."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from bench.agent.measurement import Measurement
from bench.agent.verdicts import EMULATED
from bench.rows import ESTIMATED, Row, rows_from
from bench.sources import Findings
from device_profiles.estimate import Calibration, Run, Work, calibrate, estimate
from device_profiles.machine import Machine
from device_profiles.probe import THIS, find_profile, profile_for
from device_profiles.profiles import Profile
from export.work import bundle_work
from runtime.bundle import Bundle
from speech.errors import BadInput


@dataclass(frozen=True)
class Estimates:
    """Rows, and one sentence on how they came about and how far to trust them."""

    rows: list[Row]
    about: str


@dataclass(frozen=True)
class Counted:
    """A measurement whose bundle is at hand, and what it computed per clip."""

    found: Measurement
    work: Work
    audio_seconds: float


def estimates(findings: Findings, identifier: str) -> Estimates:
    """One row for each bundle and settings among the findings; ProfileError for an unknown device.

    Runs on such a device, wherever they are among the findings, set the scale.
    """
    profile = find_profile(identifier)
    known = list(counted(findings.measurements, findings.bundles))
    runs = [run_of(one) for one in known if _counts(one.found, profile)]
    calibration, (threads, why) = calibrate(runs, profile.peaks), threads_for(profile, runs)
    rows = [estimated_row(one, findings, profile, calibration, threads) for one in known]
    named = {found.bundle_sha256 or found.name for found in findings.measurements}
    missing = findings.elsewhere + len(named) - len({one.found.bundle_sha256 for one in known})
    about = f"{_about(profile, calibration, missing)} Threads: {threads}, {why}."
    return Estimates(each_once(rows), about)


def each_once(rows: Iterable[Row]) -> list[Row]:
    """Of a bundle in the same settings and for the same clips, whatever threads were measured."""
    kept = {(row.bundle_sha256, row.settings, row.timed_clips): row for row in rows}
    return list(kept.values())


def threads_for(profile: Profile, runs: Sequence[Run] = ()) -> tuple[int, str]:
    """How many threads such a device is to be guessed with, and why.

    Where bundles were measured on one with several counts: what most of them were fastest with.
    """
    bundles: dict[str, dict[int, float]] = {}
    for run in runs:
        times = bundles.setdefault(run.group, {})
        times[run.threads] = min(run.seconds, times.get(run.threads, math.inf))
    votes = Counter(
        min(times, key=times.__getitem__) for times in bundles.values() if len(times) > 1
    )
    if votes:
        most = max(votes.values())
        best = min(count for count, number in votes.items() if number == most)
        return best, "what was measured there is fastest so"
    return min(profile.threads, profile.cores), "as the profile says"


def counted(
    measurements: Iterable[Measurement], bundles: Mapping[str, Bundle]
) -> Iterator[Counted]:
    """Of what was measured without an error, as far as the graphs say what they compute."""
    works: dict[tuple[object, ...], Work] = {}
    for found in measurements:
        bundle = bundles.get(found.bundle_sha256 or "")
        tokens = [sample.tokens for sample in found.samples if sample.tokens is not None]
        is_told = bool(tokens) or (bundle is not None and bundle.manifest.family == "ctc")
        if bundle is None or found.error or not found.samples or not is_told:
            continue
        seconds = statistics.median(sample.audio_seconds for sample in found.samples)
        length = statistics.median(tokens) if tokens else 0.0
        window = found.settings.get("window")
        key = (found.bundle_sha256, round(seconds, 3), round(length, 2), window)
        if key not in works:
            with suppress(BadInput):
                works[key] = bundle_work(
                    bundle, audio_seconds=seconds, tokens=length, window=window
                )
        if key in works:
            yield Counted(found, works[key], seconds)


def run_of(one: Counted) -> Run:
    middle = statistics.median(sample.seconds for sample in one.found.samples)
    return Run(one.work, one.found.threads, middle, one.found.bundle_sha256 or "")


def _counts(found: Measurement, profile: Profile) -> bool:
    """Whether it is a measurement on such a device; memory sizes make no difference."""
    if EMULATED in found.verdicts or found.settings.get("provider", "cpu") != "cpu":
        return False
    machine = machine_of(found)
    if profile.id == THIS:
        return (machine.cpu, machine.cores) == (profile.cpu, profile.cores)
    nearest = profile_for(machine)
    return nearest.id == profile.id or bool(nearest.detect and nearest.detect == profile.detect)


def machine_of(found: Measurement) -> Machine:
    """What it was measured on, as far as the agent could tell."""
    facts = found.environment
    sets = facts.get("instruction_sets")

    def number(key: str) -> int:
        value = facts.get(key)
        return value if isinstance(value, int) else 0

    return Machine(
        model=str(facts.get("model") or ""),
        cpu=str(facts.get("cpu") or ""),
        cores=number("cores"),
        memory_mb=number("memory_mb"),
        architecture=str(facts.get("architecture") or ""),
        page_kb=number("page_kb"),
        instruction_sets=tuple(map(str, sets)) if isinstance(sets, list) else (),
    )


def estimated_row(
    one: Counted, findings: Findings, profile: Profile, calibration: Calibration, threads: int
) -> Row:
    """What the bundle is stays; what was measured of it elsewhere goes."""
    [measured] = rows_from([one.found], findings.manifests)
    seconds = estimate(one.work, profile.peaks, threads=threads, calibration=calibration)
    kept = ("name", "family", "method", "requested_percent", "achieved_percent", "model_percent",
            "wer", "wer_low", "wer_high", "cer", "size_mib", "precision", "model", "settings",
            "bundle_sha256", "corpus", "clips", "normalizer", "window", "timed_corpus",
            "timed_clips")  # fmt: skip
    return replace(
        Row(**{name: getattr(measured, name) for name in kept}),
        device=profile.id,
        machine=profile.name,
        threads=threads,
        latency_ms=1000 * seconds,
        real_time_factor=seconds / one.audio_seconds,
        verdicts=(ESTIMATED,),
    )


def _about(profile: Profile, calibration: Calibration, missing: int) -> str:
    if not calibration.runs:
        how = (
            "from data sheets alone, for nothing was measured there: it may be off by several times"
        )
    elif calibration.error is None:
        how = "from data sheets and one bundle that was measured there; its error is not known"
    else:
        how = (
            f"from data sheets and {calibration.runs} measurements there; foretelling each bundle "
            f"from the others, it is off by a factor of {calibration.error:.2f}"
        )
    left = (
        f" {missing} bundles are left out: they are not at hand, or cannot be counted."
        if missing
        else ""
    )
    return f"{ESTIMATED} for {profile.id} {how}.{left}"
