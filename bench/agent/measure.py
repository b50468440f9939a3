"""One case, measured: import, load, first transcription and warm samples, each on its own.

Everything heavy is imported inside `measure`, so that its time and memory can be seen.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

from bench.agent.case import Case, ClipFile
from bench.agent.environment import describe_environment, forbidden_modules
from bench.agent.latency import summarise
from bench.agent.measurement import Heard, Measurement, Sample, Variant
from bench.agent.memory import read_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runtime.bundle import Bundle
    from runtime.transcript import Transcript

    Samples = NDArray[np.float32]
    Transcribe = Callable[[Samples], Transcript]


@dataclass(frozen=True)
class Recording:
    """A clip in memory."""

    name: str
    reference: str
    samples: Samples
    seconds: float


def measure(case: Case) -> Measurement:
    """Measures the case in this process, which must be a fresh one for the memory to mean much.

    Raises BadInput for a bundle or clip that cannot be used.
    """
    started = perf_counter()
    from runtime.bundle import MANIFEST, Bundle
    from runtime.recognizer import open_recognizer
    from speech.audio import RATE, read_audio

    import_seconds = perf_counter() - started
    memory = {"after_import": read_memory()}
    environment = describe_environment()
    audio = [_recording(clip, read_audio(clip.path), RATE) for clip in case.clips]

    started = perf_counter()
    bundle = Bundle.open(case.bundle, on_device=True)
    recognizer = open_recognizer(bundle, threads=case.threads)
    load_seconds = perf_counter() - started
    memory["after_load"] = read_memory()

    first_seconds, _ = _timed(recognizer.transcribe, audio[0].samples)
    memory["after_first"] = read_memory()
    for turn in range(case.warm_up):
        recognizer.transcribe(audio[turn % len(audio)].samples)
    samples, transcripts = _samples(recognizer.transcribe, audio, case.samples)
    memory["at_end"] = read_memory()

    manifest_bytes = (case.bundle / MANIFEST).stat().st_size
    return Measurement(
        bundle=str(case.bundle),
        name=bundle.manifest.name,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        threads=case.threads,
        bundle_sha256=bundle.sha256,
        variant=describe_variant(bundle),
        warm_up=case.warm_up,
        import_seconds=import_seconds,
        load_seconds=load_seconds,
        first_seconds=first_seconds,
        samples=tuple(samples),
        latency=summarise([sample.seconds for sample in samples]),
        phase_medians=_phase_medians(samples),
        real_time_factor=statistics.median(
            sample.seconds / sample.audio_seconds for sample in samples
        ),
        audio_seconds=sum(recording.seconds for recording in audio),
        memory=memory,
        transcripts=tuple(transcripts),
        device_bytes=manifest_bytes + sum(file.size for file in bundle.device_files),
        bundle_bytes=manifest_bytes + sum(file.size for file in bundle.manifest.files),
        environment=environment,
        loaded_forbidden=forbidden_modules(),
    )


def describe_variant(bundle: Bundle) -> Variant:
    """The manifest's facts that a table or a plot of results needs."""
    manifest = bundle.manifest
    return Variant(
        name=manifest.name,
        family=manifest.family,
        method=manifest.method,
        requested_sparsity=manifest.sparsity.requested,
        achieved_sparsity=manifest.sparsity.achieved,
        model_sparsity=manifest.sparsity.model,
        score=manifest.score,
    )


def _recording(clip: ClipFile, samples: Samples, rate: int) -> Recording:
    return Recording(clip.path.name, clip.text, samples, len(samples) / rate)


def _samples(
    transcribe: Transcribe, audio: Sequence[Recording], rounds: int
) -> tuple[list[Sample], list[Heard]]:
    """Round after round over all clips, so that a slow drift falls on every clip alike."""
    samples: list[Sample] = []
    transcripts: list[Heard] = []
    for turn in range(rounds):
        for clip in audio:
            seconds, heard = _timed(transcribe, clip.samples)
            samples.append(Sample(clip.name, seconds, clip.seconds, dict(heard.seconds)))
            if turn == 0:
                transcripts.append(Heard(clip.name, clip.reference, heard.text))
    return samples, transcripts


def _timed(transcribe: Transcribe, samples: Samples) -> tuple[float, Transcript]:
    started = perf_counter()
    heard = transcribe(samples)
    return perf_counter() - started, heard


def _phase_medians(samples: Sequence[Sample]) -> dict[str, float]:
    """Seconds by phase, over the samples that have the phase."""
    names = dict.fromkeys(name for sample in samples for name in sample.phases)
    return {
        name: statistics.median(sample.phases[name] for sample in samples if name in sample.phases)
        for name in names
    }
