"""A page of headings, texts, tables and pictures, as one HTML file or as Markdown.

Whatever is put on the page is taken literally: names of models and sentences of programs cannot
become markup.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TypeAlias


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Points:
    texts: Sequence[str]


@dataclass(frozen=True)
class Grid:
    heads: Sequence[str]
    lines: Sequence[Sequence[str]]
    numbers: Sequence[bool]  # by column: numbers stand on the right
    groups: Mapping[int, str] = field(default_factory=dict)  # what is said above which line


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows, in words; `name` is that of its file, without `.png`."""

    name: str
    png: bytes
    words: str


@dataclass(frozen=True)
class Code:
    text: str


Block: TypeAlias = Heading | Text | Points | Grid | Picture | Code

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 75em; margin: 2em auto;
  padding: 0 1em; }
h1 { font-size: 1.7em; } h2 { font-size: 1.35em; margin-top: 2.2em; }
h3 { font-size: 1.1em; margin-top: 1.6em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: left;
  white-space: nowrap; }
th.number, td.number { text-align: right; }
th { vertical-align: bottom; } th.group { padding-top: 1em; font-weight: normal; color: #555; }
td.wrap { white-space: normal; min-width: 28em; }
img { max-width: 100%; height: auto; }
pre { background: #f5f5f5; padding: .8em; overflow-x: auto; font-size: 13px; }
"""
#: A browser loads nothing from anywhere and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html(title: str, blocks: Sequence[Block]) -> str:
    """One file with everything in it."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def markdown(title: str, blocks: Sequence[Block], folder: str) -> str:
    """GitHub-flavoured; its pictures are those of `pictures`, in a folder beside it."""
    return (
        "\n\n".join([f"# {_plain(title)}", *(_markdown(block, folder) for block in blocks)]) + "\n"
    )


def pictures(blocks: Sequence[Block]) -> dict[str, bytes]:
    """By file name."""
    return {f"{block.name}.png": block.png for block in blocks if isinstance(block, Picture)}


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Points(texts):
            return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"
        case Code(text):
            return f"<pre>{escape(text)}</pre>"
        case Picture(_, png, words):
            data = base64.b64encode(png).decode("ascii")
            return f'<p><img alt="{escape(words)}" src="data:image/png;base64,{data}"></p>'
        case Grid():
            return _html_table(block)


#: Cells with more characters than this are broken into lines.
_SENTENCE = 60


def _html_table(grid: Grid) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        row = (
            f"<{tag}{_kind(cell, number)}>{escape(cell)}</{tag}>"
            for cell, number in zip(cells, grid.numbers, strict=True)
        )
        return f"<tr>{''.join(row)}</tr>\n"

    def across(text: str) -> str:
        return f'<tr><th class="group" colspan="{len(grid.heads)}">{escape(text)}</th></tr>\n'

    lines = "".join(
        across(cells) if isinstance(cells, str) else line("td", cells) for cells in _grouped(grid)
    )
    return (
        f'<div class="wide"><table>\n<thead>{line("th", grid.heads)}</thead>\n'
        f"<tbody>{lines}</tbody>\n</table></div>"
    )


def _kind(cell: str, number: bool) -> str:
    if number:
        return ' class="number"'
    return ' class="wrap"' if len(cell) > _SENTENCE else ""


def _grouped(grid: Grid) -> Iterator[str | Sequence[str]]:
    """The lines, and before the first of each group what is said above it."""
    for place, cells in enumerate(grid.lines):
        if place in grid.groups:
            yield grid.groups[place]
        yield cells


def _markdown(block: Block, folder: str) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_plain(text)}"
        case Text(text):
            return _plain(text)
        case Points(texts):
            return "\n".join(f"- {_plain(text)}" for text in texts)
        case Code(text):
            fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=2) + 1)
            fence = fence if len(fence) > 2 else "```"
            return f"{fence}\n{text}\n{fence}"
        case Picture(name, _, words):
            return f"![{_plain(words)}](<{folder}/{name}.png>)"
        case Grid():
            return _markdown_table(block)


def _markdown_table(grid: Grid) -> str:
    """A table there has no headings within it: they are lines of their own, in italics."""
    rules = ["---:" if number else "---" for number in grid.numbers]
    blank = [""] * (len(grid.heads) - 1)
    cells = [
        [f"*{_plain(line)}*", *blank] if isinstance(line, str) else [*map(_plain, line)]
        for line in _grouped(grid)
    ]
    heads = [_plain(head) for head in grid.heads]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, rules, *cells])


def _plain(text: str) -> str:
    """No character means anything but itself, and a line stays a line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", " ".join(text.split()))
