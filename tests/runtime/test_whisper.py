"""Token for token what transformers' `generate` gives, under every rule a checkpoint can set."""

import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.decoding import whisper_rules
from prune.language import speech_choice
from runtime.bundle import Bundle, Manifest
from runtime.recognizer import open_recognizer
from runtime.rules import WhisperRules
from runtime.settings import Settings
from runtime.whisper import WhisperRecognizer
from speech.errors import BadInput
from tests.export.exported import noise, whisper

CLIPS = [noise(seed, seconds) for seed, seconds in enumerate((4.0, 3.1, 1.7, 0.4, 2.5))]
LANGUAGES = {"<|en|>": 40, "<|fr|>": 41}
TASKS = {"transcribe": 50, "translate": 51}


@pytest.fixture
def model() -> Iterator[Any]:
    """The tiny model, whose generation settings a test may change."""
    found = whisper()[0].model
    settings = copy.deepcopy(found.generation_config)
    yield found
    found.generation_config = settings


def following(model: Any, **choice: str) -> WhisperRecognizer:
    """The recogniser with the rules of the model's present settings."""
    bundle = whisper()[1]
    rules = whisper_rules(
        model, speech_choice(model, **({"language": None, "task": None} | choice))
    )
    manifest = dataclasses.replace(bundle.manifest, decoding=rules)
    return WhisperRecognizer(Bundle(bundle.folder, manifest))


def generated(model: Any, window: NDArray[np.float32], **choice: str) -> list[int]:
    extractor = whisper()[0].processor.feature_extractor
    mel = extractor(window, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        tokens: list[int] = model.generate(mel, **choice)[0].tolist()
    return tokens


def assert_same(model: Any, **choice: str) -> list[tuple[int, ...]]:
    recognizer = following(model, **choice)
    heard = []
    for clip in CLIPS:
        transcript = recognizer.transcribe(clip)
        assert list(transcript.tokens) == generated(model, clip, **choice)
        tokenizer = whisper()[0].processor.tokenizer
        spelt = tokenizer.decode(list(transcript.tokens), skip_special_tokens=True)
        assert transcript.text == spelt.strip()
        heard.append(transcript.tokens)
    return heard


def test_tokens_that_the_vocabulary_lacks_are_no_obstacle(model: Any) -> None:
    """A checkpoint trained with transformers' default settings names tokens up to 50,256."""
    model.generation_config.begin_suppress_tokens = [220, 50_256]
    model.generation_config.suppress_tokens = [50_000, 7]
    assert_same(model)


def test_default_settings(model: Any) -> None:
    heard = assert_same(model)
    assert len(set(heard)) > len(CLIPS) // 2, "too dull to prove anything"


def test_nothing_suppressed(model: Any) -> None:
    model.generation_config.suppress_tokens = None
    model.generation_config.begin_suppress_tokens = None
    assert_same(model)


def test_suppressed_at_the_beginning_only(model: Any) -> None:
    firsts = {tokens[0] for tokens in assert_same(model)}
    model.generation_config.begin_suppress_tokens = sorted(firsts)
    heard = assert_same(model)
    assert not firsts & {tokens[0] for tokens in heard}


def test_suppressed_everywhere(model: Any) -> None:
    common = sorted({token for tokens in assert_same(model) for token in tokens})[::2]
    model.generation_config.suppress_tokens = common
    assert not set(common) & {token for tokens in assert_same(model) for token in tokens}


def test_ending_early(model: Any) -> None:
    """A token that the model likes to say becomes the end."""
    longest = max(assert_same(model), key=len)
    model.generation_config.eos_token_id = longest[len(longest) // 2]
    model.generation_config.pad_token_id = longest[len(longest) // 2]
    assert min(map(len, assert_same(model))) < len(longest)


def multilingual(model: Any) -> None:
    settings = model.generation_config
    settings.is_multilingual = True
    settings.lang_to_id, settings.task_to_id = LANGUAGES, TASKS


@pytest.mark.parametrize("language", ["fr", "French", "<|fr|>"])
def test_language_and_task(model: Any, language: str) -> None:
    multilingual(model)
    assert following(model, language=language, task="translate").rules.prefix[1:3] == (41, 51)
    if language == "fr":
        assert_same(model, language="fr", task="translate")


def test_english_transcription_unless_asked_otherwise(model: Any) -> None:
    multilingual(model)
    rules = following(model).rules
    assert rules.prefix[1:3] == (40, 50)
    assert list(following(model).transcribe(CLIPS[0]).tokens) == generated(
        model, CLIPS[0], language="en", task="transcribe"
    )


def test_settings_of_the_checkpoint_come_before_the_default(model: Any) -> None:
    multilingual(model)
    model.generation_config.language, model.generation_config.task = "french", "translate"
    assert following(model).rules.prefix[1:3] == (41, 51)
    assert_same(model)


def test_an_impossible_language_or_task_is_named(model: Any) -> None:
    with pytest.raises(BadInput, match="one language"):
        following(model, language="fr")
    multilingual(model)
    with pytest.raises(BadInput, match=r"language 'de'.*en, fr"):
        following(model, language="de")
    with pytest.raises(BadInput, match=r"task 'sing'.*transcribe, translate"):
        following(model, task="sing")


def test_an_old_forced_prefix(model: Any) -> None:
    model.generation_config.forced_decoder_ids = [[1, 60], [2, 61]]
    assert following(model).rules.prefix[1:3] == (60, 61)
    assert_same(model)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_length", 5),
        ("max_length", 23),
        ("max_length", 448),
        ("max_length", None),
        ("max_new_tokens", 3),
    ],
)
def test_length(model: Any, setting: str, value: int | None) -> None:
    setattr(model.generation_config, setting, value)
    model.generation_config.suppress_tokens = [model.generation_config.eos_token_id]
    lengths = {len(tokens) for tokens in assert_same(model)}
    assert len(lengths) == 1, "every clip should run into the limit"


def test_long_audio_is_heard_window_by_window(model: Any) -> None:
    audio = noise(7, 9.5)
    windows = following(model).features.windows(audio)
    assert len(windows) >= 3
    assert all(len(window) <= 64_000 for window in windows)
    parts = [generated(model, window) for window in windows]
    tokenizer = whisper()[0].processor.tokenizer
    transcript = following(model).transcribe(audio)
    assert list(transcript.tokens) == [token for part in parts for token in part]
    assert transcript.text == " ".join(
        tokenizer.decode(part, skip_special_tokens=True).strip() for part in parts
    )


def test_audio_that_ends_with_its_window_is_one_window(model: Any) -> None:
    recognizer = following(model)
    clip = CLIPS[0]
    assert len(clip) == recognizer.features.window_samples
    assert list(recognizer.transcribe(clip).tokens) == generated(model, clip)


def test_seconds_by_phase() -> None:
    transcript = open_recognizer(whisper()[1]).transcribe(CLIPS[0])
    assert list(transcript.seconds) == ["features", "encode", "prefill", "decode"]
    assert all(seconds > 0 for seconds in transcript.seconds.values())


def windowed(seconds: float) -> WhisperRecognizer:
    return WhisperRecognizer(whisper()[1], Settings(window=seconds))


def shortened(model: Any, seconds: float) -> Any:
    """In PyTorch: a model with positions for so many seconds, and no more."""
    short = copy.deepcopy(model)
    short.config.max_source_positions = round(50 * seconds)
    encoder = short.model.encoder
    kept = encoder.embed_positions.weight[: short.config.max_source_positions]
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(kept)
    return short


@pytest.mark.parametrize("samples", [32_000, 20_000])
def test_in_a_shorter_window_it_says_what_a_shorter_model_says(model: Any, samples: int) -> None:
    clip, recognizer = CLIPS[0][:samples], windowed(2.0)
    mel = torch.from_numpy(recognizer.features(clip))[None]
    assert mel.shape[2] == 200
    with torch.inference_mode():
        expected = shortened(model, 2.0).generate(mel)[0].tolist()
    assert list(recognizer.transcribe(clip).tokens) == expected
    assert expected != generated(model, clip), "the window should make a difference"


def test_long_audio_is_cut_to_the_shorter_window() -> None:
    assert len(windowed(1.0).features.windows(CLIPS[0])) >= 4
    assert windowed(1.0).transcribe(CLIPS[0]).tokens


def test_the_window_that_it_was_trained_for_may_be_named() -> None:
    assert windowed(4.0).features == WhisperRecognizer(whisper()[1]).features


def test_a_longer_window_than_it_has_positions_for_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'window' is 4\.5 s, and .* hears at most 4 s"):
        windowed(4.5)


def test_features_of_a_longer_window_than_there_are_positions_for_end_in_one_sentence() -> None:
    bundle = whisper()[1]
    features = {**bundle.manifest.features}
    features |= {key: 2 * features[key] for key in ("chunk_length", "n_samples", "nb_max_frames")}
    manifest = dataclasses.replace(bundle.manifest, features=features)
    recognizer = WhisperRecognizer(Bundle(bundle.folder, manifest))
    sentence = (
        rf"^onnxruntime cannot run {bundle.folder} \(.*200 by 400\): give it a shorter window"
    )
    with pytest.raises(BadInput, match=sentence):
        recognizer.transcribe(CLIPS[0])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prefix", []),
        ("prefix", [1.5]),
        ("suppress", "none"),
        ("end", [-1]),
        ("max_length", 2),
        ("max_length", True),
        ("temperature", 0),
    ],
)
def test_bad_rules_are_named(key: str, value: object) -> None:
    table = json.loads(json.dumps(whisper()[1].manifest.to_json()))
    table["decoding"][key] = value
    with pytest.raises(BadInput, match=f"bundle.json: decoding.*{key}"):
        Manifest.from_json(table, "bundle.json")


def test_tokens_beyond_the_vocabulary_are_named() -> None:
    """They would be looked up where nothing is."""
    bundle = whisper()[1]
    assert isinstance(bundle.manifest.decoding, WhisperRules)
    rules = dataclasses.replace(bundle.manifest.decoding, suppress=(1, 292))
    wrong = Bundle(bundle.folder, dataclasses.replace(bundle.manifest, decoding=rules))
    with pytest.raises(BadInput, match="names token 292, and the model has 292 tokens"):
        open_recognizer(wrong)


@pytest.mark.parametrize(
    ("features", "complaint"),
    [
        ({}, "bundle.json: 'features' lacks 'feature_size'"),
        ({"feature_size": 40}, "takes 80 bands of sound, and the 'features' of its bundle make 40"),
    ],
)
def test_features_that_do_not_fit_are_named(features: dict[str, Any], complaint: str) -> None:
    bundle = whisper()[1]
    given = {**bundle.manifest.features, **features} if features else {}
    wrong = Bundle(bundle.folder, dataclasses.replace(bundle.manifest, features=given))
    with pytest.raises(BadInput, match=complaint) as caught:
        open_recognizer(wrong)
    assert str(bundle.folder) in str(caught.value)
