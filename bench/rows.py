"""One line of a comparison: what the manifest claims beside what was measured, in units to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bench.agent.measurement import Fact, Measurement
from bench.agent.verdicts import VALID
from bench.speech_used import Speech, clips_told, scored_speech
from runtime.settings import DEFAULT

MEBIBYTE = 2**20
_USUAL = DEFAULT.to_json()
_ORDER = {name: place for place, name in enumerate(_USUAL)}
#: The verdict on what nobody measured.
ESTIMATED = "ESTIMATED"
#: That on a row whose device clips are of another corpus than the host's WER.
OTHER_CLIPS = "OTHER_CLIPS"


@dataclass(frozen=True, slots=True)
class Row:
    """None where nothing was measured; never a stand-in number."""

    name: str
    family: str = ""
    method: str = ""
    requested_percent: float | None = None  # zeros asked for, of the prunable weights
    achieved_percent: float | None = None  # zeros found, of the prunable weights
    wer: float | None = None  # percent, measured on the host
    wer_low: float | None = None  # percent, 95 % interval
    wer_high: float | None = None
    cer: float | None = None  # percent
    size_mib: float | None = None  # the files a device needs
    latency_ms: float | None = None  # median over every sample
    real_time_factor: float | None = None
    memory_mib: float | None = None  # peak resident memory of the measuring process
    samples: int = 0
    problem: str | None = None  # why numbers are missing, or not to be trusted
    precision: str = ""  # this and the next, where the bundle's manifest is at hand
    model: str = ""  # what was pruned
    device: str = ""
    machine: str = ""  # what the device says that it is
    threads: int | None = None
    settings: str = ""  # what is not as by default, threads aside
    verdicts: tuple[str, ...] = ()
    device_wer: float | None = None  # percent, of what the device heard in the measured clips
    device_wer_low: float | None = None
    device_wer_high: float | None = None
    device_cer: float | None = None
    model_percent: float | None = None  # zeros among all weights
    latency_low_ms: float | None = None  # 95 % interval of the median
    latency_high_ms: float | None = None
    mean_ms: float | None = None
    sd_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    load_ms: float | None = None  # opening the bundle
    first_ms: float | None = None  # the first, cold transcription
    tokens_per_second: float | None = None
    watts: float | None = None
    joules_per_clip: float | None = None
    best_of: int | None = None  # among so many settings, where they were tried for the best
    measured_at: str = ""
    bundle_sha256: str | None = None
    job: str | None = None
    corpus: str = ""  # that the host's WER is of; empty where nobody said
    clips: str = ""  # which clips of it, as `clips_told` has them
    normalizer: str = ""  # of the host's WER
    window: float | None = None  # seconds that the device transcribed at a time; None: as trained
    timed_corpus: str = ""  # what latency, RTF and the device's WER are of, and which clips
    timed_clips: str = ""
    sustained: bool = False  # one long run to see what heat does, which is another thing

    @property
    def identity(self) -> tuple[object, ...]:
        """Of one bundle in the same settings on the same device, timed on the same clips, only the
        newest is compared."""
        bundle = self.bundle_sha256 or self.name
        speech = (self.timed_corpus, self.timed_clips)
        return (self.device, bundle, self.threads, self.settings, *speech, self.sustained)

    @property
    def rank(self) -> tuple[bool, str]:
        """One that was not finished says less than an older one that was."""
        return bool(self.samples or self.problem), self.measured_at


class Described(Protocol):
    """What a row takes from a bundle's manifest."""

    @property
    def precision(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def provenance(self) -> Mapping[str, Any]: ...


def rows_from(
    measurements: Iterable[Measurement], manifests: Mapping[str, Described] | None = None
) -> list[Row]:
    """In the order given; a failed measurement keeps its row, with the reason in `problem`.

    `manifests`, by their hash, say what a measurement does not.
    """
    return [_row(measurement.with_clips(), manifests or {}) for measurement in measurements]


def _row(measurement: Measurement, manifests: Mapping[str, Described]) -> Row:
    manifest = manifests.get(measurement.bundle_sha256 or "")
    variant = measurement.variant
    return Row(
        name=measurement.name,
        size_mib=_scaled(measurement.device_bytes, 1 / MEBIBYTE),
        real_time_factor=measurement.real_time_factor,
        memory_mib=_scaled(measurement.peak_bytes, 1 / MEBIBYTE),
        problem=measurement.error or _leak(measurement),
        precision=manifest.precision if manifest else variant.precision if variant else "",
        model=manifest.model if manifest else variant.model if variant else "",
        device=str(measurement.environment.get("device") or ""),
        machine=machine_of(measurement),
        threads=measurement.threads,
        settings=_settings(measurement.settings),
        load_ms=_scaled(measurement.load_seconds, 1000),
        first_ms=_scaled(measurement.first_seconds, 1000),
        tokens_per_second=measurement.tokens_per_second,
        watts=measurement.watts,
        joules_per_clip=measurement.joules_per_clip,
        best_of=_whole(measurement.environment.get("best_of")),
        measured_at=measurement.measured_at,
        bundle_sha256=measurement.bundle_sha256,
        job=measurement.job,
        sustained=bool(measurement.sustained),
        **_variant(measurement),
        **_heard(measurement),
        **_latency(measurement),
        **_speech(measurement, manifest),
    )


def machine_of(measurement: Measurement) -> str:
    """The board or Mac, else the processor, as the machine names it."""
    facts = measurement.environment
    return str(facts.get("model") or facts.get("cpu") or facts.get("architecture") or "")


def _variant(measurement: Measurement) -> dict[str, Any]:
    variant = measurement.variant
    if variant is None:
        return {}
    score = variant.score or {}
    return {
        "family": variant.family,
        "method": variant.method,
        "requested_percent": _scaled(variant.requested_sparsity, 100),
        "achieved_percent": _scaled(variant.achieved_sparsity, 100),
        "model_percent": _scaled(variant.model_sparsity, 100),
        **{name: _percent(score, name) for name in ("wer", "wer_low", "wer_high", "cer")},
    }


def _heard(measurement: Measurement) -> dict[str, Any]:
    score = measurement.score or {}
    names = ("wer", "wer_low", "wer_high", "cer")
    return {f"device_{name}": _percent(score, name) for name in names}


def _speech(measurement: Measurement, manifest: Described | None) -> dict[str, Any]:
    """What was transcribed, by the host for its WER and by the device against the clock."""
    score = (measurement.variant.score if measurement.variant else None) or {}
    window = measurement.settings.get("window")
    scored = scored_speech(score, manifest.provenance if manifest else None)
    timed = Speech(measurement.corpus, measurement.corpus_set, measurement.clip_set)
    is_other = measurement.latency is not None and timed.is_other_than(scored)
    doubts = (*(mark for mark in measurement.verdicts if mark != VALID), OTHER_CLIPS)
    return {
        "corpus": scored.corpus,
        "clips": clips_told(score.get("clips"), score.get("clip_set"), score.get("words")),
        "normalizer": str(score.get("normalizer") or ""),
        "window": window if isinstance(window, int | float) else None,
        "timed_corpus": measurement.corpus,
        "timed_clips": clips_told(measurement.clips, measurement.clip_set),
        "verdicts": doubts if is_other else measurement.verdicts,
    }


def _latency(measurement: Measurement) -> dict[str, Any]:
    latency = measurement.latency
    if latency is None:
        return {}
    return {
        "samples": latency.count,
        "latency_ms": 1000 * latency.median,
        "latency_low_ms": _scaled(latency.median_low, 1000),
        "latency_high_ms": _scaled(latency.median_high, 1000),
        "mean_ms": 1000 * latency.mean,
        "sd_ms": _scaled(latency.sd, 1000),
        "p90_ms": _scaled(latency.p90, 1000),
        "p95_ms": _scaled(latency.p95, 1000),
        "p99_ms": _scaled(latency.p99, 1000),
    }


def _settings(settings: Mapping[str, Any]) -> str:
    """Such as `spinning, window 5`; older measurements kept none."""
    told = []
    for key in sorted(settings, key=lambda key: (_ORDER.get(key, len(_ORDER)), key)):
        value = settings[key]
        if key == "threads" or value == _USUAL.get(key):
            continue
        told.append(key if value is True else f"no {key}" if value is False else f"{key} {value}")
    return ", ".join(told)


def _leak(measurement: Measurement) -> str | None:
    if not measurement.loaded_forbidden:
        return None
    names = ", ".join(measurement.loaded_forbidden)
    return f"{names} was loaded while measuring: memory and start-up are not a device's."


def _whole(value: Fact) -> int | None:
    return value if isinstance(value, int) else None


def _percent(score: Mapping[str, Any], key: str) -> float | None:
    """Scores are stored as fractions; other versions may lack a key."""
    value = score.get(key)
    return 100 * value if isinstance(value, int | float) else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
