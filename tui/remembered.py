"""What the app remembers from one time to the next: layout, axes, theme and budgets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias

from bench.groups import Group
from bench.remote.devices import config_folder
from runtime.whole_folder import whole_file
from speech.errors import BadInput
from speech.parsed import json_from
from tui.tradeoffs.budgets import KIND_OF, Limits


def remembered_file() -> Path:
    return config_folder() / "tui.json"


#: Of budgets: the id of the source, that of the place, and the text of the group.
Owner: TypeAlias = tuple[str, str, str]


@dataclass
class Remembered:
    """Written whenever the app ends."""

    theme: str = "secateur"
    x_axis: str = "sparsity"
    y_axis: str = "wer"
    sort: str | None = None
    descending: bool = False
    place: str | None = None
    group: str | None = None
    sidebar: bool = True
    #: By results, place and group, then by kind; only where they were edited.
    budgets: dict[str, dict[str, dict[str, dict[str, float]]]] = field(default_factory=dict)

    def limits(self, owner: Owner, otherwise: Limits) -> Limits:
        results, place, group = owner
        kept = self.budgets.get(results, {}).get(place, {}).get(group)
        return otherwise if kept is None else Limits(dict(kept))

    def keep_limits(self, owner: Owner, limits: Limits) -> None:
        results, place, group = owner
        places = self.budgets.setdefault(results, {})
        places.setdefault(place, {})[group] = dict(limits.at_most)

    def write(self, file: Path) -> None:
        with whole_file(file, replace=True) as out:
            out.write(json.dumps(asdict(self), indent=1).encode())


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("theme", "x_axis", "y_axis"), str),
    **dict.fromkeys(("sort", "place", "group"), str | None),
    **dict.fromkeys(("descending", "sidebar"), bool),
}


def read_remembered(file: Path) -> Remembered:
    """New ones where there are none yet; BadInput for a file that somebody has damaged."""
    try:
        found = json_from(file.read_text(encoding="utf-8"))
        return _settings(found)
    except FileNotFoundError:
        return Remembered()
    except OSError as problem:
        raise BadInput(f"{file} cannot be read ({problem.strerror}): beginning anew.") from problem
    except (ValueError, TypeError, AttributeError) as problem:
        raise BadInput(f"{file} holds no settings ({problem}): beginning anew.") from problem


def _settings(table: Mapping[str, Any]) -> Remembered:
    known = {one.name for one in fields(Remembered)}
    settings = Remembered(**{key: value for key, value in table.items() if key in known})
    for name, kinds in _KINDS.items():
        if not isinstance(getattr(settings, name), kinds):
            raise ValueError(f"{name} is {getattr(settings, name)!r}")
    settings.budgets = {
        results: {place: _by_group(groups) for place, groups in places.items()}
        for results, places in settings.budgets.items()
        if all(isinstance(groups, dict) for groups in places.values())
    }
    return settings


def _by_group(groups: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        group: {key: _limit(value) for key, value in kinds.items() if key in KIND_OF}
        for group, kinds in groups.items()
    }


def _limit(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a budget is {value!r}")
    return float(value)


def text_of(group: Group | None) -> str:
    return json.dumps(astuple(group)) if group else ""


def group_from(text: str | None) -> Group | None:
    """None for what no group of this version is."""
    with suppress(ValueError, TypeError):
        found = Group(*json_from(text or "[]"))
        return found if {found} else None  # a list in it cannot be looked up
    return None
