"""`secateur prune`: one checkpoint, one method, one sparsity."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.calibrate import calibrate
from pipeline.progress import bar
from prune.names import check_method, is_calibrated
from speech.errors import BadInput


@click.command(
    "prune", epilog="Example: secateur prune demo-whisper --method mp_global --sparsity 0.5 -o out"
)
@click.argument("model")
@click.option("--method", required=True, help="One of `secateur methods`.")
@click.option("--sparsity", required=True, type=float, help="Share of prunable weights to zero.")
@click.option("--corpus", help="Speech to calibrate on, for the methods that ask for it.")
@click.option("--clips", type=click.IntRange(1), default=128, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the clips.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--revision", help="Branch, tag or commit of a hub model.")
@click.option("--json", "as_json", is_flag=True, help="Print what was achieved as JSON.")
def command(
    model: str,
    method: str,
    sparsity: float,
    corpus: str | None,
    clips: int,
    seed: int,
    output: Path,
    revision: str | None,
    as_json: bool,
) -> None:
    """Prune MODEL and write a checkpoint that `from_pretrained` opens, with pruning.json beside."""
    check_method(method)
    if is_calibrated(method) and corpus is None:
        raise BadInput(f"{method} calibrates on speech: add --corpus, such as demo:calibration.")
    if not 0 <= sparsity <= 1:
        raise BadInput(f"--sparsity {sparsity} is not between 0 and 1.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BadInput(f"{output} exists and is not an empty folder: choose another -o.")

    from prune.checkpoint import open_checkpoint
    from prune.methods import prune

    checkpoint = open_checkpoint(model, revision=revision)
    heard = calibrate(checkpoint, corpus, clips, seed, bar) if corpus else None
    achieved = asdict(prune(checkpoint.model, method, sparsity, heard))
    record = {"source": model, "method": method, "corpus": corpus, "seed": seed, **achieved}
    beside = output.with_name(f".{output.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    checkpoint.save(beside)
    (beside / "pruning.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if output.exists():
        output.rmdir()
    beside.rename(output)
    if as_json:
        click.echo(json.dumps(record))
        return
    click.echo(
        f"{100 * achieved['achieved']:.2f} % of the prunable weights are zero "
        f"({100 * achieved['model']:.2f} % of the model); written to {output}."
    )
