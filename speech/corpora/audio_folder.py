"""Hugging Face's AudioFolder layout: sound files and a metadata.jsonl or metadata.csv."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from speech.corpora.corpus import (
    Clip,
    Corpus,
    absent_split,
    checked_corpus,
    chosen_split,
    default_normalizer,
)
from speech.corpora.metadata import (
    audio_inside,
    english_or_none,
    lines_of,
    speaker_of,
    text_column,
    text_of,
)
from speech.errors import BadInput
from speech.parsed import json_from

_TABLES = ("metadata.jsonl", "metadata.csv")

Row = dict[str, object]


def is_audio_folder(folder: Path) -> bool:
    return _table(folder) is not None or bool(_splits(folder))


def open_audio_folder(folder: Path, split: str | None) -> Corpus:
    """The folder's clips; its splits are the subfolders that have a table of their own."""
    table = _table(folder)
    name = folder.resolve().name
    if table is None:
        chosen = chosen_split(_splits(folder), split, source=folder)
        return _read(folder / chosen, f"{name}:{chosen}")
    if split is not None and split != name:
        raise absent_split(_splits(folder), split, source=folder)
    return _read(folder, name)


def _table(folder: Path) -> Path | None:
    return next((folder / name for name in _TABLES if (folder / name).is_file()), None)


def _splits(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir() if child.is_dir() and _table(child))


def _read(folder: Path, name: str) -> Corpus:
    table = _table(folder)
    assert table is not None
    rows = list(_json_rows(table) if table.suffix == ".jsonl" else _csv_rows(table))
    if not rows:
        raise BadInput(f"{table} lists no clips at all; check that it is the right corpus.")
    languages = {english_or_none(row.get("language", row.get("locale"))) for _, row in rows}
    language = languages.pop() if len(languages) == 1 else None
    columns = list(dict.fromkeys(key for _, row in rows for key in row))
    text = text_column(columns, source=table)
    return checked_corpus(
        name,
        [_clip(folder, row, text, f"{table}, line {line},") for line, row in rows],
        source=table,
        language=language,
        normalizer=default_normalizer(language),
    )


def _clip(folder: Path, row: Row, text: str, where: str) -> Clip:
    file_name = row.get("file_name")
    if not isinstance(file_name, str) or not file_name:
        raise BadInput(
            f"{where} has no file_name; its columns are {', '.join(row)}, and one of them must "
            "name the sound file."
        )
    path = audio_inside(folder, file_name, where=where)
    return Clip(
        name=path.relative_to(folder).as_posix(),
        text=text_of(row, text, where=where),
        audio=path,
        speaker=speaker_of(row),
    )


def _json_rows(table: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines_of(table), 1):
        if not line.strip():
            continue
        try:
            row = json_from(line)
        except json.JSONDecodeError as error:
            raise BadInput(
                f"{table}, line {number}, is not JSON ({error.msg} at column {error.colno}); "
                "mend that line."
            ) from None
        if not isinstance(row, dict):
            raise BadInput(
                f"{table}, line {number}, is not a JSON object; write "
                '{"file_name": …, "text": …} there.'
            )
        yield number, row


def _csv_rows(table: Path) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(f"{line}\n" for line in lines_of(table))
    try:
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if key is not None}
    except csv.Error as error:
        raise BadInput(f"{table}, line {reader.line_num}, is not CSV ({error}); mend it.") from None
