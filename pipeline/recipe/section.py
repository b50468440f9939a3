"""What all sections of a recipe have in common."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Comments that begin with `#:` are what docs/recipes.md says of the key below them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def nearest(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The valid one that is spelt most like it, if any is."""
    return next(iter(difflib.get_close_matches(name, list(valid), 1, cutoff)), None)


def did_you_mean(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str:
    """` (did you mean 'x'?)` with the nearest valid one, or nothing where none is near."""
    near = nearest(name, valid, cutoff)
    return f" (did you mean {near!r}?)" if near else ""


def refuse_repeated(shown: Sequence[str]) -> None:
    """Raise ValueError for what is listed more than once."""
    for name in shown:
        if shown.count(name) > 1:
            raise ValueError(f"{name} is listed more than once: leave one of them")
