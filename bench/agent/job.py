"""The job: what the host asks a device to measure, checked before anything is run.

A job is a folder. The host writes `job.json`; the agent only ever appends to `journal.jsonl`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from bench.agent.clock import Moment
from bench.agent.measurement import Celsius, ClipName, ClipText
from runtime.settings import Settings
from runtime.whole_folder import whole_file
from speech.clip_set import clip_set
from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import Name, Range, record_from, shortened

VERSION = 1
JOB_FILE = "job.json"

Positive = Annotated[int, Range(1)]
#: Seconds after which something ends.
Limit = Annotated[float, Range(above=0, finest=1e-3)]


@dataclass(frozen=True)
class ClipFile:
    """A recording on disk and what is said in it."""

    path: Path
    text: ClipText
    sha256: Name | None = None
    name: ClipName | None = None  # what results call it; None: as its file

    @property
    def label(self) -> str:
        return self.name or self.path.name


@dataclass(frozen=True)
class Case:
    """One bundle under one group of settings: a line of the comparison."""

    id: Name
    bundle: Path
    settings: Settings
    bundle_sha256: Name | None = None  # as the host knows it; another one is refused


@dataclass(frozen=True)
class Plan:
    """How often, how long and under which limits each case is measured."""

    warm_up: Annotated[int, Range(0)] = (
        3  # transcriptions after the first one that are thrown away, in each turn
    )
    min_samples: Positive = 8
    max_samples: Positive = 200
    tightness: Annotated[float, Range(0)] = (
        0.02  # half the 95 % interval of the median, as a share of it
    )
    budget_seconds: Limit = 60.0  # of all turns of a case together
    turn_samples: Positive = 8  # timed transcriptions in one process
    timeout_seconds: Limit = 900.0  # of one turn
    memory_limit_mb: Positive | None = None  # of a measuring process
    sustained_seconds: Limit | None = None  # one long turn a case instead of many short ones
    cool_to_degrees: Celsius | None = None  # None: two above what it was at the start
    cool_wait_seconds: Annotated[float, Range(0)] = 300.0

    @classmethod
    def exactly(cls, samples: int, **others: Any) -> Self:
        """So many, whatever they tell, in turns of four to eight; but the first hears all clips."""
        plan = cls(
            min_samples=samples,
            max_samples=samples,
            tightness=0.0,
            turn_samples=min(cls.turn_samples, max(4, -(-samples // 4))),
            **others,
        )
        return replace(plan, budget_seconds=plan.timeout_seconds * samples)


@dataclass(frozen=True)
class Job:
    """Everything `job.json` says."""

    id: Name
    created: Moment
    host: Name
    seed: int
    cases: tuple[Case, ...]
    clips: tuple[ClipFile, ...]
    normalizer: Name
    plan: Plan = field(default_factory=Plan)
    wait: bool = False  # for a device that another job has, instead of giving up
    tune: bool = False  # its cases are settings to choose the best from
    corpus: str = ""  # what the clips are of; this and the next are empty in older jobs
    corpus_set: str = ""  # all of its clips, see speech.clip_set

    @classmethod
    def make(
        cls,
        cases: Sequence[Case],
        clips: Sequence[ClipFile],
        *,
        plan: Plan | None = None,
        seed: int = 0,
        normalizer: str = "basic",
        wait: bool = False,
        tune: bool = False,
        corpus: str = "",
        corpus_set: str = "",
    ) -> Job:
        """A new job of this host, named after its own content."""
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        cases, clips, plan = tuple(cases), tuple(clips), plan or Plan()
        host = os.uname().nodename
        marks = (normalizer, plan, wait, tune, corpus, corpus_set)
        job = cls("", created, host, seed, cases, clips, *marks)
        return replace(job, id=job.digest())

    def digest(self) -> str:
        """What `id` has to be: of everything else, with numbers as they are read back."""
        written = {key: value for key, value in self.to_table().items() if key != "version"}
        try:
            read_back = record_from(Job, written)
        except ValueError as problem:
            raise BadInput(f"Such a job cannot be made: {problem}.") from problem
        rest = {**read_back.to_table(), "id": None}
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def clip_set(self) -> str:
        """Which clips these are, as `speech.corpora.Corpus` says it."""
        return clip_set((clip.label, clip.text) for clip in self.clips)

    def to_table(self) -> dict[str, Any]:
        table = {"version": VERSION, **asdict(self)}
        for name in ("tune", "corpus", "corpus_set"):
            if not table[name]:  # older jobs, whose ids are to stay right, know nothing of it
                del table[name]
        for entry, name in (("cases", "bundle"), ("clips", "path")):
            table[entry] = [{**item, name: str(item[name])} for item in table[entry]]
        return table

    def to_json(self) -> str:
        return json.dumps(self.to_table(), ensure_ascii=False, indent=1)


def write_job(folder: Path, job: Job) -> None:
    """`folder/job.json`, whole or not at all; a job that is there is never replaced."""
    with whole_file(folder / JOB_FILE) as file:
        file.write(job.to_json().encode())


def read_job(folder: Path) -> Job:
    """The job in a folder; raises BadInput with the key that is wrong."""
    path = folder / JOB_FILE
    try:
        table = json_from(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise BadInput(f"{folder} is not a job: it has no {JOB_FILE}.") from problem
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem
    except ValueError as problem:
        raise BadInput(f"{path}: is not valid JSON ({problem}).") from problem
    return job_from(table, str(path))


def job_from(table: object, where: str) -> Job:
    """The job in a JSON object; `where` begins every complaint."""
    if not isinstance(table, dict):
        raise BadInput(f"{where}: the job must be a JSON object.")
    if (version := table.get("version")) != VERSION:
        raise BadInput(
            f"{where}: 'version' is {shortened(version)} and this agent reads {VERSION}: "
            "send the job again with the Secateur that is installed here."
        )
    try:
        job = record_from(Job, {key: table[key] for key in table if key != "version"})
    except (ValueError, BadInput) as problem:
        raise BadInput(f"{where}: {str(problem).rstrip('.')}.") from problem
    _check(job, where)
    return job


def _check(job: Job, where: str) -> None:
    for key in ("cases", "clips"):
        if not getattr(job, key):
            raise BadInput(f"{where}: {key!r} must be a list with at least one entry.")
    case, times = Counter(case.id for case in job.cases).most_common(1)[0]
    if times > 1:
        raise BadInput(
            f"{where}: 'cases' has {shortened(case)} twice; each needs an id of its own."
        )
    plan = job.plan
    if plan.max_samples < plan.min_samples:
        raise BadInput(
            f"{where}: plan.max_samples ({plan.max_samples}) must not be below "
            f"plan.min_samples ({plan.min_samples})."
        )
    if job.id != job.digest():
        raise BadInput(
            f"{where}: 'id' is {shortened(job.id)} and the content's is {job.digest()!r}: "
            "the job was changed after it was made; make it again."
        )
