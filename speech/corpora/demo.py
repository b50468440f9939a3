"""The clips that come with the source: short synthetic commands, enough to try everything out."""

from dataclasses import replace

from speech.assets import assets_folder
from speech.corpora.audio_folder import open_audio_folder
from speech.corpora.corpus import Corpus
from speech.errors import BadInput


def open_demo(split: str | None) -> Corpus:
    """`test` (the default) or `calibration`.

    Scored with "basic": Whisper's English normaliser would glue the clips' strings of digits
    into one number, and one wrong digit would then cost as much as four.
    """
    folder = assets_folder() / "clips"
    if not folder.is_dir():
        raise BadInput(
            f"The demo clips are not in {folder}; run from a source checkout, or set "
            "SECATEUR_ASSETS to its assets folder."
        )
    corpus = open_audio_folder(folder, split)
    name = corpus.name.replace(folder.resolve().name, "demo", 1)
    return replace(corpus, name=name, language="en", normalizer="basic")
