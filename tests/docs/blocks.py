"""What the pages show in code blocks, by language; commands with the output below them."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
#: Programs that a shell block may begin with.
PROGRAMS = (
    *("secateur", "make", "python", "python3", "pip", "docker", "ssh", "scp", "sudo", "hf", "git"),
    *("source", "cd", "cat", "cp", "head", "ls", "echo", "mkdir"),
)
SHELL = ("sh", "console")
LANGUAGES = (*SHELL, "python", "toml", "diff", "text", "json")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    where: str
    #: One line, comments and line breaks gone.
    text: str
    #: What the page shows below it; nothing if it shows none.
    output: tuple[str, ...] = ()


def pages() -> list[Path]:
    """Every page whose commands a reader may type."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    return [*beside, *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def blocks(path: Path) -> list[Block]:
    found = []
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        if token.type not in ("fence", "code_block"):
            continue
        named = token.info.split()[0] if token.info.strip() else ""
        language = named if token.type == "fence" else _guessed(token.content)
        assert token.map
        page = path.relative_to(ROOT).as_posix()
        found.append(Block(page, token.map[0] + 1, language, token.content))
    return found


def commands(block: Block) -> Iterator[Command]:
    if block.language not in SHELL:
        return
    typed: list[tuple[str, list[str]]] = []
    begun = ""
    for line in block.text.splitlines():
        shown = line.startswith("$ ")
        if block.language == "console" and not shown and not begun:
            assert typed, f"{block.where}: a console block begins with $ and a command"
            typed[-1][1].append(line)
            continue
        begun += re.sub(r"(^|\s\s)\s*# .*$", "", line.removeprefix("$ ")).strip()
        if begun.endswith("\\"):
            begun = begun[:-1].strip() + " "
        elif begun:
            typed.append((begun, []))
            begun = ""
    for text, output in typed:
        yield Command(block.where, text, tuple(output))


def commands_of(path: Path) -> list[Command]:
    return [command for block in blocks(path) for command in commands(block)]


def _guessed(text: str) -> str:
    """The language of an indented block, which cannot say it."""
    first = text.split()[0]
    if first == "$":
        return "console"
    if first in PROGRAMS:
        return "sh"
    if first in ("from", "import"):
        return "python"
    try:
        return "toml" if tomllib.loads(text) else "text"
    except tomllib.TOMLDecodeError:
        return "text"
