"""What to do, as a TOML file: models, corpus, methods, sparsities, and how to measure."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from pipeline.recipe_pruning import PruneSection, Section
from runtime.bundle import PRECISIONS
from runtime.packed.writer import HIGHEST_LEVEL
from speech.errors import BadInput


class CorpusSection(Section):
    evaluate: str = "demo:test"
    limit: int | None = Field(None, ge=1)
    calibrate: str = "demo:calibration"
    calibration_clips: int = Field(128, ge=1)
    #: What to learn from, all of it; the clips that calibrate unless it is said.
    lessons: str | None = None
    normalizer: str | None = None


class ExportSection(Section):
    """In what the weights are held. fp32 is always there: the others are made from it."""

    precisions: list[str] = Field(["fp32"], min_length=1)
    #: Whether zeros are left out of the files of all but fp32, which holds its weights plainly.
    packed: bool = True
    #: The PyTorch checkpoint in the fp32 bundle: as transformers writes it, packed, or left out.
    pytorch: Literal["plain", "packed", "none"] = "plain"
    #: The level at which zstd compresses what is packed.
    zstd: int | None = Field(None, ge=1, le=HIGHEST_LEVEL)
    #: By how much the word error rate may exceed that of fp32, as a share of the words.
    most_lost: float | None = Field(None, ge=0)

    @field_validator("precisions")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in PRECISIONS:
                raise ValueError(f"{name!r} is no precision: choose from {', '.join(PRECISIONS)}")
        return names

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if "fp16" in self.precisions and not self.packed:
            raise ValueError("fp16 is a way of packing weights: leave packed on")
        packs_graphs = self.packed and {*self.precisions} - {"fp32"}
        if self.zstd and not packs_graphs and self.pytorch != "packed":
            raise ValueError(
                "zstd compresses packed weights and nothing here is packed: leave it out, add a "
                "precision, or set pytorch = 'packed'"
            )
        return self


class MeasureSection(Section):
    clips: int = Field(8, ge=1)
    samples: int = Field(10, ge=1)
    threads: int = Field(1, ge=1)


class Recipe(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    models: list[str] = Field(min_length=1)
    output: str = "bundles"
    seed: int = Field(0, ge=0)
    corpus: CorpusSection = CorpusSection()
    prune: PruneSection
    export: ExportSection = ExportSection()
    measure: MeasureSection = MeasureSection()


def read_recipe(path: Path) -> Recipe:
    """The recipe, or one sentence with the key, the value and the nearest valid one."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            f"{path} does not exist: give a recipe, such as recipes/demo.toml."
        ) from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder: give a recipe file.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}.") from error
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {_sentence(error.errors()[0])}.") from error


def _sentence(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        valid = _keys_of(error["loc"][:-1])
        near = _meant(str(error["loc"][-1]), valid) or f"; valid here: {', '.join(valid)}"
        return f"unknown key {key!r}{near}"
    if error["type"] == "missing":
        return f"the key {key!r} is missing"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], dict):  # a whole section, of which the message names the key
        return f"{key}: {message}"
    return f"{key} = {error['input']!r}: {message}"


def _keys_of(location: tuple[int | str, ...]) -> list[str]:
    section: Any = Recipe
    for part in location:
        section = section.model_fields[part].annotation
    return list(section.model_fields)


def _meant(name: str, valid: Any) -> str:
    near = difflib.get_close_matches(name, list(valid), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
