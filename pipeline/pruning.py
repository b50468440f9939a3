"""One checkpoint pruned to one folder, as `secateur prune` is told to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.needed_texts import NeededTexts, needed_texts
from pipeline.plan import versions
from pipeline.progress import Report
from pipeline.prune_record import Before, outcome
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.device import chosen_device, refuse_gpus
from prune.options import Options
from prune.schedule import prune
from prune.structure.size import size, sparsity_since
from prune.structure.vocabulary import trim_vocabulary
from prune.training_plan import STATE
from runtime.whole_folder import (
    full_disk_is_bad_input,
    refuse_taken,
    refuse_unwritable,
    written_whole,
)
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput


@dataclass(frozen=True)
class Job:
    """What to prune, how, and where it goes."""

    model: str
    revision: str | None
    method: str
    sparsity: float
    options: Options
    #: Corpus to calibrate on, as the user names it, and how many of its clips.
    corpus: str | None
    clips: int
    #: Corpus to learn from, all of it; None for the clips that calibrate.
    lessons: str | None
    #: Texts to keep the tokens of, before anything is cut: a corpus or a file, one text a line.
    vocabulary: str | None
    device: str
    #: Where a run that is stopped leaves its state.
    work: Path | None
    output: Path
    #: That share the fine-tuning.
    gpus: int = 1


def carry_out(job: Job, report: Report) -> dict[str, Any]:
    """The record, which is also in the folder's pruning.json."""
    refuse_taken(job.output)
    if job.work is not None:
        refuse_unwritable(job.work)
    seed = job.options.seed
    speech = open_corpus(job.corpus, limit=job.clips, seed=seed) if job.corpus else None
    lessons = open_corpus(job.lessons) if job.lessons else None
    needed = needed_texts(job.vocabulary) if job.vocabulary is not None else None
    device = chosen_device(job.device)
    refuse_gpus(job.gpus, device)
    if device.type == "mps" and job.options.precision == "float64":
        raise BadInput("An Apple GPU has no float64: leave out --precision, or add --device cpu.")
    with _no_empty_folder(job.work), full_disk_is_bad_input(str(job.output)):
        checkpoint = open_checkpoint(job.model, revision=job.revision)
        dense = size(checkpoint.model)
        vocabulary = _trimmed(checkpoint, needed, report) if needed else None
        before = Before.of(checkpoint.model, job.options)
        checkpoint.model.to(device)
        pruned = prune(
            checkpoint,
            job.method,
            job.sparsity,
            speech if speech is not None else lessons,
            options=job.options,
            lessons=lessons,
            work=job.work,
            report=report,
            processes=job.gpus,
        )
        checkpoint.model.to("cpu")
        if vocabulary:  # the tokens that went count among all weights, as heads do
            whole = sparsity_since(dense, checkpoint.model, None).model
            pruned = replace(pruned, sparsity=replace(pruned.sparsity, model=whole))
        done = outcome(pruned, before, checkpoint.model)
        record = _asked(job, speech, lessons, device.type) | {"vocabulary": vocabulary} | done
        with written_whole(job.output) as folder:
            checkpoint.save(folder)
            text = json.dumps(record, indent=2, allow_nan=False)
            (folder / "pruning.json").write_text(text + "\n", encoding="utf-8")
        _clear(job.work)
    return record


def _trimmed(checkpoint: Checkpoint, needed: NeededTexts, report: Report) -> dict[str, Any]:
    """What the record says of it: tokens before and after, and whose texts they spell."""

    def reported() -> Iterator[str]:
        for done, text in enumerate(needed, start=1):
            yield text
            report("vocabulary", done, needed.count)

    before = checkpoint.model.config.vocab_size
    kept = trim_vocabulary(checkpoint, reported())
    return {"texts": needed.name, "lines": needed.count, "before": before, "kept": len(kept)}


def _asked(job: Job, speech: Corpus | None, lessons: Corpus | None, device: str) -> dict[str, Any]:
    options = asdict(job.options)
    return {
        "source": job.model,
        "revision": job.revision,
        "method": job.method,
        "seed": options["seed"],
        "options": json.loads(json.dumps(options)),  # tuples are lists there
        "corpus": {"name": speech.name, "clips": len(speech)} if speech is not None else None,
        "lesson_corpus": {"name": lessons.name, "clips": len(lessons)} if lessons else None,
        "device": device,
        **({"gpus": job.gpus} if job.gpus > 1 else {}),
        "versions": versions(),
    }


@contextmanager
def _no_empty_folder(work: Path | None) -> Iterator[None]:
    """A state folder with nothing in it does not stay."""
    try:
        yield
    finally:
        if work is not None and work.is_dir() and not any(work.iterdir()):
            work.rmdir()


def _clear(work: Path | None) -> None:
    """What the engine left there; a folder with something else in it stays."""
    if work is None or not work.is_dir():
        return
    for name in STATE:
        (work / name).unlink(missing_ok=True)
