"""The report: one page with conclusions, pictures, tables and the way to do it all again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import report_words
from bench.report_page import Block, Heading, Text, html, markdown, pictures
from bench.sources import Findings
from pipeline.report_again import Origin, again
from pipeline.report_choice import Choice
from pipeline.report_pictures import Pictures
from pipeline.report_rows import Group, Result, device_name, groups_of, results_of
from pipeline.report_table import table
from pipeline.report_winners import winners
from runtime.whole_folder import whole_file, written_whole
from speech.counted import counted
from speech.errors import BadInput

if TYPE_CHECKING:
    from pipeline.recipe import Recipe
    from speech.corpora import Corpus

SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown"}


def write_run_report(
    title: str, findings: Findings, output: Path, *, origin: Origin | None = None
) -> list[Path]:
    """`report.html`, `report.md` and `report-pictures/` in the output folder of a run.

    What an earlier run left of them gives way. The same results give the same files, but for the
    date. `findings` are measurements with the bundles and manifests that they are of, by hash;
    of none at all there is no report.
    """
    if not findings.measurements:
        return []
    blocks = report_blocks(Choice(findings), origin)
    html_page = write_report(title, blocks, output / "report.html")
    return [*html_page, *write_report(title, blocks, output / "report.md")]


def run_hashes(recipe: Recipe, corpus: Corpus) -> dict[str, str]:
    """For `Origin`: of the models of a recipe, and of the corpus that it is scored on."""
    from pipeline.model_name import ModelName
    from pipeline.plan import corpus_digest, model_digest

    models = [name for name in recipe.models if ModelName.of(name).place != "hub"]
    return {
        **{f"model {name}": model_digest(name) for name in models},
        f"corpus {corpus.name}": corpus_digest(corpus),
    }


def check_place(path: Path) -> None:
    """Raises BadInput for a place of which nobody can say what is to be written there."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(
            f"{path} ends in neither .html nor .md: say which of them the report is to be."
        )


def write_report(title: str, blocks: Sequence[Block], path: Path) -> list[Path]:
    """One HTML file; or Markdown and a folder of its pictures beside it. Gives what was written."""
    if SUFFIXES[path.suffix.lower()] == "html":
        _write(path, html(title, blocks))
        return [path]
    shown, folder = pictures(blocks), path.with_name(f"{path.stem}-pictures")
    if shown:
        with written_whole(folder, replace=_is_ours(folder)) as place:
            for name, png in shown.items():
                (place / name).write_bytes(png)
    _write(path, markdown(title, blocks, folder.name))
    return [path, folder] if shown else [path]


def _is_ours(folder: Path) -> bool:
    """A folder of pictures alone may be replaced; anything else is refused."""
    return folder.is_dir() and all(file.suffix == ".png" for file in folder.iterdir())


def _write(path: Path, text: str) -> None:
    with whole_file(path, replace=True) as file:
        file.write(text.encode())


def report_blocks(chosen: Choice, origin: Origin | None = None) -> list[Block]:
    """Everything but the title."""
    results = results_of(chosen.findings)
    groups = groups_of(results)
    measured = [result.measurement for result in results]
    drawn = Pictures(groups)
    blocks: list[Block] = [Text(_about(results, groups))]
    blocks += [Text(chosen.left_out)] if chosen.left_out else []
    sections: list[tuple[str, Sequence[Block]]] = [
        ("Which one to take", winners(results, chosen.findings, chosen.answers)),
        *((group.title, list(_group(group, drawn))) for group in groups),
        ("Where the zeros are", list(drawn.layers(results))),
        ("How far to believe it", report_words.verdicts([result.row for result in results])),
        ("Where it was measured", report_words.environment(measured)),
        ("How to do it again", again(results, origin or Origin())),
    ]
    for heading, found in sections:
        blocks += [Heading(heading), *found] if found else []
    return blocks


def _about(results: Sequence[Result], groups: Sequence[Group]) -> str:
    models = dict.fromkeys(group.model for group in groups)
    devices = dict.fromkeys(device_name(result.row.device) for result in results)
    return (
        f"{counted(len(results), 'measurement')} of variants of {', '.join(models)} on "
        f"{', '.join(devices)}, "
        f"put together on {datetime.now(UTC):%Y-%m-%d}."
    )


def _group(group: Group, drawn: Pictures) -> Iterator[Block]:
    yield from drawn.curves(group)
    yield from table(group)
    yield from drawn.fronts(group)
