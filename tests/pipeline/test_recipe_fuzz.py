"""Thousands of damaged recipes: a checked recipe, or sentences on what is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from pipeline.recipe import read_recipe
from pipeline.recipe.reading import recipe_of
from speech.errors import BadInput
from tests.mutations import mutated, scrambled

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize(
    "cases", [pytest.param(60, id="some"), pytest.param(2000, id="many", marks=pytest.mark.long)]
)
def test_recipes(cases: int, tmp_path: Path) -> None:
    rng, file = np.random.default_rng(0), tmp_path / "recipe.toml"
    texts = [path.read_bytes() for path in RECIPES]
    tables = [tomllib.loads(text.decode()) for text in texts]
    good = 0
    for number in range(cases):
        chosen = int(rng.integers(len(texts)))
        try:
            if number % 2:
                found = recipe_of(mutated(tables[chosen], rng), "recipe.toml")
            else:
                file.write_bytes(scrambled(texts[chosen], rng))
                found = read_recipe(file)
        except BadInput as problem:
            assert 10 < len(str(problem)) < 2000, str(problem)[:300]
            assert "recipe.toml" in str(problem)
        else:
            good += bool(found.models)
    assert 0 < good < cases
