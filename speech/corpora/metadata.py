"""What all tables of clips share: finding the text column, and audio that stays in its folder."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from speech.errors import BadInput

#: Columns that hold what was said, the first that is there wins.
TEXT_COLUMNS = ("text", "transcription", "sentence", "transcript", "normalized_text")

#: Columns that say who speaks.
SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id", "voice")


def lines_of(table: Path) -> list[str]:
    """Lines end at line feeds only: a sentence may well contain U+2028 and its like."""
    try:
        return table.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise BadInput(f"{table} is not UTF-8 text; save it as UTF-8.") from None


def text_column(columns: Sequence[str], *, source: object) -> str:
    for name in TEXT_COLUMNS:
        if name in columns:
            return name
    raise BadInput(
        f"{source} has no column with the text ({', '.join(TEXT_COLUMNS)}); "
        f"its columns are {', '.join(columns)}."
    )


def text_of(row: Mapping[str, object], column: str, *, where: str) -> str:
    text = row.get(column)
    if not isinstance(text, str):
        raise BadInput(f"{where} has no {column}; write what is said there, or remove the line.")
    return text


def speaker_of(row: Mapping[str, object]) -> str | None:
    for column in SPEAKER_COLUMNS:
        if row.get(column) not in (None, ""):
            return str(row[column])
    return None


def english_or_none(code: object) -> str | None:
    """ "en" for en, en_us, en-GB or English; None for all that is not surely English."""
    head = str(code).lower().replace("_", "-").split("-")[0]
    return "en" if head in ("en", "eng", "english") else None


def audio_inside(folder: Path, file_name: str, *, where: str) -> Path:
    """The sound file that a table names, which must exist below the table's own folder.

    Judged by the written path alone: a link inside the folder may point anywhere, as in the
    Hugging Face cache.
    """
    relative = os.path.normpath(file_name)
    if Path(relative).is_absolute() or ".." in Path(relative).parts:
        raise BadInput(
            f"{where} names {file_name}, which lies outside {folder}; move it into the folder."
        )
    path = folder / relative
    if not path.is_file():
        raise BadInput(f"{where} names {file_name}, which is not in {folder}; add or remove it.")
    return path
