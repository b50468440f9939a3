"""Datasets on the Hugging Face Hub, decoded by our own reader."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from speech.audio import Floats, decode_audio, read_audio
from speech.corpora.corpus import (
    Clip,
    Corpus,
    checked_corpus,
    chosen_split,
    default_normalizer,
)
from speech.corpora.metadata import (
    SPEAKER_COLUMNS,
    english_or_none,
    speaker_of,
    text_column,
    text_of,
)
from speech.errors import BadInput

if TYPE_CHECKING:
    from datasets import Dataset

#: Seconds to wait for the Hub's first answer.
_PATIENCE = 5.0


def open_hugging_face(name: str, split: str | None) -> Corpus:
    """`owner/name` or `owner/name:config`. The whole split is downloaded, then clips are drawn."""
    try:
        import datasets
    except ImportError:
        raise BadInput(
            f"{name!r} is no folder here, and to look for it on the Hugging Face Hub needs "
            "datasets: pip install 'secateur[host]'."
        ) from None
    repository, _, config = name.partition(":")
    language = _language_on_hub(repository) or english_or_none(config)
    try:
        splits = datasets.get_dataset_split_names(repository, config or None)
        chosen = chosen_split(splits, split, source=name)
        table = datasets.load_dataset(repository, config or None, split=chosen)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise BadInput(f"The Hugging Face dataset {name!r} cannot be opened: {reason}") from error
    return corpus_of_table(table, f"{name}:{chosen}", language)


def _language_on_hub(repository: str) -> str | None:
    """ "en" if the dataset's card says so. Also the one quick question whether it exists.

    One request, asked first, because `load_dataset` retries for 20 s and more when there is
    no network.
    """
    from huggingface_hub import HfApi, errors

    try:
        card = HfApi().dataset_info(repository, timeout=_PATIENCE).card_data
    except errors.OfflineModeIsEnabled:
        return None  # `load_dataset` then looks into its cache, at once.
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise BadInput(
            f"{repository!r} is neither a folder here nor a public dataset on the Hugging Face "
            "Hub; check the name, or log in with 'hf auth login' if it is private."
        ) from None
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined] # httpx's or httpx2's
        raise BadInput(
            f"{repository!r} is no folder here, and the Hugging Face Hub cannot be asked for it "
            f"({type(error).__name__}); check the name and the network, or set HF_HUB_OFFLINE=1 "
            "to use a copy that was downloaded before."
        ) from None
    languages = getattr(card, "language", None)
    if isinstance(languages, list):
        languages = languages[0] if len(languages) == 1 else None
    return english_or_none(languages)


def corpus_of_table(table: "Dataset", name: str, language: str | None) -> Corpus:
    """One split's rows as clips, named by their number; sound is decoded when it is asked for."""
    from datasets import Audio

    audio = next((key for key, kind in table.features.items() if isinstance(kind, Audio)), None)
    columns = list(table.column_names)
    if audio is None:
        raise BadInput(f"{name} has no column of sound; its columns are {', '.join(columns)}.")
    text = text_column(columns, source=name)
    sounds = table.select_columns([audio]).cast_column(audio, Audio(decode=False))
    words = table.select_columns([key for key in columns if key in (text, *SPEAKER_COLUMNS)])
    return checked_corpus(
        name,
        [
            Clip(
                name=f"{index:06d}",
                text=text_of(row, text, where=f"{name}, row {index},"),
                audio=partial(_decoded, sounds, index, audio, f"{name}, row {index},"),
                speaker=speaker_of(row),
            )
            for index, row in enumerate(words)
        ],
        source=name,
        language=language,
        normalizer=default_normalizer(language),
    )


def _decoded(sounds: "Dataset", index: int, column: str, where: str) -> Floats:
    sound = sounds[index][column]
    if sound["bytes"] is not None:
        return decode_audio(sound["bytes"], where)
    return read_audio(Path(sound["path"]))
