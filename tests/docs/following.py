"""Doing what a page says, block by block, and comparing what comes with what it shows."""

import re
from collections.abc import Iterator
from itertools import pairwise

from tests.docs.blocks import Block, commands
from tests.docs.rules import why_not_run
from tests.docs.scratch import Scratch

#: Files that pages write by hand: the first line of the block says so.
NAMED = re.compile(r"# (\w+\.(?:toml|py))\n")


def follow(block: Block, scratch: Scratch, *, has_board: bool) -> Iterator[str]:
    """What goes wrong when a reader does what the block says."""
    if named := NAMED.match(block.text):
        scratch.write(named[1], block.text)
    if block.language == "python":
        ran = scratch.python(block.text)
        if ran.code:
            yield f"{block.where} (Python)\n{ran.output[-1500:]}"
    for command in commands(block):
        if why_not_run(command.text) or (wants_board(command.text) and not has_board):
            continue
        ran = scratch.run(command)
        if ran.code:
            yield f"{command.where}: {command.text}\nends with {ran.code}: {ran.output[-1500:]}"
        elif why := differs(command.output, ran.output):
            yield f"{command.where}: {command.text}\n{why}\nIt printed:\n{ran.output[-3000:]}"


def wants_board(command: str) -> bool:
    return bool(re.search(r"\bpi\b(?!-)", command))


def differs(shown: tuple[str, ...], printed: str) -> str | None:
    """Where the output's shape is another than the page shows; `…` stands for anything."""
    wanted = [shape(line) for line in shown if line.strip()]
    lines = [shape(line) for line in printed.splitlines() if line.strip()]
    at = 0
    for line, after in pairwise([*wanted, "…"]):
        if line == "…":
            is_next = (i for i in range(at, len(lines)) if fits(lines[i], after))
            at = next(is_next, len(lines)) if after != "…" else len(lines)
        elif at == len(lines) or not fits(lines[at], line):
            return (
                f"The page shows: {line}\nand here it is: {lines[at] if at < len(lines) else '-'}"
            )
        else:
            at += 1
    return None


def fits(line: str, shown: str) -> bool:
    return line.startswith(shown[:-1].strip()) if shown.endswith("…") else line == shown


def shape(line: str) -> str:
    """Numbers, hashes and gaps may differ."""
    line = re.sub(r"\b[0-9a-f]{16,}…?", "#", line)
    line = re.sub(r"\d[\d,.]*(e-?\d+)?", "0", line)
    return re.sub(r"[\s─]+", " ", line).strip()
