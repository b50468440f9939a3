"""The fold: a job and its events into one measurement a case. Pure, on the device and the host.

Order and durations come from the order of the lines and the monotonic clock; the wall clock only
says when something was.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bench.agent.events import PhaseName, Sampled, Stamped
from bench.agent.interval import Interval, median_interval
from bench.agent.job import Case, Job
from bench.agent.latency import Latency, summarise
from bench.agent.ledger import Ledger, Turn
from bench.agent.measurement import Conditions, Heard, Measurement, Sample, Start
from bench.agent.memory import MemoryReading, largest
from bench.agent.power import joules_per_clip, mean_watts
from bench.agent.sustained import stretches
from bench.agent.verdicts import verdicts_on


def summarise_job(job: Job, events: Iterable[Stamped]) -> list[Measurement]:
    """One measurement a case, in the job's order; an unfinished one has what there is so far."""
    ledger = Ledger(events)
    return [_measurement(job, case, ledger) for case in job.cases]


def _measurement(job: Job, case: Case, ledger: Ledger) -> Measurement:
    turns = ledger.good_turns(case.id)
    bare = _named(job, case, ledger)
    if not any(turn.samples for turn in turns):
        return bare
    clips = job.clips
    samples = [_sample(clips[s.clip].label, s) for turn in turns for _, s in turn.samples]
    interval = median_interval((s.clip, s.seconds) for turn in turns for _, s in turn.samples)
    lengths = {s.clip: s.audio_seconds for turn in turns for _, s in turn.samples}
    sustained = job.plan.sustained_seconds
    queued_share = _queued_share(samples, case.settings.threads)
    return replace(
        bare,
        measured_at=_moment(job, turns[0]),
        import_seconds=_median_phase(turns, "import"),
        load_seconds=_median_phase(turns, "load"),
        first_seconds=_median_phase(turns, "first"),
        starts=tuple(filter(None, map(_start, turns))),
        samples=tuple(samples),
        latency=_latency(samples, interval),
        phase_medians=_phase_medians(samples),
        real_time_factor=statistics.median(s.seconds / s.audio_seconds for s in samples),
        tokens_per_second=_tokens_per_second(samples),
        token_seconds=_token_seconds(samples),
        audio_seconds=sum(lengths.values()),
        memory=_memory(turns),
        transcripts=_transcripts(job, turns),
        loaded_forbidden=_forbidden(turns),
        turns=len(turns),
        conditions=_conditions(turns),
        watts=mean_watts(turns),
        joules_per_clip=joules_per_clip(turns),
        sustained=stretches(turns[0], sustained) if sustained else (),
        queued_share=queued_share,
        verdicts=verdicts_on(
            job.plan,
            turns,
            interval=interval,
            queued_share=queued_share,
            emulated=bool(ledger.environment.get("emulation")),
        ),
    )


def _named(job: Job, case: Case, ledger: Ledger) -> Measurement:
    """What is known of a case before anything of it was measured, and why nothing was."""
    facts, end = ledger.cases.get(case.id), ledger.case_ends.get(case.id)
    turns = ledger.all_turns(case.id)
    return Measurement(
        bundle=str(case.bundle),
        name=facts.name if facts else case.bundle.name,
        measured_at=_moment(job, turns[0]) if turns else job.created,
        threads=case.settings.threads,
        bundle_sha256=facts.bundle_sha256 if facts else case.bundle_sha256,
        error=end.error if end else None,
        reason=end.reason if end else None,
        variant=facts.variant if facts else None,
        warm_up=job.plan.warm_up,
        device_bytes=facts.device_bytes if facts else None,
        bundle_bytes=facts.bundle_bytes if facts else None,
        environment=ledger.environment,
        case=case.id,
        job=job.id,
        settings=case.settings.to_json(),
        corpus=job.corpus,
        corpus_set=job.corpus_set,
        clip_set=job.clip_set,
        clips=len(job.clips),
    )


def _moment(job: Job, turn: Turn) -> str:
    """By the device's clock, unless that is behind: nothing is measured before it is asked for."""
    return max(turn.at, job.created)


def _sample(clip: str, event: Sampled) -> Sample:
    return Sample(
        clip=clip,
        seconds=event.seconds,
        audio_seconds=event.audio_seconds,
        phases=event.phases,
        tokens=event.tokens,
        turn=event.turn,
        queued_seconds=event.queued_seconds,
    )


def _queued_share(samples: Sequence[Sample], threads: int) -> float | None:
    told = [(s.queued_seconds, s.seconds) for s in samples if s.queued_seconds is not None]
    seconds = sum(seconds for _, seconds in told)
    return sum(queued for queued, _ in told) / seconds / threads if seconds > 0 else None


def _latency(samples: Sequence[Sample], interval: Interval | None) -> Latency:
    latency = summarise([sample.seconds for sample in samples])
    if interval is None:
        return latency
    low, high = interval.low * latency.median, interval.high * latency.median
    return replace(latency, median_low=low, median_high=high)


def _start(turn: Turn) -> Start | None:
    """None for a turn that lacks a phase."""
    seconds = {phase.name: phase.seconds for phase in turn.phases}
    if len(seconds) < 3:
        return None
    return Start(turn.number, seconds["import"], seconds["load"], seconds["first"])


def _median_phase(turns: Sequence[Turn], name: PhaseName) -> float | None:
    seconds = [phase.seconds for turn in turns for phase in turn.phases if phase.name == name]
    return statistics.median(seconds) if seconds else None


def _phase_medians(samples: Sequence[Sample]) -> dict[str, float]:
    """Seconds by phase, over the samples that have the phase."""
    names = dict.fromkeys(name for sample in samples for name in sample.phases)
    return {
        name: statistics.median(sample.phases[name] for sample in samples if name in sample.phases)
        for name in names
    }


def _tokens_per_second(samples: Sequence[Sample]) -> float | None:
    """Only where tokens are made one after another, which is where there is a first one."""
    made = [sample for sample in samples if "prefill" in sample.phases]
    seconds = sum(s.phases["prefill"] + s.phases.get("decode", 0.0) for s in made)
    return sum(sample.tokens or 0 for sample in made) / seconds if seconds > 0 else None


def _token_seconds(samples: Sequence[Sample]) -> float | None:
    """The step that finds the end is one more than follow the first token, so there are as many
    steps as tokens."""
    steps = [
        sample.phases["decode"] / sample.tokens
        for sample in samples
        if sample.tokens and {"prefill", "decode"} <= sample.phases.keys()
    ]
    return statistics.median(steps) if steps else None


def _memory(turns: Sequence[Turn]) -> dict[str, MemoryReading]:
    stages: dict[str, list[MemoryReading]] = {}
    for turn in turns:
        for phase in turn.phases:
            stages.setdefault(f"after_{phase.name}", []).append(phase.memory)
        if turn.end and turn.end.memory:
            stages.setdefault("at_end", []).append(turn.end.memory)
    return {stage: largest(readings) for stage, readings in stages.items()}


def _transcripts(job: Job, turns: Sequence[Turn]) -> tuple[Heard, ...]:
    """In the clips' order, each once."""
    texts = {heard.clip: heard.text for turn in turns for heard in turn.transcripts}
    clips = job.clips
    return tuple(Heard(clips[n].label, clips[n].text, texts[n]) for n in sorted(texts))


def _forbidden(turns: Sequence[Turn]) -> tuple[str, ...]:
    names = (name for turn in turns if turn.end for name in turn.end.loaded_forbidden)
    return tuple(dict.fromkeys(names))


def _conditions(turns: Sequence[Turn]) -> Conditions | None:
    readings = [reading for turn in turns for _, reading in turn.readings]
    if not readings:
        return None
    temperatures = [r.temperature for r in readings if r.temperature is not None]
    clocks = [r.clock_mhz for r in readings if r.clock_mhz is not None]
    governors = dict.fromkeys(r.governor for r in readings if r.governor)
    radios = {r.radio for r in readings}
    low_power = {r.low_power for r in readings} - {None}
    return Conditions(
        temperature_at_start=temperatures[0] if temperatures else None,
        temperature_at_most=_of(max, temperatures),
        clock_mhz_at_least=_of(min, clocks),
        clock_mhz_at_most=_of(max, clocks),
        load_at_most=_of(max, [r.load for r in readings if r.load is not None]),
        free_memory_mb_at_least=min(
            (r.free_memory_mb for r in readings if r.free_memory_mb is not None), default=None
        ),
        governor=", ".join(governors) or None,
        radio=radios.pop() if len(radios) == 1 else None,
        low_power=True in low_power if low_power else None,
    )


def _of(choose: Callable[[list[float]], float], values: list[float]) -> float | None:
    return choose(values) if values else None
