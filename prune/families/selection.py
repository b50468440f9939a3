"""Some of a model's prunable layers, as a recipe names them: by glob, by place or by component."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from prune.families.layers import PrunableLayer, component, prunable_layers
from speech.errors import BadInput


def chosen_layers(
    model: nn.Module, patterns: Sequence[str] = (), *, tied: bool = False
) -> dict[str, PrunableLayer]:
    """What the patterns name; without any, every prunable layer."""
    return select(model, patterns, tied=tied) if patterns else prunable_layers(model, tied=tied)


def chosen_weights(
    model: nn.Module, patterns: Sequence[str] = (), *, tied: bool = False
) -> dict[str, Tensor]:
    """Their weights as matrices that share the layers' memory."""
    layers = chosen_layers(model, patterns, tied=tied)
    return {name: layer.weight.detach().flatten(1) for name, layer in layers.items()}


def select(
    model: nn.Module, patterns: Sequence[str], *, tied: bool = False
) -> dict[str, PrunableLayer]:
    """The prunable layers that any of the patterns names, in the order in which the model runs."""
    layers = prunable_layers(model, tied=tied)
    if not patterns:
        raise BadInput("No layer is selected: give at least one name, glob or component.")
    chosen: set[str] = set()
    for pattern in patterns:
        found = matching(layers, pattern)
        if not found:
            raise BadInput(_nothing_found(pattern, layers, prunable_layers(model, tied=True)))
        chosen |= found
    return {name: layer for name, layer in layers.items() if name in chosen}


def matching(names: Iterable[str], pattern: str) -> set[str]:
    """The layers that one pattern names.

    A pattern is a layer's name, a glob over names (`*` also spans dots), the place of a module with
    layers in it (`decoder.layers.0`), a component (`decoder.ffn`), or the first or last words of
    one (`decoder`, `ffn`, `attention`). The name of the whole model in front (`model.`, `sew.`,
    `wav2vec2.`) may be left out.
    """
    return {name for name in names if _names(pattern, name) or _is_part(pattern, component(name))}


def did_you_mean(word: str, known: Collection[str]) -> str:
    """` (did you mean 'x'?)` with the nearest known word, or nothing where none is near."""
    near = difflib.get_close_matches(word, known, 1, 0.4)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _names(pattern: str, name: str) -> bool:
    within = pattern.rstrip(".") + ".*"
    return any(
        fnmatchcase(path, pattern) or fnmatchcase(path, within)
        for path in (name, name.partition(".")[2] or name)
    )


def _is_part(pattern: str, place: str) -> bool:
    starts = place == pattern or place.startswith(pattern + ".")
    return bool(pattern) and (starts or place.endswith(("." + pattern, "_" + pattern)))


def _nothing_found(pattern: str, names: Iterable[str], with_tied: Iterable[str]) -> str:
    if matching(with_tied, pattern):
        return (
            f"{pattern!r} is the vocabulary projection, which pruning leaves alone: "
            "name other layers, or ask for the tied weights too."
        )
    places = {component(name) for name in names}
    known = places | {place.partition(".")[0] for place in places}
    for name in names:
        known |= {name, name.partition(".")[2] or name}
    return (
        f"{pattern!r} matches no prunable layer{did_you_mean(pattern, sorted(known))}: "
        f"give a layer's name, a glob over names or one of {', '.join(sorted(places))}."
    )
