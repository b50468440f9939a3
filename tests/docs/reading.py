"""Whether a command line names only commands, options, targets and modules that there are."""

import importlib.util
import re
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import click

from pipeline.commands import group
from tests.docs.blocks import PROGRAMS, ROOT

_TARGETS = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def check(line: str) -> None:
    """Raise AssertionError or click.UsageError for what is not there."""
    for segment in re.split(r"\s*(?:&&|\|\||\||;|,\s(?=make ))\s*", line):
        words = shlex.split(segment)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        assert words, f"{line!r} has an empty part"
        assert words[0] in PROGRAMS, f"{words[0]!r} of {line!r} is no program the tests know"
        match words:
            case ["secateur", *rest]:
                _check_secateur(rest)
            case ["make", *rest]:
                _check_make(rest)
            case ["python" | "python3", "-m", module, *_]:
                _check_module(module)
            case ["docker", *rest]:
                _check_docker(rest)
            case _:
                pass


def _check_secateur(words: list[str]) -> None:
    command: click.Command = group
    context: click.Context | None = None
    name: str | None = "secateur"
    try:
        while True:
            context = command.make_context(name, list(words), parent=context)
            if not isinstance(command, click.Group):
                return
            rest = [*context._protected_args, *context.args]
            name, found, words = command.resolve_command(context, rest)
            assert found
            command = found
    except click.exceptions.Exit:  # --help and --version say their own and end
        return


def _check_make(words: list[str]) -> None:
    targets = [word for word in words if "=" not in word]
    assert targets, "make without a target only lists them: say `make help`"
    for target in targets:
        assert target in _TARGETS, f"the Makefile has no target {target!r}"


def _check_module(module: str) -> None:
    if module in sys.stdlib_module_names:
        return
    path = ROOT / Path(*module.split("."))
    here = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
    first = module.split(".")[0]
    elsewhere = not (ROOT / first).is_dir() and importlib.util.find_spec(first)
    assert here or elsewhere, f"there is no {module}"


def _check_docker(words: list[str]) -> None:
    """Services of the compose file, and stages of the Dockerfiles."""
    import yaml

    if words[0] == "compose":
        services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        verb, *rest = words[1:]
        named = [word for word in rest if not word.startswith("-")]
        if verb in ("run", "up", "build"):
            assert named[0] in services, f"compose.yaml has no service {named[0]!r}"
    for option, value in pairwise(words):
        if option == "--target":
            text = (ROOT / "Dockerfile").read_text()
            assert re.search(rf"^FROM .* AS {value}$", text, re.MULTILINE), f"no stage {value!r}"
        if option in ("-f", "--file"):
            assert (ROOT / value).is_file(), f"there is no {value}"
