"""Measurements that nobody had to make, and stores of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.agent.latency import Latency
from bench.agent.measurement import Conditions, Fact, Measurement, Sample, Variant
from bench.agent.memory import MemoryReading
from bench.results import write_results
from bench.store.store import Store
from tests.bench.store.journals import small_job, write_folder

MIB = 2**20
FEBRUARY = "2026-02-15T10:00:00+00:00"
E = ("EMULATED",)
PI: dict[str, Fact] = {
    "model": "Raspberry Pi 5 Model B",
    "cpu": "Cortex-A76",
    "cores": 4,
    "architecture": "aarch64",
}


def measurement(
    name: str,
    method: str,
    zeros: float,
    wer: float,
    milliseconds: float,
    *,
    device: str = "pi",
    at: str = "2026-03-01T10:00:00+00:00",
    memory: float = 100.0,
    version: str = "",
    verdicts: tuple[str, ...] = ("VALID",),
    family: str = "whisper",
    model: str = "net",
    speech: Mapping[str, object] | None = None,
    **facts: object,
) -> Measurement:
    """`speech` is what the score says of the clips it is of.

    `zeros` and `wer` are shares; the WER is known to a tenth of itself, the latency to 2 %."""
    seconds, speech = milliseconds / 1000, dict(speech or {})
    score = _score(wer) | speech
    samples = tuple(
        Sample(f"{n}.flac", seconds, 2.0, {"encode": seconds / 2, "decode": seconds / 2}, 5)
        for n in range(4)
    )
    return Measurement(
        bundle=f"/nowhere/{name}",
        name=name,
        measured_at=at,
        threads=1,
        bundle_sha256=hashlib.sha256(f"{name}{version}".encode()).hexdigest(),
        variant=Variant(name, family, method, zeros, zeros, 0.9 * zeros, score, model),
        load_seconds=0.05,
        first_seconds=2 * seconds,
        samples=samples,
        latency=Latency(
            4, seconds, seconds, 0.0, None, None, None, 0.98 * seconds, 1.02 * seconds
        ),
        phase_medians={"encode": seconds / 2, "decode": seconds / 2},
        real_time_factor=seconds / 2,
        memory={"after_load": MemoryReading(int(memory / 2 * MIB), None),
                "at_end": MemoryReading(int(memory * MIB), None)},
        device_bytes=int(6.5 * MIB),
        environment={**PI, "device": device},
        conditions=Conditions(temperature_at_start=45.0, temperature_at_most=61.5),
        verdicts=verdicts,
        job=hashlib.sha256(f"{name}{device}{at}".encode()).hexdigest()[:16],
        **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def _score(wer: float) -> dict[str, object]:
    return {"wer": wer, "wer_low": 0.9 * wer, "wer_high": 1.1 * wer, "cer": wer / 2}


def some() -> list[Measurement]:
    """Of one model on two devices: every kind of row that there can be."""
    return [
        measurement("net-dense", "dense", 0.0, 0.058, 40.0),
        measurement("net-obs-50", "obs", 0.5, 0.060, 40.2),
        measurement("net-obs-70", "obs", 0.7, 0.064, 39.9),
        measurement("net-magnitude-70", "mp_global", 0.7, 0.164, 40.1),
        measurement("net-nm_obs-50", "nm_obs", 0.5, 0.066, 40.0, verdicts=("NOISY",)),
        measurement("net-obs_structured-25", "obs_structured", 0.25, 0.061, 30.0, memory=80),
        measurement("net-obs_structured-50", "obs_structured", 0.5, 0.075, 20.0, memory=60),
        measurement("net-wanda-50", "wanda", 0.5, 0.059, 90.0, memory=2000),
        Measurement("/nowhere/broken", "net-broken", "2026-03-01T10:00:00+00:00", 1,
                    error="Took longer than 5 s and was stopped.",
                    variant=Variant("net-broken", "whisper", "obs", 0.5, 0.5, 0.5, _score(0.06),
                                    "net"),
                    environment={**PI, "device": "pi"}),
        measurement("net-dense", "dense", 0.0, 0.058, 80.0, device="zero", verdicts=E, at=FEBRUARY),
        measurement("net-obs-70", "obs", 0.7, 0.064, 81.0, device="zero", verdicts=E, at=FEBRUARY),
        measurement("net-obs-70", "obs", 0.7, 0.064, 44.0, at="2026-02-01T10:00:00+00:00"),
        measurement("net-obs-70", "obs", 0.7, 0.090, 39.0, at="2026-01-01T10:00:00+00:00",
                    version="older"),
    ]  # fmt: skip


def make_store(path: Path, measurements: Sequence[Measurement] = ()) -> Path:
    """In the order of time, as devices send them."""
    with Store.at(path) as store:
        store.add_results(sorted(measurements or some(), key=lambda one: one.measured_at), "this")
    return path


def add_half_a_journal(store: Path, folder: Path) -> None:
    """A device that is still measuring: the second case has not begun yet."""
    job, events = small_job("half-a", "half-b")
    with Store.at(store) as found:
        found.add_folder(write_folder(folder, job, events[:12]), "pi")


def make_file(path: Path, measurements: Sequence[Measurement] = ()) -> Path:
    write_results(path, list(measurements) or some())
    return path
