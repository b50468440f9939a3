"""docs/recipes.md: every key of a recipe, from the schema and the comments above its fields."""

import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from pipeline.recipe.faults import section_of
from pipeline.recipe.pruning import FineTuningSection, PruneSection
from pipeline.recipe.schema import Recipe
from pipeline.recipe.section import Section
from pipeline.recipe.toml_text import spelt
from prune.methods import METHODS
from prune.option_use import check_use
from prune.options import Options
from prune.training_plan import FineTuning
from speech.errors import BadInput

_INTRODUCTION = """\
# Recipes: what they may say

A recipe is a TOML file that says what to prune, how, and how to measure it. `secateur run` does it.

    secateur recipe new --model openai/whisper-tiny --corpus librispeech:test-clean -o study.toml
    secateur recipe check study.toml
    secateur recipe explain study.toml
    secateur run study.toml

`check` ends with 0 or 2 and says every fault in one sentence: the key, its value, what would be
valid, and what was probably meant. It asks no network. What only a run can tell (is the model on
the hub?) it notes, and which keys change nothing. A folder must be there, unless its name begins
with `~`: such a one is for whoever runs the recipe to bring. `explain` lists the bundles and what
each is made from. `secateur recipe import CONFIG.json -o FILE` makes a recipe of a JSON
configuration with the sections model, pruning, evaluation and hardware, and names what has no
counterpart. `secateur recipe reference -o docs/recipes.md` writes this page.

An unknown key is a fault, so is an option for which no chosen method has a use. Every method is
tried at every sparsity, and every variant is written in every precision. A method that fine-tunes
to a sparsity brings `dense_finetune` along, the dense model trained for as long.
"""

#: Where the comments on a section's keys are, beside its own.
_COMMENTED: dict[type[Section], tuple[type[Any], ...]] = {
    PruneSection: (PruneSection, Options),
    FineTuningSection: (FineTuning,),
}
_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_SIGNS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))


def reference() -> str:
    lines = [_INTRODUCTION]
    for title, section in _sections("", Recipe):
        lines += [f"## {f'[{title}]' if title else 'At the top'}", ""]
        lines += ["| key | what | usually | |", "| --- | --- | --- | --- |"]
        lines += [*_rows(section), ""]
    lines += ["## Which method uses which key of [prune]", "", *_uses()]
    return "\n".join(lines).rstrip() + "\n"


def described(section: type[Section]) -> dict[str, str]:
    """What the comments say of each key; a key right below another one shares its comment."""
    found: dict[str, str] = {}
    for kind in _COMMENTED.get(section, (section,)):
        for name, text in comments(kind).items():
            found.setdefault(name, text)
    return {name: found.get(name, "") for name in section.model_fields}


def comments(kind: type[Any]) -> dict[str, str]:
    """By field of a class, the `#:` lines above it."""
    found: dict[str, str] = {}
    text: list[str] = []
    is_open = False
    for line in map(str.strip, inspect.getsource(kind).splitlines()):
        name = line.partition(":")[0]
        if line.startswith("#:"):
            text = [*text, line[2:].strip()] if is_open else [line[2:].strip()]
            is_open = True
        elif name.isidentifier() and ":" in line and text:
            found[name] = " ".join(text)
            is_open = False
        else:
            text, is_open = [], False
    return found


def _sections(title: str, section: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    yield title, section
    for name, field in section.model_fields.items():
        if inner := section_of(field):
            yield from _sections(f"{title}.{name}".lstrip("."), inner)


def _rows(section: type[Section]) -> Iterator[str]:
    texts = described(section)
    for name, field in section.model_fields.items():
        if section_of(field):
            continue
        usual = "must be said" if field.is_required() else _usual(field)
        example = f" Such as `{spelt(field.examples[0])}`." if field.examples else ""
        cells = (f"`{name}`", _kind(field), usual, texts[name].replace("|", "\\|") + example)
        yield "| " + " | ".join(cells) + " |"


def _usual(field: FieldInfo) -> str:
    return "" if field.default in (None, [], {}) else f"`{spelt(field.default)}`"


def _kind(field: FieldInfo) -> str:
    return ", ".join([_type_words(field.annotation), *_limits(field.metadata)])


def _type_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(f"`{spelt(each)}`" for each in get_args(kind))
    inner = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) is list:
        return f"list of {_plural(inner[0])}"
    if get_origin(kind) is dict:
        return "table of numbers"
    if inner:  # Annotated, or one that may be left out
        limits = [each.metadata for each in inner[1:] if isinstance(each, FieldInfo)]
        return ", ".join(
            [_type_words(inner[0]), *_limits([each for some in limits for each in some])]
        )
    return _NAMES[kind]


def _limits(metadata: list[Any]) -> list[str]:
    return [
        f"{sign} {spelt(getattr(limit, name))}"
        for kind, name, sign in _SIGNS
        for limit in metadata
        if isinstance(limit, kind)
    ]


def _plural(kind: Any) -> str:
    inner = get_args(kind)[0] if get_args(kind) else kind
    return {str: "texts", int: "whole numbers"}.get(inner, "numbers from 0 to 1")


def _uses() -> Iterator[str]:
    yield "| key | methods |"
    yield "| --- | --- |"
    for name in PruneSection.model_fields:
        using = [method for method in METHODS if _has_use(method, name)]
        if len(using) < len(METHODS):
            yield f"| `{name}` | {_listed(using)} |"


def _has_use(method: str, option: str) -> bool:
    try:
        check_use([method], {option: option})
    except BadInput:
        return False
    return True


def _listed(methods: list[str]) -> str:
    others = [name for name in METHODS if name not in methods]
    if len(others) < len(methods):
        return f"all but {', '.join(f'`{name}`' for name in others)}"
    return ", ".join(f"`{name}`" for name in methods)
