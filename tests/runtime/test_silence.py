"""Where nobody speaks nothing is written, and no speech is taken for silence."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.recognizer import open_recognizer
from runtime.silence import is_inaudible, is_silent
from runtime.whisper import WhisperRecognizer
from speech.audio import RATE
from speech.corpora import open_corpus
from tests.export.exported import demo, noise, sew, whisper

Floats = NDArray[np.float32]


def steady(colour: float, seed: int, seconds: float = 2.5) -> Floats:
    """Noise whose power falls by the frequency to the power of `colour`, of unit power."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (colour / 2)
    samples = np.fft.irfft(spectrum, count)
    return (samples / np.sqrt(np.square(samples).mean())).astype(np.float32)


def hum(seconds: float = 2.5) -> Floats:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * 50 * time).astype(np.float32)


NOTHING = {
    "no samples": np.zeros(0, np.float32),
    "one sample": np.ones(1, np.float32) / 2,
    "digital silence": np.zeros(3 * RATE, np.float32),
    "an offset": np.full(3 * RATE, 0.3, np.float32),
    "the last bit": np.random.default_rng(0).integers(-1, 2, 3 * RATE).astype(np.float32) / 32768,
    "a faint hiss": 5e-4 * steady(0, 0),
    "faint bursts": noise(3, 2.0) / 300,
    "hum": 0.1 * hum(),
    **{
        f"noise of colour {colour} at {decibels} dB": 10 ** (decibels / 20) * steady(colour, colour)
        for colour in (0, 1, 2)
        for decibels in (-50, -40, -30, -20)
    },
}


@pytest.mark.parametrize("samples", NOTHING.values(), ids=NOTHING.keys())
def test_the_demo_model_makes_nothing_up(samples: Floats) -> None:
    transcript = open_recognizer(demo("demo-whisper")).transcribe(samples)
    assert (transcript.text, transcript.tokens) == ("", ())


def test_without_the_gate_it_would_make_something_up() -> None:
    recognizer = WhisperRecognizer(demo("demo-whisper"))
    hiss = recognizer.features(0.01 * steady(0, 0))
    logits, _ = recognizer.step(
        list(recognizer.rules.prefix), recognizer.start(), recognizer.encode(hiss)
    )
    assert recognizer.rules.choose(logits, first=True) not in recognizer.rules.end


def test_no_clip_of_the_demo_is_silent_even_far_away() -> None:
    clips = [clip for part in ("test", "calibration") for clip in open_corpus(f"demo:{part}").clips]
    assert len(clips) == 400
    for clip in clips:
        assert not is_silent(clip.samples() / 8), clip.name


def test_words_between_two_silences_are_heard() -> None:
    """One second of speech in ten: the gate asks for the loudest moment, not for the average."""
    clip = open_corpus("demo:test").clips[0].samples()
    hiss = 1e-3 * steady(0, 1, 10)
    hiss[4 * RATE : 4 * RATE + len(clip)] += clip
    assert not is_silent(hiss)
    clip = np.pad(clip, (RATE, RATE))
    assert not is_silent(clip)


@pytest.mark.parametrize("family", [whisper, sew])
def test_of_silence_the_model_is_not_asked(family: Any) -> None:
    transcript = open_recognizer(family()[1]).transcribe(np.zeros(RATE, np.float32))
    assert (transcript.text, transcript.tokens) == ("", ())
    assert transcript.seconds["features"] > 0
    assert transcript.seconds["encode"] == transcript.seconds["decode"] == 0


def test_a_ctc_model_is_asked_about_steady_noise() -> None:
    """It has a symbol for nothing; only what is inaudible is kept from it."""
    hiss = 0.1 * steady(0, 0)
    assert is_silent(hiss)
    assert not is_inaudible(hiss)
    assert open_recognizer(sew()[1]).transcribe(hiss).seconds["encode"] > 0
