"""The shape of the house: which room may import which, and what a device never loads."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pipeline.commands import group
from tests.tui.measured import make_store

ROOT = Path(__file__).parent.parent
ROOMS = ["device_profiles", "speech", "runtime", "prune", "export", "bench", "tui", "pipeline"]
HOST_ONLY = {
    "torch", "torchaudio", "transformers", "tokenizers", "optimum", "onnx", "onnxscript",
    "pydantic",
}  # fmt: skip

#: A module of each part that a device installs.
DEVICE_SIDE = ["device_profiles", "speech", "runtime", "bench/agent"]


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of all imports in a file, also of those inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_to_its_left(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for path in sources(room):
        beyond = imported(path) & set(ROOMS) - allowed
        assert not beyond, f"{path.relative_to(ROOT)} imports {beyond}, which lie to its right"


@pytest.mark.parametrize("room", DEVICE_SIDE)
def test_the_device_side_names_no_host_library(room: str) -> None:
    for path in sources(room):
        assert not imported(path) & HOST_ONLY, path.relative_to(ROOT)


def modules_loaded_by(code: str) -> set[str]:
    code += "; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout)}


def test_importing_everything_a_device_runs_loads_no_host_library() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in DEVICE_SIDE
        for path in sources(room)
        if path.name not in ("__init__.py", "__main__.py")
    ]
    loaded = modules_loaded_by("import " + ", ".join(modules))
    assert not loaded & HOST_ONLY


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        yield " ".join((*names, name)), command


def test_every_command_has_an_example_of_itself() -> None:
    told = dict(commands(group))
    assert {"run", "bench attach", "recipe new"} <= told.keys()
    for name, command in told.items():
        assert f"Example: secateur {name} " in f"{command.epilog} ", name


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = (
        "import contextlib, io\nfrom pipeline.commands import group\n"
        "with contextlib.redirect_stdout(io.StringIO()): group(['--help'], standalone_mode=False)\n"
        "pass"
    )
    loaded = modules_loaded_by(code)
    assert not loaded & (HOST_ONLY | {"numpy", "onnxruntime", "rich", "textual"})


def test_results_are_shown_without_heavy_libraries(tmp_path: Path) -> None:
    store = make_store(tmp_path / "results.sqlite")
    code = (
        "import contextlib, io\nfrom pipeline.commands import group\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    group(['results', {str(store)!r}], standalone_mode=False)\n"
        "pass"
    )
    heavy = {"numpy", "onnxruntime", "textual", "matplotlib", "pyarrow", "asyncio"}
    assert not modules_loaded_by(code) & (HOST_ONLY | heavy)


@pytest.mark.parametrize("room", [*ROOMS, "tests", "demo", "benchmarks"])
def test_files_stay_small(room: str) -> None:
    for path in sources(room):
        lines = len(path.read_text().splitlines())
        assert lines <= 420, f"{path.relative_to(ROOT)} has {lines} lines: it wants to be two"
