"""Our features are transformers': what is pruned on one must not be measured on another."""

import numpy as np
import pytest
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from speech.errors import BadInput
from speech.features import LogMel, normalise_waveform

RATE = 16_000


def _speechlike(samples: int, seed: int = 0) -> np.ndarray:
    """Noise with harmonics that come and go: every band and a wide range of levels."""
    random = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    tone = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 30))
    envelope = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1)
    return (0.1 * tone * envelope + random.normal(0, 1e-3, samples)).astype(np.float32)


def _theirs(config: dict, samples: np.ndarray, *, pad: bool) -> np.ndarray:
    extractor = WhisperFeatureExtractor(**config)
    padding = {"padding": "max_length", "truncation": True} if pad else {"padding": False}
    out = extractor(
        samples, sampling_rate=RATE, return_tensors="np", **{"truncation": False, **padding}
    )
    return out["input_features"][0]


_CONFIGS = {
    "tiny": {"feature_size": 80, "chunk_length": 30},
    "large-v3": {"feature_size": 128, "chunk_length": 30},
    "4 s": {"feature_size": 80, "chunk_length": 4},
    "3 s, 128": {"feature_size": 128, "chunk_length": 3, "n_fft": 400, "hop_length": 160},
    "40 bands": {"feature_size": 40, "chunk_length": 3, "n_fft": 512, "hop_length": 200},
}


@pytest.mark.parametrize("config", _CONFIGS.values(), ids=_CONFIGS.keys())
@pytest.mark.parametrize("samples", [RATE, 16_123, 31 * RATE], ids=["1 s", "odd", "too long"])
def test_padded_features_equal_transformers(config, samples):
    clip = _speechlike(samples)
    ours = LogMel.from_config(config)(clip)
    theirs = _theirs(config, clip, pad=True)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("samples", [201, 400, 16_000, 16_123, 70_001])
def test_unpadded_features_equal_transformers(samples):
    clip = _speechlike(samples)
    ours = LogMel.from_config(_CONFIGS["4 s"])(clip, pad=False)
    assert ours.shape == (80, samples // 160)
    np.testing.assert_allclose(ours, _theirs(_CONFIGS["4 s"], clip, pad=False), atol=1e-4)


def test_a_clip_of_hardly_a_frame_has_its_frame():
    """Shorter than what is mirrored at its ends; transformers fails there."""
    features = LogMel()(_speechlike(180), pad=False)
    assert features.shape == (80, 1) and np.isfinite(features).all()


@pytest.mark.parametrize("samples", [100, 29 * RATE, 30 * RATE - 250, 30 * RATE - 1, 30 * RATE])
def test_the_end_of_a_clip_may_be_anywhere_in_the_window(samples):
    clip = _speechlike(samples)
    theirs = _theirs(_CONFIGS["tiny"], clip, pad=True)
    np.testing.assert_allclose(LogMel()(clip), theirs, atol=1e-4)


def test_silence_equals_transformers():
    clip = np.zeros(RATE, np.float32)
    ours = LogMel.from_config(_CONFIGS["4 s"])(clip)
    np.testing.assert_allclose(ours, _theirs(_CONFIGS["4 s"], clip, pad=True), atol=1e-4)


def test_the_callers_samples_are_left_alone():
    clip = _speechlike(RATE)
    before = clip.copy()
    LogMel(window_seconds=1)(clip, pad=False)
    normalise_waveform(clip)
    np.testing.assert_array_equal(clip, before)


def test_keys_of_a_real_settings_file_that_are_not_features_are_let_through():
    config = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "return_attention_mask": False,
        "feature_size": 128,
        "nb_max_frames": 3000,
        "padding_value": 0.0,
    }
    assert LogMel.from_config(config) == LogMel(n_mels=128)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"feature_size": 0}, "feature_size = 0"),
        ({"feature_size": "80"}, "feature_size = '80'"),
        ({"feature_size": 500}, "feature_size = 500"),
        ({"n_fft": 401}, "n_fft = 401"),
        ({"n_fft": 64_000, "chunk_length": 1}, "n_fft = 64000"),
        ({"hop_length": -160}, "hop_length = -160"),
        ({"hop_length": 800}, "hop_length = 800"),
        ({"hop_length": True}, "hop_length = True"),
        # These would take gigabytes, or minutes.
        ({"n_fft": 4_000_000, "chunk_length": 3600}, "n_fft = 4000000"),
        ({"hop_length": 1}, "hop_length = 1 must be at least"),
        ({"feature_size": 1000, "n_fft": 2000}, "feature_size = 1000"),
        ({"feature_size": 100_000, "n_fft": 200_000}, "n_fft = 200000"),
        ({"chunk_length": 3600}, "chunk_length = 3600 makes windows of 28800000 values"),
        ({"feature_size": 10**5000}, "feature_size = a number of 5000 digits"),
        ({"sampling_rate": 8_000}, "sampling_rate = 8000"),
        ({"chunk_length": 0}, "chunk_length = 0"),
        ({"chunk_length": float("nan")}, "chunk_length = nan"),
        ({"padding_value": 1.0}, "padding_value is 1.0"),
        ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "'Wav2Vec2FeatureExtractor'"),
    ],
)
def test_impossible_settings_are_named(config, named):
    with pytest.raises(BadInput, match=named):
        LogMel.from_config(config)


@pytest.mark.parametrize("samples", [0, 159])
def test_a_clip_shorter_than_a_frame_is_bad_input(samples):
    with pytest.raises(BadInput, match=f"{samples} samples"):
        LogMel()(np.ones(samples, np.float32), pad=False)


@pytest.mark.parametrize("samples", [400, 16_123, 160_000])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_unit_waveform_equals_transformers(samples, offset):
    clip = _speechlike(samples) + np.float32(offset)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    theirs = extractor(clip, sampling_rate=RATE, return_tensors="np")["input_values"][0]
    ours = normalise_waveform(clip)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
