"""The report: one page with the table, the pictures, the conditions and the way to do it again."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import report_words
from bench.estimates import counted
from bench.report import caption, problems
from bench.report_page import (
    Block,
    Grid,
    Heading,
    Picture,
    Points,
    Text,
    html,
    markdown,
    pictures,
)
from bench.rows import MEBIBYTE, Row
from bench.sources import Findings
from pipeline.plots.against_sparsity import draw_against_sparsity
from pipeline.plots.front import COSTS, draw_front, front
from pipeline.plots.layer_map import draw_layer_map
from runtime.bundle import Manifest
from runtime.whole_folder import whole_file, written_whole
from speech.errors import BadInput

#: So many variants fit side by side in a map of layers.
_MOST_COLUMNS = 32

SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown"}


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


def report_blocks(
    rows: Sequence[Row],
    findings: Findings,
) -> list[Block]:
    """Everything but the title; a row for each of the findings' measurements."""
    measured, manifests = findings.measurements, findings.manifests
    hashes = {row.bundle_sha256 for row in rows}
    mine = {sha256: found for sha256, found in manifests.items() if sha256 in hashes}
    blocks: list[Block] = [
        Text(f"{len(rows)} measurements, put together on {datetime.now(UTC):%Y-%m-%d}."),
        report_words.table(rows),
        Text(caption(rows)),
    ]
    if failed := problems(rows):
        blocks.append(Points(failed))
    with tempfile.TemporaryDirectory(prefix="secateur-") as place:
        drawn = _Drawer(Path(place))
        blocks += _comparisons(rows, drawn)
        blocks += _maps(mine, drawn)
    sections = {
        "What a clip asks for": _work(findings),
        "How far to believe it": report_words.verdicts(rows),
        "Where it was measured": report_words.environment(measured),
        "How to do it again": report_words.again(measured, list(mine.values())),
    }
    for heading, found in sections.items():
        blocks += [Heading(heading), *found] if found else []
    return blocks


def _work(findings: Findings) -> list[Block]:
    """Zeros in a dense graph are multiplied like anything else: what was really removed is less."""
    lines = {}
    for one in counted(findings.measurements, findings.bundles):
        manifest = findings.manifests[one.found.bundle_sha256 or ""]
        operations = (one.work.operations.get(kind, 0.0) / 1e9 for kind in ("fp32", "int8"))
        cells = (*operations, one.work.bytes / MEBIBYTE)
        lines[one.found.bundle_sha256] = [
            one.found.name, manifest.precision, *(f"{cell:.3f}" for cell in cells)
        ]  # fmt: skip
    heads = ["model", "precision", "10⁹ operations in fp32", "in int8", "MiB of weights read"]
    said = (
        "Counted in the graphs, for a clip of the median length that was measured; a multiplication"
        " and its addition are two. Only what is really cut out counts as removed, zeros do not."
    )
    grid = Grid(heads, list(lines.values()), [False, False, True, True, True])
    return [Text(said), grid] if lines else []


class _Drawer:
    """Hands out file names, and the pictures that were drawn into them."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._count = 0

    def picture(self, kind: str, words: str, draw: Callable[[Path], None]) -> Picture:
        self._count += 1
        name = f"{self._count:02}-{re.sub('[^a-z0-9]+', '-', kind.lower()).strip('-')}"
        draw(self._folder / f"{name}.png")
        return Picture(name, (self._folder / f"{name}.png").read_bytes(), words)


def _comparisons(rows: Sequence[Row], drawn: _Drawer) -> Iterator[Block]:
    """Of the variants of one model on one device: others are not to be compared in a picture."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.achieved_percent is not None and not row.problem:
            groups.setdefault(_group(row), []).append(row)
    for name, group in groups.items():
        if len(group) < 2:
            continue
        doubts = "".join(
            f" — {mark}" for mark in ("EMULATED", "ESTIMATED")
            if any(mark in row.verdicts for row in group)
        )  # fmt: skip
        title, series = f"{name}{doubts}", _series(group)
        yield Heading(f"{title}: what zeros cost and gain")
        yield drawn.picture(
            f"sparsity {name}",
            f"WER, latency, size and memory of {title} over sparsity, a line for each method.",
            partial(draw_against_sparsity, series, title=title),
        )
        if any(row.wer is not None for row in group):
            yield from _front(name, title, group, series, drawn)


def _front(
    name: str, title: str, group: list[Row], series: dict[str, list[Row]], drawn: _Drawer
) -> Iterator[Block]:
    yield drawn.picture(
        f"front {name}",
        f"WER of {title} over latency and memory; the line joins what no other variant beats.",
        partial(draw_front, series, title=f"{title}: the Pareto front"),
    )
    best = {cost.label: ", ".join(row.name for row in front(group, cost)) for cost in COSTS}
    yield Points([f"No other is better in both WER and {k}: {v}." for k, v in best.items() if v])


def _group(row: Row) -> str:
    parts = (row.model or row.family, f"on {row.device}" if row.device else "")
    return " ".join(part for part in parts if part) or "all"


def _series(group: Sequence[Row]) -> dict[str, list[Row]]:
    """A line a method, and one for each precision and setting if those differ.

    The dense model is where each of its lines begins.
    """
    precise = len({row.precision for row in group}) > 1
    several = len({(row.threads, row.settings) for row in group}) > 1

    def marks(row: Row) -> tuple[str, ...]:
        told = (row.precision if precise else "",)
        return (*told, f"{row.threads} threads", row.settings) if several else told

    def label(row: Row) -> str:
        return " ".join(part for part in (row.method, *marks(row)) if part)

    series: dict[str, list[Row]] = {}
    dense = [row for row in group if row.method == "dense"]
    for row in group:
        if row.method != "dense":
            start = [one for one in dense if marks(one) == marks(row)]
            series.setdefault(label(row), start).append(row)
    begun = {id(row) for found in series.values() for row in found}
    for row in dense:
        if id(row) not in begun:
            series.setdefault(label(row), []).append(row)
    return series


def _maps(manifests: Mapping[str, Manifest], drawn: _Drawer) -> Iterator[Block]:
    """Of bundles that are at hand and have zeros; what differs only in precision is drawn once."""
    models: dict[str, dict[str, Mapping[str, float]]] = {}
    for manifest in manifests.values():
        layers = manifest.sparsity.layers
        model = str(manifest.provenance.get("model") or manifest.family)
        of_model = models.setdefault(model, {})
        if any(layers.values()) and dict(layers) not in [
            dict(other) for other in of_model.values()
        ]:
            of_model.setdefault(manifest.name.removeprefix(f"{model}-"), layers)
    if not manifests:
        yield Heading("Where the zeros are")
        yield Text("The bundles are not at hand, so nobody can say which layers hold their zeros.")
    for model, variants in models.items():
        names = list(variants)
        for start in range(0, len(names), _MOST_COLUMNS):
            part = {name: variants[name] for name in names[start : start + _MOST_COLUMNS]}
            title = f"{model}: where the zeros are"
            yield Heading(title)
            yield drawn.picture(
                f"layers {model}",
                f"Zeros of each layer of {model}, for {', '.join(part)}.",
                partial(draw_layer_map, part, title=title),
            )
