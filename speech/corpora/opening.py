"""From the name or path a user writes to a corpus."""

import difflib
from pathlib import Path

from speech.corpora.audio_folder import is_audio_folder, open_audio_folder
from speech.corpora.common_voice import is_common_voice, open_common_voice
from speech.corpora.corpus import Corpus
from speech.corpora.demo import open_demo
from speech.corpora.hugging_face import open_hugging_face
from speech.corpora.librispeech import is_librispeech, open_librispeech
from speech.corpora.librispeech_download import ARCHIVES, downloaded
from speech.corpora.timit import is_timit, open_timit
from speech.errors import BadInput
from speech.readable import expanded, readable, refuse_unreachable

#: The names that mean a corpus of their own, whatever folders are called so (`./demo` is a folder).
NAMES = ("demo", "demo:test", "demo:calibration", *(f"librispeech:{part}" for part in ARCHIVES))

#: In the order they are tried: the ones with an unmistakable file at the top come first.
_LAYOUTS = (
    (is_audio_folder, open_audio_folder),
    (is_common_voice, open_common_voice),
    (is_librispeech, open_librispeech),
    (is_timit, open_timit),
)


def open_corpus(
    name_or_path: str, *, split: str | None = None, limit: int | None = None, seed: int = 0
) -> Corpus:
    """A corpus by name (`demo`, `librispeech:test-clean`), folder or Hugging Face `owner/name`.

    `limit` keeps that many clips, drawn with `seed`.
    """
    return _named_or_found(name_or_path, split).limit(limit, seed)


def _named_or_found(wanted: str, split: str | None) -> Corpus:
    name, _, part = wanted.partition(":")
    if name == "demo":
        return open_demo(_one_of(part, split, wanted))
    if name == "librispeech":
        return _open_named_librispeech(_one_of(part, split, wanted) or "test-clean")
    if not wanted.strip():
        raise BadInput("The name of the corpus is empty; give a name or a folder.")
    folder = expanded(wanted)
    refuse_unreachable(folder)
    if folder.is_dir():
        return open_folder(folder, split)
    if folder.exists():
        raise BadInput(f"{wanted} is a file; name the folder of the corpus instead.")
    if wanted.startswith((".", "~", "/")) or wanted.count("/") > 1:
        raise BadInput(f"There is no folder {wanted!r}; check the path.")
    if "/" in wanted:
        return open_hugging_face(wanted, split)
    raise _unknown(wanted)


def _one_of(part: str, split: str | None, wanted: str) -> str | None:
    if part and split and part != split:
        raise BadInput(f"{wanted} and the split {split!r} contradict each other; give one of them.")
    return part or split


def _open_named_librispeech(subset: str) -> Corpus:
    name = f"librispeech:{subset}"
    if subset not in ARCHIVES:
        raise _unknown(name)
    return open_librispeech(downloaded(subset), subset, name=name)


def _unknown(name: str) -> BadInput:
    near = difflib.get_close_matches(name, NAMES, 1, cutoff=0.7)
    hint = f"did you mean {near[0]!r}?" if near else f"the names are {', '.join(NAMES)}."
    return BadInput(
        f"{name!r} is neither a folder here nor a corpus known by name; {hint} "
        "(A Hugging Face dataset is written owner/name.)"
    )


def open_folder(folder: Path, split: str | None = None) -> Corpus:
    """A corpus on disk in whichever of the known layouts the folder has."""
    with readable(folder):
        for is_layout, open_layout in _LAYOUTS:
            if is_layout(folder):
                return open_layout(folder, split)
    raise BadInput(
        f"{folder} is in no layout that is understood: AudioFolder (metadata.jsonl or "
        "metadata.csv), LibriSpeech (*.trans.txt), TIMIT (*.TXT beside *.WAV) or Common Voice "
        "(test.tsv beside clips/); add a metadata.jsonl, or name the folder inside it that has one."
    )
