"""What `Wav2Vec2CTCTokenizer.decode` gives for the likeliest symbols, at every length of audio."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.ctc import CtcRecognizer
from runtime.recognizer import open_recognizer
from runtime.settings import Settings
from tests.export.exported import noise, sew, sew_d, wav2vec2


def likeliest(model: Any, values: NDArray[np.float32]) -> NDArray[np.int64]:
    with torch.inference_mode():
        ids: NDArray[np.int64] = model(torch.from_numpy(values)[None]).logits[0].argmax(-1).numpy()
    return ids


@pytest.mark.parametrize("family", [sew, sew_d, wav2vec2])
@pytest.mark.parametrize("samples", [4_000, 16_000, 16_320, 16_321, 16_640, 16_960, 50_003])
def test_text_and_tokens(family: Any, samples: int) -> None:
    checkpoint, bundle = family()
    clip = noise(samples, 4.0)[:samples]
    heard = checkpoint.processor.feature_extractor(clip, sampling_rate=16_000, return_tensors="np")
    ids = likeliest(checkpoint.model, heard.input_values[0])
    transcript = open_recognizer(bundle).transcribe(clip)
    assert transcript.text == checkpoint.processor.tokenizer.decode(ids).strip()
    collapsed = ids[np.flatnonzero(np.diff(ids, prepend=-1))]
    assert transcript.tokens == tuple(collapsed[collapsed != 0].tolist())
    assert samples < 10_000 or len(set(transcript.tokens)) > 2, "too dull to prove anything"


@pytest.mark.parametrize("family", [sew, sew_d, wav2vec2])
@pytest.mark.parametrize("samples", [0, 1, 300])
def test_audio_too_short_for_a_frame_is_filled_up(family: Any, samples: int) -> None:
    checkpoint, bundle = family()
    recognizer = CtcRecognizer(bundle)
    values = recognizer.prepare(noise(1, 1.0)[:samples])
    assert len(values) == recognizer.rules.min_samples
    logits = recognizer.logits(values)
    assert list(logits.argmax(-1)) == list(likeliest(checkpoint.model, values))
    recognizer.transcribe(noise(1, 1.0)[:samples])


def recogniser_with(features: dict[str, Any] | None = None, **rules: Any) -> CtcRecognizer:
    bundle = sew()[1]
    manifest = dataclasses.replace(
        bundle.manifest,
        features={**bundle.manifest.features, **(features or {})},
        decoding=dataclasses.replace(bundle.manifest.decoding, **rules),
    )
    return CtcRecognizer(Bundle(bundle.folder, manifest))


def test_the_waveform_is_normalised_only_if_the_model_wants_it() -> None:
    clip = noise(3, 1.0) + 0.5
    assert recogniser_with({"do_normalize": False}).prepare(clip) == pytest.approx(clip)
    normalised = recogniser_with({"do_normalize": True}).prepare(clip)
    assert normalised.mean() == pytest.approx(0, abs=1e-4)
    assert normalised.std() == pytest.approx(1, abs=1e-3)


def spelt(text: str) -> list[int]:
    vocabulary = sew()[0].processor.tokenizer.get_vocab()
    return [vocabulary[symbol] for symbol in text.replace(" ", "|")]


def test_words_are_kept_apart() -> None:
    assert recogniser_with().text(spelt(" on and off ")) == "on and off"


def test_the_rules_of_other_vocabularies() -> None:
    assert recogniser_with(unknown="?").text([*spelt("a"), 999]) == "a?"
    assert recogniser_with(delimiter="x").text(spelt("axb")) == "a b"
    shouting = recogniser_with(lower_case=True)
    shouting._symbols[5] = "É"
    assert shouting.text([5, 5]) == "éé"


def test_tidied_spaces() -> None:
    tidy, tokenizer = recogniser_with(tidy_spaces=True), sew()[0].processor.tokenizer
    tidy._symbols |= {5: "'", 6: "."}
    tokens = [7, 4, 5, 22, 4, 6]
    assert tidy.text(tokens) == tokenizer.clean_up_tokenization(
        "".join(" " if token == 4 else tidy._symbols[token] for token in tokens)
    )


def test_seconds_by_phase() -> None:
    transcript = open_recognizer(sew()[1], Settings(threads=2)).transcribe(noise(1, 1.0))
    assert list(transcript.seconds) == ["features", "encode", "decode"]
