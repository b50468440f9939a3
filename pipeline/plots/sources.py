"""Runs to compare on one picture: results files, stores, folders of runs, and sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.rows import Row
from bench.run_folder import results_in
from bench.sources import open_selection
from bench.store.summaries import Filter
from pipeline.plots.lines import CONDITIONS, Reader, is_control
from pipeline.report_rows import model_name
from pipeline.sweep_results import is_sweep, read_sweep
from speech.errors import BadInput

#: What a run and a sweep leave in their folders.
_FILES = ("results.jsonl", "results.json", "results.sqlite")


@dataclass(frozen=True)
class Run:
    """What is compared; rows that failed are left out."""

    name: str
    rows: Sequence[Row]


def read_runs(paths: Sequence[Path], folders: Sequence[Path] = ()) -> list[Run]:
    """Each by the name of its recipe, or else of its file or folder; its path, if names repeat."""
    found = [_read(path, folders) for path in paths]
    names = [run.name for run in found]
    return [
        Run(str(path) if names.count(run.name) > 1 else run.name, run.rows)
        for path, run in zip(paths, found, strict=True)
    ]


def _read(path: Path, folders: Sequence[Path]) -> Run:
    file = results_in(path, _FILES)
    folders = [*folders, path] if file != path else folders
    if file.suffix == ".json" or is_sweep(file):
        sweep = read_sweep(file)
        return Run(_named(path, file), sweep.rows())
    with open_selection([file], folders, Filter()) as selection:
        rows = [one.row for one in selection.rows() if not one.row.problem]
        return Run(selection.recipe() or _named(path, file), rows)


def _named(path: Path, file: Path) -> str:
    """`results.jsonl` alone tells nothing."""
    return file.absolute().parent.name if file.name in _FILES else path.stem


def chosen(
    runs: Sequence[Run],
    *,
    models: Sequence[str] = (),
    methods: Sequence[str] = (),
    devices: Sequence[str] = (),
) -> list[Run]:
    """With only those values; controls stay, whatever the methods. BadInput for an unknown one."""
    choices: list[tuple[str, Callable[[Row], str], Sequence[str]]] = [
        ("model", model_name, models),
        ("method", lambda row: row.method, methods),
        ("device", lambda row: row.device, devices),
    ]
    left = list(runs)
    for what, value_of, wanted in choices:
        known = {value_of(row) for run in runs for row in run.rows}
        for value in wanted:
            if value not in known:
                there = ", ".join(sorted(known - {""})) or "none that is named"
                raise BadInput(f"No result is of the {what} {value!r}; there are: {there}.")
        left = [
            Run(run.name, [row for row in run.rows if not wanted or value_of(row) in wanted
                           or (what == "method" and is_control(row.method))])
            for run in left
        ]  # fmt: skip
    return left


def readers(runs: Sequence[Run], *, timed: bool) -> dict[str, Reader]:
    """What the results of several runs may differ in, besides method and sparsity.

    `timed` is for pictures with a quantity that depends on the clips a device was timed on.
    """
    rows = [row for run in runs for row in run.rows]
    names = {id(row): run.name for run in runs for row in run.rows}
    clips: dict[str, Reader] = {"timed": lambda row: row.timed_clips} if timed else {}
    return {
        "run": lambda row: names.get(id(row), ""),
        "model": _model_reader(rows),
        "speech": _speech_reader(rows),
        "device": lambda row: row.device,
        **clips,
        **CONDITIONS,
    }


def _model_reader(rows: Sequence[Row]) -> Reader:
    """The last part of its name, unless two models share that."""
    parts: dict[str, set[str]] = {}
    for row in rows:
        if row.model:
            parts.setdefault(model_name(row), set()).add(row.model)
    return lambda row: row.model if len(parts.get(model_name(row), ())) > 1 else model_name(row)


def _speech_reader(rows: Sequence[Row]) -> Reader:
    """The corpus of the WER, with its clips and normaliser where it has several of them."""
    clips: dict[str, set[str]] = {}
    normalizers: dict[str, set[str]] = {}
    for row in rows:
        clips.setdefault(row.corpus, set()).add(row.clips)
        normalizers.setdefault(row.corpus, set()).add(row.normalizer)

    def read(row: Row) -> str:
        told = [row.corpus or "unknown corpus"]
        told += [row.clips] if len(clips[row.corpus] - {""}) > 1 else []
        told += [row.normalizer] if len(normalizers[row.corpus] - {""}) > 1 else []
        return ", ".join(filter(None, told))

    return read
