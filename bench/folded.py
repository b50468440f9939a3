"""A job's journal as the host reads it: measured, scored, and the best one marked if it tunes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bench.agent.events import JobEnded, Stamped
from bench.agent.job import Job
from bench.agent.measurement import Measurement
from bench.agent.summary import summarise_job
from bench.scored import scored
from bench.tuning import marked


def measurements_of(
    job: Job, events: Iterable[Stamped], device: str | None = None
) -> list[Measurement]:
    """One a case, in the job's order; each names the device if one is given.

    Only a job that has ended has a best case: until then others may be better.
    """
    events = list(events)
    found = scored(map(_sensible, summarise_job(job, events)), job.normalizer)
    if job.tune and any(isinstance(stamped.event, JobEnded) for stamped in events):
        found = marked(found)
    named = {} if device is None else {"device": device}
    return [replace(one, environment={**one.environment, **named}) for one in found]


def _sensible(found: Measurement) -> Measurement:
    """A case fails whose figures are none: what goes in has limits, and so has what comes out."""
    try:
        Measurement.from_json(replace(found, samples=(), transcripts=()).to_json())
    except ValueError as problem:
        error = f"What the device sent makes no figures ({problem}): measure it again."
        kept = ("bundle", "name", "measured_at", "threads", "bundle_sha256", "case", "job")
        return Measurement(**{name: getattr(found, name) for name in kept}, error=error)
    return found
