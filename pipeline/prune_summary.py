"""What a pruning did, for people: a table by component, changed shapes, and sentences."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from bench.console import SafeConsole
from speech.counted import counted

#: What `prune.reconstruct` puts on every Hessian's diagonal; more is worth a mention.
_USUAL_DAMPING = 0.01


def show(record: Mapping[str, Any], output: str) -> None:
    console = SafeConsole(soft_wrap=True)
    console.print(_components(record["components"]))
    if record["shapes"]:
        console.print(_shapes(record["shapes"]))
    for line in [
        *_dropped(record),
        *_vocabulary(record),
        *_warnings(record),
        _closing(record, output),
    ]:
        console.print(Text(line))


def _components(rows: Sequence[Mapping[str, Any]]) -> Table:
    are_smaller = any(row["left"] != row["weights"] for row in rows)
    have_errors = any(row["error"] is not None for row in rows)
    are_damped = any(_is_unusual(row["damping"]) for row in rows)
    titles = ["component", "weights"]
    titles += ["left"] * are_smaller + ["gone or zero %" if are_smaller else "zeros %"]
    titles += ["error %"] * have_errors + ["most damping"] * are_damped
    grid = _grid(titles)
    for row in rows:
        cells = [row["component"], f"{row['weights']:,}"]
        cells += [f"{row['left']:,}"] * are_smaller + [f"{100 * row['zeros']:.2f}"]
        error, damping = row["error"], row["damping"]
        cells += ["" if error is None else f"{100 * error:.2f}"] * have_errors
        cells += [f"{damping:g}" if _is_unusual(damping) else ""] * are_damped
        grid.add_row(*map(Text, cells))
    return grid


def _shapes(shapes: Mapping[str, Sequence[int]]) -> Table:
    grid = _grid(["heads or neurons of", "before", "after"])
    for name, (before, after) in shapes.items():
        grid.add_row(Text(name), str(before), str(after))
    return grid


def _grid(titles: Sequence[str]) -> Table:
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, title in enumerate(titles):
        side: Literal["left", "right"] = "right" if number else "left"
        grid.add_column(title, justify=side, no_wrap=True)
    return grid


def _dropped(record: Mapping[str, Any]) -> list[str]:
    blocks = record["dropped"]
    return [f"Dropped whole: {', '.join(blocks)}."] if blocks else []


def _vocabulary(record: Mapping[str, Any]) -> list[str]:
    trimmed = record["vocabulary"]
    if trimmed is None:
        return []
    texts = f"the {trimmed['lines']:,} texts of {trimmed['texts']}"
    if not _lost_tokens(record):
        return [f"Vocabulary: all {trimmed['before']:,} tokens are needed for {texts}."]
    return [
        f"Vocabulary: {trimmed['kept']:,} of {trimmed['before']:,} tokens kept, for {texts}; "
        "without fine-tuning expect errors in words that are not in them."
    ]


def _lost_tokens(record: Mapping[str, Any]) -> bool:
    trimmed = record["vocabulary"]
    return trimmed is not None and trimmed["kept"] < trimmed["before"]


def _warnings(record: Mapping[str, Any]) -> list[str]:
    lines = []
    if any(row["error"] is not None for row in record["components"]):
        lines.append("Error: of a layer's outputs in the last cut, squared, mean over the layers.")
    damped = [name for name, share in record["damping"].items() if _is_unusual(share)]
    if damped:
        lines.append(
            f"Damped beyond the usual {_USUAL_DAMPING}, because what they heard was too much "
            f"alike: {counted(len(damped), 'layer')}, {damped[0]} among them."
        )
    for number, lesson in enumerate(record["lessons"], start=1):
        which = f" {number}" if len(record["lessons"]) > 1 else ""
        lines.append(f"Fine-tuning{which}: {told(lesson)}.")
    return lines


def told(lesson: Mapping[str, Any]) -> str:
    """What came of a fine-tuning, without a full stop."""
    losses = {step: loss for step, loss in lesson["held_out"] if loss is not None}
    first, best = losses.get(0), losses.get(lesson["best_step"])
    if lesson["stopped"].startswith("diverged"):
        kept = f"the weights of step {lesson['best_step']} were kept"
        return f"it {lesson['stopped']}; {kept}"
    moved = "" if first is None or best is None else f", held-out loss {first:.3g} to {best:.3g}"
    return (
        f"{lesson['steps']} steps, {lesson['stopped']}, best at step {lesson['best_step']}{moved}"
    )


def _closing(record: Mapping[str, Any], output: str) -> str:
    what = "removed or zero" if record["shapes"] or record["dropped"] else "zero"
    some = record["chosen_layers"] < len(record["layers"])
    chosen = f"{100 * record['achieved_in_chosen']:.2f} % of the weights of the "
    chosen += f"{record['chosen_layers']} chosen layers are {what}: "
    tokens = ", the tokens that went included" if _lost_tokens(record) else ""
    every = f"{100 * record['achieved']:.2f} % of the prunable weights"
    return (
        f"{chosen if some else ''}{every}{'' if some else f' are {what}'} "
        f"({100 * record['model']:.2f} % of the model{tokens}); written to {output}."
    )


def _is_unusual(damping: float | None) -> bool:
    return damping is not None and damping > 1.001 * _USUAL_DAMPING
