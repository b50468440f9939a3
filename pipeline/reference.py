"""docs/commands.md and docs/recipes.md, from the commands and the schema themselves.

`make reference` writes both; a test holds that the committed pages are what they would be now.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from pipeline.commands import COMMANDS, group
from pipeline.recipe.reference import reference as recipe_page

_INTRODUCTION = """\
# Commands

Every command has `--help`, and this page is that help: `make reference` writes it. Options that
take no value are switches. A fault is one sentence on standard error and exit code 2; where an
option or argument itself is wrong, lines on how the command is used come before it.

`secateur --version` says which version you have.
"""


def command_page() -> str:
    """All commands in the order of `secateur --help`, subcommands below their own."""
    lines = [_INTRODUCTION]
    with click.Context(group, info_name="secateur") as top:
        lines += ["| command | |", "| --- | --- |"]
        for name, (_, purpose) in COMMANDS.items():
            lines.append(f"| [`{name}`](#secateur-{name}) | {purpose} |")
        for name in group.list_commands(top):
            command = group.get_command(top, name)
            assert command is not None
            lines += ["", *_described(command, top, name, depth=2)]
    return "\n".join(lines).rstrip() + "\n"


def _described(
    command: click.Command, parent: click.Context, name: str, *, depth: int
) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield f"{'#' * depth} {context.command_path}"
    yield from ("", "```text", " ".join(command.get_usage(context).split())[7:], "```")
    for paragraph in re.split(r"\n\s*\n", (command.help or "").replace("\b", "").strip()):
        yield from ("", _escaped(" ".join(paragraph.split())))
    options = list(_options(command, context))
    if options:
        yield from ("", "| option | |", "| --- | --- |", *options)
    for example in _examples(command):
        yield from ("", "```sh", example, "```")
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            subcommand = command.get_command(context, inner)
            if subcommand is not None and not subcommand.hidden:
                yield ""
                yield from _described(subcommand, context, inner, depth=depth + 1)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or not record[1] or "--help" in parameter.opts:
            continue
        written, purpose = (" ".join(text.split()).replace("|", "\\|") for text in record)
        yield f"| `{written}` | {_escaped(purpose)} |"


def _examples(command: click.Command) -> list[str]:
    """What the help ends with: `Example: secateur …`."""
    found = re.findall(r"Example: (secateur .*)", " ".join((command.epilog or "").split()))
    return [str(example) for example in found]


def _escaped(text: str) -> str:
    """Help is plain text: what Markdown would take for an element or a link is not one."""
    return re.sub(r"([<\[*])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)


def write(folder: Path) -> None:
    (folder / "commands.md").write_text(command_page(), encoding="utf-8")
    (folder / "recipes.md").write_text(recipe_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
