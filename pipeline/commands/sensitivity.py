"""`secateur sensitivity`: which parts of a checkpoint can bear cutting."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from pipeline.commands.ranges import SEEDS
from pipeline.progress import bars
from prune.damage import REGIONS, SPARSITIES, By, Cell, Sensitivity, check_tried_method
from speech.corpora import Clip, Corpus, open_corpus
from speech.counted import counted
from speech.errors import BadInput

if TYPE_CHECKING:
    from speech.audio import Floats


@click.command(
    "sensitivity",
    epilog="Example: secateur sensitivity demo-whisper --corpus demo:calibration --plot damage.png",
)
@click.argument("model")
@click.option("--corpus", required=True, help="Speech to measure on, and to calibrate on.")
@click.option("--split", help="Which part of it: test, train, validation …")
@click.option("--by", type=click.Choice(REGIONS), default="layer", show_default=True)
@click.option("--method", default="obs", show_default=True, help="obs, mp_local or wanda.")
@click.option(
    "--sparsities",
    default=",".join(map(str, SPARSITIES)),
    show_default=True,
    help="Between 0 and 1.",
)
@click.option(
    "--clips", type=click.IntRange(1), default=32, show_default=True, help="To measure on."
)
@click.option(
    "--calibration-clips",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help="Others of the corpus, at most, that obs and wanda are shown.",
)
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Draws clips.")
@click.option("--wer", is_flag=True, help="Also the word error rate of every cell; slow.")
@click.option("--layers", multiple=True, help="Globs or components, such as encoder.ffn [all].")
@click.option("--revision", help="Branch, tag or commit of a hub model.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw a heat map, a PNG.")
def command(
    model: str,
    corpus: str,
    split: str | None,
    by: str,
    method: str,
    sparsities: str,
    clips: int,
    calibration_clips: int,
    seed: int,
    wer: bool,
    layers: tuple[str, ...],
    revision: str | None,
    device: str,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Cut one part of MODEL at a time, leave the rest dense, and see how much the answers change.

    Damage is the Kullback-Leibler divergence from the dense model's answers, in nats per token
    (Whisper) or frame (CTC), on clips that the method was not calibrated on.
    """
    check_tried_method(method)
    grid = _parsed(sparsities)
    if plot:
        _check_plot(plot)
    spoken = open_corpus(corpus, split=split)
    heard, shown = _dealt(spoken, clips, calibration_clips if method != "mp_local" else 0, seed)

    from prune.checkpoint import open_checkpoint
    from prune.device import chosen_device
    from prune.sensitivity import sensitivity

    chosen = chosen_device(device)
    checkpoint = open_checkpoint(model, revision=revision)
    checkpoint.model.to(chosen)
    with bars() as report:
        result = sensitivity(
            checkpoint,
            _Read(heard),
            calibration=_Read(shown) if shown else None,
            method=method,
            by=cast(By, by),
            sparsities=grid,
            layers=layers,
            normalizer=spoken.normalizer if wer else None,
            seed=seed,
            report=report,
        )
    if plot:
        from pipeline.plots.heat_map import draw_heat_map

        draw_heat_map(result, plot, corpus=spoken.name)
    if as_json:
        click.echo(json.dumps(result.to_json() | {"corpus": spoken.name}))
        return
    _show(result, spoken.name)
    if plot:
        click.echo(f"The heat map is in {plot}.")


class _Read:
    """Clips read from disk whenever they are asked for."""

    def __init__(self, clips: tuple[Clip, ...]):
        self._clips = clips

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int, /) -> "tuple[Floats, str]":
        clip = self._clips[index]
        return clip.samples(), clip.text


def _parsed(sparsities: str) -> tuple[float, ...]:
    found = []
    for word in sparsities.split(","):
        try:
            sparsity = float(word)
        except ValueError:
            raise BadInput(
                f"--sparsities {sparsities!r}: {word.strip()!r} is no number; "
                "give some between 0 and 1 with commas between them, such as 0.5,0.8."
            ) from None
        if not 0 <= sparsity <= 1:
            raise BadInput(f"--sparsities {sparsities!r}: {word.strip()} is not between 0 and 1.")
        found.append(sparsity)
    return tuple(found)


def _check_plot(plot: Path) -> None:
    """Raise for what would fail only after minutes of measuring."""
    from importlib.util import find_spec

    from pipeline.plots.style import check_picture

    check_picture(plot)
    if find_spec("matplotlib") is None:
        raise BadInput(
            "--plot needs matplotlib, which is not installed: pip install 'secateur[host]'."
        )


def _dealt(
    corpus: Corpus, clips: int, others: int, seed: int
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Clips to measure on, and others to calibrate on: none is both."""
    if others and clips >= len(corpus):
        raise BadInput(
            f"{corpus.name} has {counted(len(corpus), 'clip')}: --clips {clips} leaves none to "
            "calibrate on; ask for fewer, name a larger corpus, or take --method mp_local, which "
            "needs none."
        )
    heard = corpus.limit(clips, seed).clips
    taken = {clip.name for clip in heard}
    drawn = corpus.limit(clips + others, seed).clips
    return heard, tuple(clip for clip in drawn if clip.name not in taken)


def _show(result: Sensitivity, corpus: str) -> None:
    heard = f"{counted(result.clips, 'clip')} of {corpus} ({counted(result.answers, result.unit)})"
    if result.calibration_clips:
        heard += f", calibrated on {result.calibration_clips} others"
    click.echo(f"{result.model}, {result.method}, by {result.by}: {heard}")
    click.echo(f"KL divergence from the dense model, nats per {result.unit}; * the most sensitive")
    from pipeline.plots.style import brief

    _table(result, lambda cell: brief(cell.divergence))
    if result.dense:
        d = result.dense
        click.echo(
            f"\nWER in %, normaliser {d.normalizer}; dense {100 * d.wer:.2f} "
            f"(95 %: {100 * d.wer_low:.2f} to {100 * d.wer_high:.2f}); intervals are in the JSON"
        )
        _table(result, lambda cell: f"{100 * cell.score.wer:.1f}" if cell.score else "")


def _table(result: Sensitivity, written: Callable[[Cell], str]) -> None:
    """Regions in the order of the model; the star is always for the divergence."""
    worst = result.most_sensitive()
    width = max(len(row.name) for row in result.rows)
    heads = "".join(f"{100 * sparsity:>7.4g}%" for sparsity in result.sparsities)
    click.echo(f"{'':<{width}}{heads}")
    for row in result.rows:
        cells = "".join(
            f"{written(cell):>7}{'*' if row.name == name else ' '}"
            for cell, name in zip(row.cells, worst, strict=True)
        )
        click.echo(f"{row.name:<{width}}{cells}".rstrip())
