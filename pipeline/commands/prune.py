"""`secateur prune`: one checkpoint, one method, one sparsity."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.ranges import SEEDS
from pipeline.kept import of_fine_tuning, saying_what_is_kept
from pipeline.progress import bars
from prune.methods import METHODS, check_method
from prune.option_use import check_use, settled_sparsity
from prune.options import Options, parsed_pattern
from prune.training_plan import STATE, FineTuning
from speech.errors import BadInput

if TYPE_CHECKING:
    from pipeline.pruning import Job

#: Options of the command as they are written, by parameter, and the fields of Options they set.
_FIELDS = {
    "layers": ("--layers", "layers"),
    "tied": ("--tied", "tied"),
    "pattern": ("--pattern", "pattern"),
    "share": ("--share", "shares"),
    "hutchinson": ("--hutchinson", "hutchinson"),
    "heads": ("--heads", "heads"),
    "ffn": ("--ffn", "ffn"),
    "blocks": ("--blocks", "blocks"),
    "quick": ("--quick", "quick"),
    "precision": ("--precision", "precision"),
    "step": ("--step", "step"),
    "steps": ("--steps", "fine_tuning"),
    "batch": ("--batch", "fine_tuning"),
    "rate": ("--rate", "fine_tuning"),
    "no_teacher": ("--no-teacher", "fine_tuning"),
    "lessons": ("--lessons", "fine_tuning"),
    "work": ("--work", "fine_tuning"),
    "gpus": ("--gpus", "fine_tuning"),
}

#: Parameters of the command that say what to work on, not how to prune it.
_FOR_THE_JOB = ("revision", "corpus", "clips", "lessons", "vocabulary", "device")


@click.command(
    "prune", epilog="Example: secateur prune demo-whisper --method mp_global --sparsity 0.5 -o out"
)
@click.argument("model")
@click.option("--method", required=True, help="One of `secateur methods`.")
@click.option("--sparsity", type=float, help="Share of the chosen layers' weights to cut.")
@click.option("--corpus", help="Speech to listen to, for the methods that ask for it.")
@click.option("--clips", type=click.IntRange(1), default=128, show_default=True)
@click.option("--seed", type=SEEDS, default=0, show_default=True)
@click.option("--layers", multiple=True, help="Globs or components, such as encoder.ffn [all].")
@click.option("--tied", is_flag=True, help="Cut the vocabulary projection too.")
@click.option("--vocabulary", help="Whisper: keep only tokens of these texts, a file or corpus.")
@click.option("--pattern", help="n:m methods: inputs kept of every so many, such as 2:4.")
@click.option("--share", multiple=True, help="Profiles: component=sparsity, repeatable.")
@click.option("--heads", type=float, help="Structured: share of heads, not a sparsity.")
@click.option("--ffn", type=float, help="Structured: share of FFN neurons, not a sparsity.")
@click.option("--blocks", type=float, help="Structured: share of blocks to drop first.")
@click.option("--hutchinson", type=int, help="Trace: random directions a clip [0: closed form].")
@click.option("--quick", is_flag=True, help="OBS: one sweep instead of a search; less good.")
@click.option("--step", type=float, help=f"Iterative: sparsity from cut to cut [{Options.step}].")
@click.option("--steps", type=int, help=f"Fine-tuning: steps in all [{FineTuning.steps}].")
@click.option("--batch", type=int, help=f"Fine-tuning: clips a step [{FineTuning.batch}].")
@click.option("--rate", type=float, help=f"Fine-tuning: learning rate [{FineTuning.rate}].")
@click.option("--no-teacher", is_flag=True, help="Fine-tuning: from the texts alone.")
@click.option("--lessons", help="Fine-tuning: corpus to learn from, all of it [--corpus].")
@click.option("--work", type=click.Path(path_type=Path), help="State of a stopped run [beside -o].")
@click.option("--gpus", type=click.IntRange(1), help="Fine-tuning: GPUs that share it [1].")
@click.option("--precision", type=click.Choice(["float32", "float64"]), help="Of Hessians.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--revision", help="Branch, tag or commit of a hub model.")
@click.option("--json", "as_json", is_flag=True, help="Print pruning.json.")
def command(model: str, method: str, output: Path, as_json: bool, **given: Any) -> None:
    """Prune MODEL and write a checkpoint that `from_pretrained` opens, with pruning.json beside.

    A run that fine-tunes saves its state every minute or so; the same command resumes there.
    """
    check_method(method)
    check_use(
        [method], {text: field for key, (text, field) in _FIELDS.items() if _is_given(given[key])}
    )
    options = _options(given)
    sparsity = settled_sparsity(method, given["sparsity"], options)
    if sparsity is None:
        raise BadInput(f"How much {method} should cut is not said: add --sparsity, such as 0.5.")
    if METHODS[method].listens and not (given["corpus"] or given["lessons"]):
        raise BadInput(f"{method} listens to speech: add --corpus, such as demo:calibration.")
    fine_tunes = METHODS[method].fine_tunes
    work = given["work"] or output.absolute().with_name(f".{output.name}.work")

    from pipeline.prune_summary import show
    from pipeline.pruning import Job, carry_out

    job = Job(
        model=model,
        method=method,
        sparsity=sparsity,
        options=options,
        work=work if fine_tunes else None,
        output=output,
        gpus=given["gpus"] or 1,
        **{key: given[key] for key in _FOR_THE_JOB},
    )
    with saying_what_is_kept(lambda: _kept(job)), bars() as report:
        record = carry_out(job, report)
    if as_json:
        click.echo(json.dumps(record))
    else:
        show(record, str(output))


def _kept(job: "Job") -> str:
    if job.work is None:
        return "nothing was written"
    kept = of_fine_tuning(job.work / name for name in STATE)
    return f"{kept}, and the same command resumes there" if kept else "nothing had been saved yet"


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ()


def _options(given: Mapping[str, Any]) -> Options:
    wished = {key: given[key] for key in ("steps", "batch", "rate") if given[key] is not None}
    if given["no_teacher"]:
        wished |= {"distil_logits": 0.0, "distil_states": 0.0}
    fields = {
        key: given[key]
        for key in ("heads", "ffn", "blocks", "precision", "step", "hutchinson")
        if given[key] is not None
    }
    patterns = [part.strip() for text in given["layers"] for part in text.split(",")]
    return Options(
        layers=tuple(filter(None, patterns)),
        tied=given["tied"],
        quick=given["quick"],
        seed=given["seed"],
        pattern=parsed_pattern(given["pattern"]) if given["pattern"] else None,
        shares=dict(_share(text) for text in given["share"]),
        fine_tuning=FineTuning(seed=given["seed"], **wished),
        **fields,
    )


def _share(text: str) -> tuple[str, float]:
    name, equals, share = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return name.strip(), float(share)
    except ValueError as error:
        raise BadInput(
            f"--share {text!r} is not component=sparsity: give one such as decoder.ffn=0.7."
        ) from error
