"""`secateur plot`: runs and sweeps on one picture."""

from __future__ import annotations

import json
from pathlib import Path

import click

_KEYS = ("sparsity", "latency", "size", "memory", "energy", "wer", "cer", "rtf", "wer-there")


@click.command(
    "plot",
    epilog="Example: secateur plot bundles/demo --x size --y wer -o demo.png",
)
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .png, .svg or .pdf file.")
@click.option("--x", "across", type=click.Choice(_KEYS), default="sparsity", show_default=True)
@click.option("--y", "up", type=click.Choice(_KEYS), default="wer", show_default=True)
@click.option("--model", "models", multiple=True, help="Only this model.")
@click.option("--method", "methods", multiple=True, help="Only this method, and the controls.")
@click.option("--device", "devices", multiple=True, help="Only this device.")
@click.option(
    "--bundles", "folders", multiple=True, type=click.Path(path_type=Path),
    help="A folder with the bundles that were measured, if they are elsewhere by now.",
)  # fmt: skip
@click.option("--title", default="", help="Above the picture [what is drawn].")
@click.option("--json", "as_json", is_flag=True, help="Print the points that are drawn.")
def command(
    results: tuple[Path, ...],
    output: Path | None,
    across: str,
    up: str,
    models: tuple[str, ...],
    methods: tuple[str, ...],
    devices: tuple[str, ...],
    folders: tuple[Path, ...],
    title: str,
    as_json: bool,
) -> None:
    """Compare RESULTS: results.jsonl files, stores, folders of runs, files of `secateur sweep`.

    Each method is a line with its colour and marker, hollow where it fine-tunes; runs, models,
    devices and precisions differ by dashes. The dense models are level lines.
    """
    from pipeline.plots.comparison import AXES, compared, draw_comparison, left_out, points
    from pipeline.plots.sources import chosen, read_runs
    from pipeline.plots.style import check_picture
    from speech.errors import BadInput

    if output is None and not as_json:
        raise BadInput("Say with --output which picture to write, such as plot.png, or --json.")
    if output:
        check_picture(output, (".png", ".svg", ".pdf"))
    x, y = AXES[across], AXES[up]
    runs = chosen(read_runs(results, folders), models=models, methods=methods, devices=devices)
    shown = compared(runs, x, y)
    for sentence in left_out(runs, x, y):
        click.echo(f"secateur: {sentence}", err=True)
    if output:
        draw_comparison(shown, output, x, y, title=title)
    if as_json:
        click.echo(json.dumps(points(shown, x, y)))
    elif output:
        lines = len(shown.lines)
        click.echo(f"{output} has {lines} line{'' if lines == 1 else 's'}.")
