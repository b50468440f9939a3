"""Common Voice folders: one language's test.tsv, train.tsv … beside its clips/."""

import csv
import re
from pathlib import Path

from speech.corpora.corpus import Clip, Corpus, absent_split, checked_corpus, default_normalizer
from speech.corpora.metadata import audio_inside, lines_of, speaker_of, text_of
from speech.errors import BadInput

_SPLITS = ("test", "dev", "train", "validated")
_COLUMNS = ("path", "sentence")
_LOCALE = re.compile(r"([a-z]{2,3})(-[A-Za-z]+)*")


def is_common_voice(folder: Path) -> bool:
    return bool(_splits(folder))


def open_common_voice(folder: Path, split: str | None) -> Corpus:
    """The clips of one table, test.tsv unless told otherwise."""
    wanted = split or "test"
    available = _splits(folder)
    if wanted not in available:
        raise absent_split(available, wanted, source=folder)
    table = folder / f"{wanted}.tsv"
    rows = _rows(table)
    locale = rows[0][1].get("locale") if rows else None
    language = _language(locale or folder.resolve().name)
    return checked_corpus(
        f"{folder.resolve().name}:{wanted}",
        [_clip(folder / "clips", row, f"{table}, line {line},") for line, row in rows],
        source=table,
        language=language,
        normalizer=default_normalizer(language),
    )


def _splits(folder: Path) -> list[str]:
    return [split for split in _SPLITS if (folder / f"{split}.tsv").is_file()]


def _language(locale: str) -> str | None:
    match = _LOCALE.fullmatch(locale)
    return match[1] if match else None


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    # Sentences contain bare quotation marks: the tables are tab-separated, but not quoted.
    reader = csv.DictReader(lines_of(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if absent:
        raise BadInput(
            f"{table} has no column {' and no column '.join(absent)}; "
            f"its columns are {', '.join(reader.fieldnames or ())}."
        )
    return list(enumerate(reader, 2))


def _clip(clips: Path, row: dict[str, str], where: str) -> Clip:
    file_name = text_of(row, "path", where=where)
    return Clip(
        name=file_name,
        text=text_of(row, "sentence", where=where),
        audio=audio_inside(clips, file_name, where=where),
        speaker=speaker_of(row),
    )
