"""From a TOML file to a recipe, or to a sentence for each of its faults."""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.recipe.faults import sentence
from pipeline.recipe.schema import Recipe
from speech.errors import BadInput
from speech.parsed import toml_from

#: What nobody meant to be read, and its beginning.
_LONG_WORD = re.compile(r"(\S{60})\S{140,}")


class BadRecipe(BadInput):
    """The first fault; `sentences` has all of them, in the order of the keys."""

    def __init__(self, sentences: list[str]):
        super().__init__(sentences[0])
        self.sentences = sentences


def read_recipe(path: Path) -> Recipe:
    """The recipe, or one sentence with the key, the value and the nearest valid one."""
    return recipe_of(_content(path), str(path))


def recipe_of(content: dict[str, Any], source: str) -> Recipe:
    """`source` is blamed."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        faults = [_LONG_WORD.sub(r"\1…", sentence(each)) for each in error.errors()]
        raise BadRecipe([f"{source}: {fault}." for fault in faults]) from error


def _content(path: Path) -> dict[str, Any]:
    try:
        return toml_from(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            f"{path} does not exist: give a recipe, such as recipes/demo.toml."
        ) from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder: give a recipe file.") from error
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
