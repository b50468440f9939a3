"""What a recipe will do, in plain words: its bundles, and what each is made from."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.model_name import ModelName
from pipeline.plan import CONTROL, Cell, cells
from pipeline.recipe.models import Fault, looked_up
from pipeline.recipe.schema import Recipe
from prune.methods import METHODS
from prune.option_use import used
from prune.options import Options, rising
from speech.errors import BadInput

_PLACES = {"bundled": "comes with Secateur", "folder": "a folder", "hub": "from the hub"}


def explained(recipe: Recipe) -> dict[str, Any]:
    """Everything that `text_of` says, for machines."""
    planned = cells(recipe)
    listening = [m for m in recipe.prune.methods if METHODS[m].listens]
    learning = [m for m in recipe.prune.methods if METHODS[m].fine_tunes]
    corpus, measure = recipe.corpus, recipe.measure
    learnt = {"corpus": corpus.lessons, "clips": corpus.lessons_limit}
    calibration = {"corpus": corpus.calibrate, "clips": corpus.calibration_clips}
    return {
        "name": recipe.name,
        "output": recipe.output,
        "seeds": recipe.seeds,
        "models": [_model(name) for name in recipe.models],
        "scored_on": {"corpus": corpus.evaluate, "clips": corpus.limit},
        "calibration": calibration | {"methods": listening} if listening else None,
        "lessons": learnt | {"methods": learning} if learning else None,
        "methods": {name: METHODS[name].summary for name in recipe.prune.methods},
        "bundles": [
            {
                "name": cell.name,
                "model": cell.model,
                "method": cell.method,
                "sparsity": cell.sparsity,
                "precision": cell.precision,
                "seed": cell.seed,
                "made_from": cell.model if cell.precision == "fp32" else cell.in_fp32.name,
                "how": _how(cell, recipe),
            }
            for cell in planned
        ],
        "measured": {
            "clips": measure.clips,
            "samples": measure.samples,
            "threads": measure.threads,
            "devices": measure.devices,
        },
    }


def text_of(record: dict[str, Any]) -> Iterator[str]:
    """Lines."""
    bundles, measured = record["bundles"], record["measured"]
    yield f"{record['name']} makes {_count(len(bundles), 'bundle')} in {record['output']}."
    for model in record["models"]:
        kind = f"{model['kind']}, " if model["kind"] else ""
        yield f"  model     {model['name']} ({kind}{_PLACES[model['from']]})"
    scored = record["scored_on"]
    yield f"  scored on {scored['corpus']}, {_clips(scored['clips'])}"
    if heard := record["calibration"]:
        yield f"  heard     {heard['corpus']}, {_clips(heard['clips'])} at most, by" + (
            f" {', '.join(heard['methods'])}; once for each model"
        )
    if learnt := record["lessons"]:
        source = learnt["corpus"] or "the clips that are heard"
        source += f", {_clips(learnt['clips'])}" if learnt["clips"] else ""
        yield f"  learnt    {source}, by {', '.join(learnt['methods'])}"
    for name, summary in record["methods"].items():
        yield f"  method    {name}: {summary}"
    yield ""
    plain = {bundle["name"]: bundle for bundle in bundles if bundle["precision"] == "fp32"}
    wide = max(map(len, plain))
    for name, bundle in plain.items():
        others = [each["precision"] for each in bundles if each["made_from"] == name]
        also = f"; of it also {', '.join(others)}" if others else ""
        yield f"  {name:<{wide}}  {bundle['how']}{also}"
    yield ""
    yield (
        f"Each bundle is then measured on {_devices(measured['devices'])}: "
        f"{_count(measured['clips'], 'clip')} at most, {_count(measured['samples'], 'time')} "
        f"each, on {_count(measured['threads'], 'thread')}. "
        "What is finished already is not done again."
    )


def _model(name: str) -> dict[str, Any]:
    try:
        kind = looked_up(name).kind
    except (Fault, BadInput):
        kind = None
    return {"name": name, "from": ModelName.of(name).place, "kind": kind}


def _how(cell: Cell, recipe: Recipe) -> str:
    if cell.precision != "fp32":
        return f"its weights in {cell.precision}, scored by onnxruntime"
    steps = _count(recipe.prune.fine_tuning.steps, "step")
    if cell.method == CONTROL:
        return f"nothing cut, fine-tuned for {steps}: what fine-tuned bundles are held against"
    if cell.method not in METHODS:
        return "as it comes, nothing cut"
    options = used(cell.method, recipe.prune.options(cell.seed))
    what = _what(cell, options)
    cuts = [s for s in rising(cell.path, options.step) if s <= cell.sparsity + 1e-9]
    times = _count(len(cuts), "step")
    if cell.path and cell.sparsity < cell.path[-1]:
        times += f" on the way to {_percent(cell.path[-1])}"
    match METHODS[cell.method].schedule:
        case "then fine-tune":
            return f"{what}, then fine-tuned for {steps}"
        case "gradual":
            return f"{what} in {times}, fine-tuned after each, for {steps} in all"
        case "rewind":
            return f"{what} in {times}, each time fine-tuned from the first weights, {steps} in all"
        case "repeat":
            return f"{what} in {times} without training"
        case "parp":
            return f"{what}, regrown and cut again, fine-tuned for {steps} in all"
        case _:
            return f"{what} at once"


def _what(cell: Cell, options: Options) -> str:
    parts = {"blocks": options.blocks, "heads": options.heads, "neurons": options.ffn}
    shares = [f"{100 * part:g} % of the {name}" for name, part in parts.items() if part is not None]
    if options.pattern:
        return "{} of every {} inputs kept".format(*options.pattern)
    if METHODS[cell.method].structure == "heads and neurons":
        shares += [f"heads and neurons cut out to {_percent(cell.sparsity)}"] * bool(cell.sparsity)
        return " and ".join(shares) + (" cut out" if not cell.sparsity else "")
    return f"{_percent(cell.sparsity)} of the weights cut"


def _devices(names: Sequence[str]) -> str:
    return ", ".join("this machine" if name == "this" else name for name in names)


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)


def _clips(count: int | None) -> str:
    return "all clips" if count is None else _count(count, "clip")
