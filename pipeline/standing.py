"""How a recipe stands: what is there, what is to be made, and what cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.out_of_reach import out_of_reach
from pipeline.plan import Cell, cells, fingerprints, is_finished
from pipeline.recipe import Recipe
from pipeline.recipe.section import did_you_mean
from speech.corpora import Corpus
from speech.errors import BadInput


@dataclass(frozen=True)
class Standing:
    #: All of the recipe, with their fingerprints.
    wanted: dict[Cell, str]
    chosen: set[Cell]
    to_build: list[Cell]
    #: Why, of those that no method's run can make.
    beyond: dict[Cell, str]

    @property
    def done(self) -> list[Cell]:
        return [cell for cell in self.wanted if self.of(cell) == "done"]

    def of(self, cell: Cell) -> str:
        if cell in self.to_build:
            return "build"
        if cell not in self.chosen:
            return "left out"
        return "out of reach" if cell in self.beyond else "done"


def standing(recipe: Recipe, corpus: Corpus, patterns: Sequence[str], *, force: bool) -> Standing:
    """`patterns` choose by name; what is forced is made again, and tried again."""
    output, chosen = Path(recipe.output), only(recipe, patterns)
    wanted = fingerprints(recipe, corpus)
    beyond = out_of_reach(output, wanted)
    if force:
        beyond = {cell: why for cell, why in beyond.items() if cell not in chosen}
    to_build = [
        cell
        for cell, mark in wanted.items()
        if cell in chosen
        and cell not in beyond
        and (force or not is_finished(output / cell.name, mark))
    ]
    return Standing(wanted, chosen, to_build, beyond)


def only(recipe: Recipe, patterns: Sequence[str]) -> set[Cell]:
    """The cells whose names fit one of the patterns, and the fp32 ones that they are made from."""
    planned = cells(recipe)
    if not patterns:
        return {*planned}
    for pattern in patterns:
        if not any(fnmatchcase(cell.name, pattern) for cell in planned):
            hint = did_you_mean(pattern, [cell.name for cell in planned], 0.4)
            raise BadInput(f"--only {pattern}: the recipe makes no such bundle{hint}.")
    fit = {c for c in planned if any(fnmatchcase(c.name, pattern) for pattern in patterns)}
    return fit | {cell.in_fp32 for cell in fit}
