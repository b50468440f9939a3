"""A copy of what documented commands need, where they may write what they like."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.recipe.toml_text import spelt
from tests.docs.blocks import ROOT, Command
from tests.docs.rules import SHORTER_DEMO, SHORTER_NEW_RECIPE, SHORTER_RECIPE, as_run
from tests.pipeline.command_line import NOWHERE, begun_secateur

#: Only read by commands.
_LINKED = (
    *("assets", "benchmarks", "demo", "docs", "tests"),
    *("constraints.txt", "pyproject.toml", "Makefile", "README.md"),
)
_ROOMS = ("device_profiles", "speech", "runtime", "prune", "export", "bench", "tui", "pipeline")
_SECONDS = 900


@dataclass(frozen=True)
class Ran:
    code: int
    #: What a terminal shows, standard error in its place.
    output: str


class Scratch:
    """`prepared` is a folder of bundles that an earlier scratch has made: its files are shared.

    With rooms of its own, which may then be changed, `secateur` is what they make of it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prepared: Path | None = None,
        board: str = "",
        own_rooms: bool = False,
    ):
        self.folder, self._board, self._own_rooms = folder, board, own_rooms
        self._begun: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*_LINKED, *(() if own_rooms else _ROOMS)):
            (folder / name).symlink_to(ROOT / name)
        for name in _ROOMS if own_rooms else ():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        _lay_out_environment(folder / ".venv")
        for path in (ROOT / "recipes").glob("*.toml"):
            (folder / "recipes").mkdir(exist_ok=True)
            rules = SHORTER_DEMO if path.stem == "demo" else SHORTER_RECIPE
            (folder / "recipes" / path.name).write_text(shortened(path.read_text(), rules))
        if prepared:
            shutil.copytree(prepared, folder / "bundles", copy_function=os.link)

    @property
    def environment(self) -> dict[str, str]:
        own = {
            f"SECATEUR_{name}": str(self.folder / ".user" / name.lower())
            for name in ("DATA", "CONFIG", "CACHE")
        }
        own["SECATEUR_STORE"] = str(self.folder / ".user" / "store.sqlite")
        path = f"{self.folder / '.venv' / 'bin'}:{os.environ['PATH']}"
        if self._own_rooms:
            path = f"{_command_of(self.folder)}:{path}"
        return {**own, **NOWHERE, "PATH": path, "COLUMNS": "180", "NO_COLOR": "1"}

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(shortened(text) if name.endswith(".toml") else text)

    def run(self, command: Command) -> Ran:
        line = as_run(command.text, board=self._board)
        words = shlex.split(line)
        if words[:3] == ["secateur", "recipe", "new"]:
            self._begun.add(words[-1])
        if words[:2] == ["secateur", "run"] and words[2] in self._begun:
            recipe = self.folder / words[2]
            recipe.write_text(shortened(recipe.read_text(), SHORTER_NEW_RECIPE))
        is_plain = words[0] == "secateur" and not self._own_rooms
        if is_plain and not re.search(r"&&|[|;<>]", line):
            return self._in_a_copy(self._expanded(words[1:]))
        return self._in_a_process(["bash", "-ec", line])

    def python(self, code: str) -> Ran:
        return self._in_a_process([sys.executable, "-c", code])

    def _in_a_copy(self, words: list[str]) -> Ran:
        """Of this process, which has loaded what takes seconds."""
        with tempfile.TemporaryFile() as said:
            child = begun_secateur(*words, out=said.fileno(), err=said.fileno(), **self.environment)
            _, status = os.waitpid(child, 0)
            said.seek(0)
            return Ran(os.waitstatus_to_exitcode(status), said.read().decode())

    def _in_a_process(self, words: list[str]) -> Ran:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            timeout=_SECONDS,
        )
        return Ran(done.returncode, done.stdout)

    def _expanded(self, words: list[str]) -> list[str]:
        """As a shell does with stars; names that match nothing stay."""
        found = []
        for word in words:
            is_pattern = "*" in word and "/" in word
            paths = sorted(self.folder.glob(word)) if is_pattern else []
            found += [str(path.relative_to(self.folder)) for path in paths] or [word]
        return found


def _command_of(folder: Path) -> Path:
    """A folder with a `secateur` that imports the rooms of the scratch."""
    place = folder / ".bin"
    place.mkdir(exist_ok=True)
    command = place / "secateur"
    words = f'PYTHONPATH={folder} exec {sys.executable} -m pipeline "$@"'
    command.write_text(f"#!/bin/sh\n{words}\n")
    command.chmod(0o755)
    return place


def _lay_out_environment(venv: Path) -> None:
    """The one that runs the tests; its stamps are new, so that make installs nothing."""
    venv.mkdir()
    (venv / "bin").symlink_to(Path(sys.executable).parent)
    for stamp in (".host", ".dev", ".docs"):
        (venv / stamp).touch()


def shortened(recipe: str, rules: Mapping[str, Mapping[str, Any]] = SHORTER_RECIPE) -> str:
    """The same recipe with few clips, samples and steps."""
    table: dict[str, Any] = tomllib.loads(recipe)
    for section, values in rules.items():
        place = table
        for key in section.split("."):
            is_wanted = key in place or section in ("corpus", "measure")
            place = place.setdefault(key, {}) if is_wanted else {}
        place |= values
    return "\n".join(_written(table)) + "\n"


def _written(table: dict[str, Any], name: str = "") -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"[{name}]"] if name else []
    lines += [f"{key} = {spelt(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _written(value, f"{name}.{key}" if name else key)
    return lines
