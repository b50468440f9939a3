"""Which modules a model calls one after another, so that each can be heard and cut in its turn."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from prune.families.layers import prunable_layers


@dataclass(frozen=True)
class Chain:
    """Modules of which each is fed what the one before it gave, first argument for first result."""

    links: tuple[str, ...]


def chains(model: Any, *, tied: bool = False) -> list[Chain]:
    """All prunable layers, in the order in which the model runs them.

    The blocks of one module list make a chain; a layer outside of any list makes one by itself.
    The vocabulary projection is among them only if `tied`.
    """
    found: dict[str, list[str]] = {}
    for name in prunable_layers(model, tied=tied):
        place, link = _home(model, name)
        links = found.setdefault(place, [])
        if link not in links:
            links.append(link)
    return [Chain(tuple(links)) for links in found.values()]


def _home(model: nn.Module, name: str) -> tuple[str, str]:
    """The outermost module list that a layer is in, and its entry there; else the layer itself."""
    parts = name.split(".")
    for depth in range(1, len(parts)):
        place = ".".join(parts[:depth])
        if isinstance(model.get_submodule(place), nn.ModuleList):
            return place, f"{place}.{parts[depth]}"
    return name, name
