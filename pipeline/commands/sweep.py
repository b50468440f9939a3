"""`secateur sweep`: word error rate over methods and sparsities, in PyTorch, nothing exported."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.ranges import SEEDS
from pipeline.progress import bars
from speech.errors import BadInput

if TYPE_CHECKING:
    from pipeline.sweep_results import Point, Sweep
    from speech.corpora import Corpus


@click.command(
    "sweep",
    epilog="Example: secateur sweep --model demo-sew --methods mp_global,obs "
    "--sparsities 0.0,0.3,0.5 --corpus demo --calibrate demo:calibration --output results.json",
)
@click.option("--model", required=True, help="A checkpoint folder or a hub name.")
@click.option("--methods", required=True, help="Names of `secateur methods`, with commas.")
@click.option("--sparsities", required=True, help="From 0, the dense model, to 1, with commas.")
@click.option("--corpus", required=True, help="Speech that every model is scored on.")
@click.option("--num-samples", type=click.IntRange(1), help="So many of its clips, drawn [all].")
@click.option("--calibrate", metavar="CORPUS", help="Speech for methods that listen or fine-tune.")
@click.option(
    "--calibration-clips", type=click.IntRange(1), default=128, show_default=True, metavar="N",
    help="So many of it at most, drawn.",
)  # fmt: skip
@click.option("--steps", type=click.IntRange(1), help="Of fine-tuning [300].")
@click.option("--seed", type=SEEDS, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="A .json file, written anew after each point; the same sweep goes on with it.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Begin anew, whatever is in that file.")
@click.option("--json", "as_json", is_flag=True, help="Print what is in the file.")
def command(
    model: str,
    methods: str,
    sparsities: str,
    corpus: str,
    num_samples: int | None,
    calibrate: str | None,
    calibration_clips: int,
    steps: int | None,
    seed: int,
    device: str,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Prune copies of a model by each method to each sparsity, and score them all.

    Nothing is exported or timed: `secateur run` does that. The dense model is scored once, at 0;
    where a method fine-tunes, also the dense model that was fine-tuned for as long. `secateur plot`
    draws the file.
    """
    names, shares = _methods(methods), _sparsities(sparsities)
    _check_methods(names, calibrate)
    _check_output(output)

    from pipeline.sweep_results import begun
    from speech.corpora import open_corpus

    clips = open_corpus(corpus, limit=num_samples, seed=seed)
    speech = open_corpus(calibrate, limit=calibration_clips, seed=seed) if calibrate else None
    settings = {
        "model": model,
        "methods": names,
        "sparsities": shares,
        "corpus": clips.name,
        "clips": len(clips),
        "calibrate": speech.name if speech else None,
        "calibration_clips": len(speech) if speech else 0,
        "steps": steps,
        "seed": seed,
        "device": device,
        **_fingerprints(model, clips, speech),
    }
    sweep = begun(output, settings, force=force)
    sweep = _carried_out(sweep, clips, speech, output)
    if as_json:
        click.echo(json.dumps(asdict(sweep)))
    else:
        _show(sweep)
        click.echo(f"The points are in {output}; `secateur plot {output} -o sweep.png` draws them.")
    if missing := [point for point in sweep.points if point.problem]:
        raise BadInput("; ".join(f"{_name(point)}: {point.problem}" for point in missing))


def _fingerprints(model: str, clips: Corpus, speech: Corpus | None) -> dict[str, Any]:
    """What the names alone do not say: a folder may have changed since."""
    from pipeline.plan import corpus_digest, model_digest, versions

    return {
        "normalizer": clips.normalizer,
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "model_sha256": model_digest(model),
        "corpus_sha256": corpus_digest(clips),
        "calibration_sha256": corpus_digest(speech) if speech else None,
    }


def _carried_out(sweep: Sweep, clips: Corpus, speech: Corpus | None, output: Path) -> Sweep:
    """Opens the model only where there is something to do."""
    from pipeline.sweep import Workbench, asked, carried_out

    settings: Mapping[str, Any] = sweep.settings
    wanted = asked(settings["methods"], settings["sparsities"])
    if all(sweep.has(one.method, one.sparsity) for one in wanted):
        return sweep

    from prune.checkpoint import open_checkpoint
    from prune.device import chosen_device
    from prune.options import Options
    from prune.training_plan import FineTuning

    place = chosen_device(settings["device"])
    dense = open_checkpoint(settings["model"])
    dense.model.to(place)
    wished = {} if settings["steps"] is None else {"steps": settings["steps"]}
    options = Options(
        seed=settings["seed"], fine_tuning=FineTuning(seed=settings["seed"], **wished)
    )
    with bars() as report:
        bench = Workbench(dense, clips, options, speech=speech, report=report)
        for step in carried_out(bench, sweep, wanted, output):
            sweep = step
            click.echo(_line(sweep.points[-1]), err=True)
    return sweep


def _methods(text: str) -> list[str]:
    from prune.methods import METHODS, check_method

    names = [name.strip() for name in text.split(",") if name.strip()]
    names = [name for name in dict.fromkeys(names) if name != "dense"]
    if not names:
        raise BadInput(f"--methods {text!r} names none: choose from {', '.join(METHODS)}.")
    for name in names:
        check_method(name)
    return names


def _sparsities(text: str) -> list[float]:
    found: list[float] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            share = float(word)
        except ValueError:
            raise BadInput(
                f"--sparsities {text!r}: {word!r} is no number; give some between 0 and 1 with "
                "commas between them, such as 0.0,0.5."
            ) from None
        if not 0 <= share <= 1:
            nearest = share / 100 if 1 < share <= 100 else min(1.0, max(0.0, share))
            nearest = nearest if nearest == nearest else 0.5
            raise BadInput(
                f"--sparsities {text!r}: {word} is not between 0 and 1: "
                f"perhaps {nearest:g} was meant."
            )
        found.append(share)
    if not found:
        raise BadInput("--sparsities names none: give some between 0 and 1, such as 0.0,0.5.")
    return sorted(dict.fromkeys(found))


def _check_methods(names: Sequence[str], calibrate: str | None) -> None:
    from prune.methods import METHODS

    for name in names:
        method = METHODS[name]
        if method.allocation == "profile":
            near = difflib.get_close_matches(
                name.partition("_")[0],
                [n for n in METHODS if METHODS[n].allocation != "profile"],
                1,
            )
            raise BadInput(
                f"{name} cuts every component by a sparsity of its own, and a sweep has one for "
                f"all: leave it out{f', or take {near[0]}' if near else ''}."
            )
        if method.listens and not calibrate:
            raise BadInput(
                f"{name} listens to speech: add --calibrate, such as demo:calibration, that is "
                "not what is scored on."
            )


def _check_output(output: Path) -> None:
    from runtime.whole_folder import refuse_unwritable

    if output.suffix.lower() != ".json":
        raise BadInput(
            f"--output {output} does not end in .json: name it {output.with_suffix('.json')}."
        )
    refuse_unwritable(output, into=output.absolute().parent)


def _line(point: Point) -> str:
    if point.score is None:
        return f"{_name(point)}: {point.problem}"
    wer, zeros = 100 * point.score["wer"], 100 * (point.achieved or 0.0)
    return f"{_name(point)}: {zeros:.1f} % zeros, WER {wer:.1f} %"


def _name(point: Point) -> str:
    return f"{point.method} {100 * point.sparsity:g} %" if point.sparsity else point.method


def _show(sweep: Sweep) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from bench.console import SafeConsole

    heads = ("method", "asked %", "zeros %", "WER % [95 %]", "CER %", "sub", "ins", "del",
             "prune s", "listen s")  # fmt: skip
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, head in enumerate(heads):
        grid.add_column(head, justify="right" if place else "left", no_wrap=True)
    for point in sweep.points:
        if point.score:
            grid.add_row(*_cells(point, point.score))
    console = SafeConsole()
    console.width = console.width if console.is_terminal else max(console.width, 100)
    console.print(grid)


def _cells(point: Point, found: Mapping[str, Any]) -> list[str]:
    wer, low, high, cer = (100 * found[key] for key in ("wer", "wer_low", "wer_high", "cer"))
    return [
        point.method,
        f"{100 * point.sparsity:g}",
        f"{100 * (point.achieved or 0.0):.1f}",
        f"{wer:.2f} [{low:.2f}–{high:.2f}]",
        f"{cer:.2f}",
        *(str(found[key]) for key in ("substitutions", "insertions", "deletions")),
        f"{point.prune_seconds or 0.0:.1f}",
        f"{point.listen_seconds or 0.0:.1f}",
    ]
