"""A graph that does not fit is named as its bundle is opened, and what it gives is looked at."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
from speech.errors import BadInput
from tests.export.exported import noise, sew, whisper
from tests.hostile.graph_edits import DECODER, ENCODER, MODEL

ENCODER_FILE, DECODER_FILE, MODEL_FILE = (
    f"onnx/{name}.onnx" for name in ("encoder", "decoder", "model")
)
EDITS = {ENCODER_FILE: ENCODER, DECODER_FILE: DECODER, MODEL_FILE: MODEL}


def changed(path: str, name: str, folder: Path) -> Bundle:
    """A tiny bundle of which one graph is edited."""
    source = (sew if path == MODEL_FILE else whisper)()[1]
    edit, _ = EDITS[path][name]
    place = Path(shutil.copytree(source.folder, folder / "tiny"))
    (place / path).write_bytes(edit((source.folder / path).read_bytes()))
    return Bundle(place, source.manifest)


@pytest.mark.parametrize(
    ("path", "name", "fault"),
    [
        (MODEL_FILE, "has another input", "has no input 'input_values'"),
        (MODEL_FILE, "has another output", "has no output 'logits'"),
        (MODEL_FILE, "has two outputs", "has an output 'input_values', which nobody needs"),
        (MODEL_FILE, "takes two at once", r"of \[2, 8000\] instead of tensor\(float\) of \[1"),
        (MODEL_FILE, "gives one number", r"of \[\] instead of tensor\(float\) of \[1, 'any'"),
        (ENCODER_FILE, "takes other bands", "takes 40 bands of sound, and .* make 80"),
        (ENCODER_FILE, "gives another name", "has no input 'cross_key_9'"),
        (ENCODER_FILE, "gives less", "has an input 'cross_value_1', which nobody needs"),
        (DECODER_FILE, "takes another name", "has no input 'tokens'"),
        (DECODER_FILE, "has a cache of any heads", "'past_key_0' without a fixed size along"),
        (DECODER_FILE, "has a cache without heads", "'past_key_0' without a fixed size along"),
        (DECODER_FILE, "gives logits last", "does not give 'logits' first"),
        (DECODER_FILE, "keeps nothing", "has an input 'past_value_1', which nobody needs"),
    ],
)
def test_a_graph_that_does_not_fit(path: str, name: str, fault: str, tmp_path: Path) -> None:
    bundle = changed(path, name, tmp_path)
    with pytest.raises(BadInput, match=fault) as caught:
        open_recognizer(bundle)
    assert str(bundle.folder) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name", "fault"),
    [
        (MODEL_FILE, "gives numbers that are none", "answers a sound with NaN"),
        (MODEL_FILE, "gives too many frames", r"gives \[1, \d+, 31\] for \d+ samples and 31"),
        (ENCODER_FILE, "gives three axes", "Invalid rank for input: cross_key_0"),
    ],
)
def test_what_a_graph_gives_is_no_transcript(
    path: str, name: str, fault: str, tmp_path: Path
) -> None:
    recognizer = open_recognizer(changed(path, name, tmp_path))
    with pytest.raises(BadInput, match=fault):
        recognizer.transcribe(noise(0, 1.0))


def test_numpy_between_the_graphs_is_one_sentence_too() -> None:
    """As whoever calls with other shapes than the graphs give would see it."""
    recognizer: Any = open_recognizer(whisper()[1])
    cross = recognizer.encode(recognizer.features(noise(0, 1.0)))
    with pytest.raises(BadInput, match="cannot run"):
        recognizer.step([1, 2], {"past_key_0": np.zeros(3)}, cross)


def without_timestamps(table: Any) -> None:
    """As published Whisper tokenizers are: the last tokens have no names."""
    table["added_tokens"] = [one for one in table["added_tokens"] if one["id"] < 291]


def more_specials(table: Any) -> None:
    """As some fine-tuned models have them: never said, for the model has no place for them."""
    table["added_tokens"].append({"id": 300, "content": "<|hot|>", "special": True})


@pytest.mark.parametrize("edit", [without_timestamps, more_specials])
def test_a_tokenizer_may_name_fewer_specials_or_more(
    edit: Callable[[Any], None], tmp_path: Path
) -> None:
    open_recognizer(with_tokenizer(edit, tmp_path))


def one_later(table: Any) -> None:
    """As that of multilingual Whisper is beside the English one's."""
    for token in table["added_tokens"]:
        token["id"] += 1
    table["model"]["vocab"]["more"] = 287


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (one_later, "begins transcripts with token 289, and its bundle with 288"),
        (lambda table: table["model"]["vocab"].update(more=292), "spells token 292, and the model"),
        (lambda table: table["model"]["vocab"].pop("a"), "spells nothing for token"),
        (lambda table: table.update(added_tokens=[], model={"vocab": {"a": 0}}), "for token 1, an"),
    ],
)
def test_a_tokenizer_of_another_model(
    edit: Callable[[Any], None], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=f"tokenizer.json .*{fault}.*it is another model's"):
        open_recognizer(with_tokenizer(edit, tmp_path))


def with_tokenizer(edit: Callable[[Any], None], folder: Path) -> Bundle:
    place = Path(shutil.copytree(whisper()[1].folder, folder / "tiny"))
    table = json.loads((place / "tokenizer.json").read_text())
    edit(table)
    (place / "tokenizer.json").write_text(json.dumps(table))
    return Bundle(place, whisper()[1].manifest)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('{"a": 31}', "has a symbol 31, and the model of its bundle has 31 symbols"),
        ("{}", "names 0 of the 31 symbols"),
        ('{"a": 1, "b": 2, "|": 3}', "names 3 of the 31 symbols"),
    ],
)
def test_a_table_of_symbols_of_another_model(table: str, fault: str, tmp_path: Path) -> None:
    place = Path(shutil.copytree(sew()[1].folder, tmp_path / "tiny"))
    (place / "vocab.json").write_text(table)
    with pytest.raises(BadInput, match=fault):
        open_recognizer(Bundle(place, sew()[1].manifest))
