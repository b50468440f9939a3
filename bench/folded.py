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
    found = scored(summarise_job(job, events), job.normalizer)
    if job.tune and any(isinstance(stamped.event, JobEnded) for stamped in events):
        found = marked(found)
    named = {} if device is None else {"device": device}
    return [replace(one, environment={**one.environment, **named}) for one in found]
