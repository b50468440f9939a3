"""Every kind of sound file comes out as 16 kHz mono; every broken one says what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio import LONGEST_CLIP, RATE, decode_audio, open_sound, read_audio
from speech.errors import BadInput

_SECONDS = 0.5
_FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}


def _sine(rate: int, channels: int = 1, hz: float = 440, seconds: float = _SECONDS) -> np.ndarray:
    time = np.arange(int(rate * seconds)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hz * time)
    return np.stack([wave] * channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("suffix", list(_FORMATS))
def test_a_tone_keeps_its_pitch_loudness_and_length(tmp_path, suffix, rate, channels):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, _sine(rate, channels), rate, subtype=_FORMATS[suffix])

    samples = read_audio(path)

    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(_SECONDS * RATE, abs=RATE // 100)
    steady = samples[1600:-1600]
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady))))
    assert spectrum.argmax() * RATE / len(steady) == pytest.approx(440, abs=4)
    assert np.sqrt(np.mean(steady**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    left, right = np.full(800, 0.5, np.float32), np.full(800, -0.25, np.float32)
    soundfile.write(path, np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path), 0.125, atol=1e-6)


def test_what_is_above_8_khz_does_not_fold_back(tmp_path):
    path = tmp_path / "whistle.wav"
    soundfile.write(path, _sine(48_000, hz=12_000), 48_000, subtype="FLOAT")
    assert np.abs(read_audio(path)[800:-800]).max() < 1e-3


def test_sphere_files_of_timit_are_read(tmp_path):
    path = tmp_path / "SA1.WAV"
    soundfile.write(path, _sine(RATE), RATE, format="NIST", subtype="PCM_16")
    assert np.abs(read_audio(path)).max() == pytest.approx(0.5, abs=1e-3)


def test_bytes_decode_like_the_file_they_come_from(tmp_path):
    path = tmp_path / "tone.flac"
    soundfile.write(path, _sine(22_050, 2), 22_050)
    np.testing.assert_array_equal(decode_audio(path.read_bytes(), "row 7"), read_audio(path))


@settings(max_examples=40, deadline=None)
@given(rate=st.integers(4_000, 96_000), frames=st.integers(1, 3_000), channels=st.integers(1, 4))
def test_any_rate_gives_the_right_length(rate, frames, channels):
    from io import BytesIO

    file = BytesIO()
    noise = np.random.default_rng(frames).uniform(0.1, 0.9, (frames, channels))
    soundfile.write(file, noise, rate, format="WAV", subtype="FLOAT")
    samples_or_complaint = _decoded_or_complaint(file.getvalue())
    if isinstance(samples_or_complaint, str):
        assert frames * RATE / rate < 1  # Nothing is left of less than one sample.
    else:
        assert abs(len(samples_or_complaint) - frames * RATE / rate) <= 1
        assert np.isfinite(samples_or_complaint).all()


def _decoded_or_complaint(data: bytes) -> np.ndarray | str:
    try:
        return decode_audio(data, "noise")
    except BadInput as complaint:
        return str(complaint)


def _complaint(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_audio(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_file(tmp_path):
    assert "does not exist" in _complaint(tmp_path / "gone.wav")


def test_a_name_that_no_file_can_have(tmp_path):
    assert "cannot be reached (File name too long)" in _complaint(tmp_path / ("x" * 300))


def test_a_folder(tmp_path):
    assert "is a folder" in _complaint(tmp_path)


@pytest.mark.parametrize("name", ["notes.wav", "notes.txt", "notes.raw", "notes.mp3"])
def test_text_is_not_audio(tmp_path, name):
    path = tmp_path / name
    path.write_text("this is not a recording " * 100)
    assert "not a sound file" in _complaint(path)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    assert "empty file" in _complaint(path)


def test_a_header_without_sound(tmp_path):
    path = tmp_path / "header.wav"
    soundfile.write(path, np.zeros(0, np.float32), RATE)
    assert "zero length" in _complaint(path)


@pytest.mark.parametrize("suffix", list(_FORMATS))
def test_silence(tmp_path, suffix):
    path = tmp_path / f"silence.{suffix}"
    soundfile.write(path, np.zeros(4_000, np.float32), RATE, subtype=_FORMATS[suffix])
    assert "is silent" in _complaint(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers(tmp_path, bad):
    path = tmp_path / "broken.wav"
    samples = _sine(RATE)
    samples[100] = bad
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    assert "NaN or infinite" in _complaint(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e11, 1e19, 3e38])
def test_samples_that_are_louder_than_any_sound(tmp_path, scale):
    path = tmp_path / "loud.wav"
    soundfile.write(path, scale * (2 * _sine(RATE, channels=2)), RATE, subtype="FLOAT")
    assert f"samples as large as {scale:.0e}" in _complaint(path)


def test_samples_of_integers_in_a_float_file_are_read(tmp_path):
    path = tmp_path / "integers.wav"
    soundfile.write(path, 2**32 * _sine(RATE), RATE, subtype="FLOAT")
    assert np.abs(read_audio(path)).max() == pytest.approx(2**31, rel=0.01)


@pytest.mark.parametrize("hundredths", [-100, -95])
@pytest.mark.parametrize("louder", [0, 1])
def test_channels_that_cancel_each_other_out_give_the_louder_one(tmp_path, hundredths, louder):
    """One of two microphones has its poles swapped: their mean would be next to nothing."""
    path = tmp_path / "swapped.wav"
    channels = np.repeat(_sine(RATE), 2, axis=1)
    channels[:, 1 - louder] *= hundredths / 100
    channels[:, 1 - louder] *= 0.99
    soundfile.write(path, channels, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path), channels[:, louder])


@pytest.mark.parametrize("seconds", [0.5, 40])
def test_they_are_found_in_a_long_recording_too(tmp_path, seconds):
    path = tmp_path / "swapped.wav"
    one = _sine(48_000, seconds=seconds)
    soundfile.write(path, np.hstack([one, -one]), 48_000)
    assert np.abs(read_audio(path)).max() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("alike", [1.0, 0.5, 0.0, -0.5])
def test_ordinary_stereo_is_the_mean_of_its_channels(tmp_path, alike):
    path = tmp_path / "stereo.wav"
    one, other = np.random.default_rng(0).normal(0, 0.1, (2, RATE))
    channels = np.stack([one, alike * one + (1 - alike**2) ** 0.5 * other], axis=1)
    channels = channels.astype(np.float32)
    soundfile.write(path, channels, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path), channels.mean(axis=1))


def test_one_channel_that_has_sound_among_silent_ones_is_in_their_mean(tmp_path):
    path = tmp_path / "one-of-32.wav"
    channels = np.zeros((RATE, 32), np.float32)
    channels[:, 7:8] = _sine(RATE, seconds=1)
    soundfile.write(path, channels, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path), channels.mean(axis=1))


@pytest.mark.parametrize("rate", [8_000, 11_025, RATE, 44_100, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_reading_in_blocks_changes_no_sample(tmp_path, monkeypatch, rate, channels):
    import soxr

    path = tmp_path / "long.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, (5 * rate + 1, channels)).astype(np.float32)
    soundfile.write(path, noise, rate, subtype="FLOAT")
    at_once = noise.mean(axis=1) if channels > 1 else noise[:, 0]
    expected = at_once if rate == RATE else soxr.resample(at_once, rate, RATE)

    np.testing.assert_array_equal(read_audio(path), expected)
    monkeypatch.setattr("speech.audio._KEPT", 0)
    monkeypatch.setattr("speech.decoder._BLOCK", 10_007)
    with open_sound(path) as sound:
        blocks = list(sound.blocks())
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    np.testing.assert_array_equal(decode_audio(path.read_bytes(), "row 7"), expected)


def test_a_clip_of_absurd_length_is_refused_but_can_be_read_in_blocks(tmp_path, monkeypatch):
    assert LONGEST_CLIP == 2
    monkeypatch.setattr("speech.audio.LONGEST_CLIP", 0.1)
    path = tmp_path / "night.flac"
    soundfile.write(path, _sine(1_000, hz=100, seconds=720), 1_000)
    with pytest.raises(BadInput, match=r"night.flac has 0.2 hours of sound, and 0.1 are the most"):
        read_audio(path)
    with open_sound(path) as sound:
        assert sum(map(len, sound.blocks())) == 720 * RATE


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**31 - 1])
def test_rates_that_no_recording_has(tmp_path, rate):
    path = tmp_path / "rate.wav"
    soundfile.write(path, _sine(RATE), RATE)
    data = bytearray(path.read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(data)
    assert f"has {rate} samples a second" in _complaint(path)


def test_telephone_codecs_that_cannot_be_sought_in(tmp_path):
    for subtype in ("GSM610", "G721_32"):
        path = tmp_path / f"{subtype}.wav"
        soundfile.write(path, _sine(8_000), 8_000, subtype=subtype)
        assert np.abs(read_audio(path)).max() == pytest.approx(0.5, abs=0.1)


def test_a_damaged_mp3_prints_nothing_of_its_decoders(tmp_path, capfd):
    path = tmp_path / "damaged.mp3"
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    soundfile.write(path, noise, RATE, subtype="MPEG_LAYER_III")
    data = bytearray(path.read_bytes())
    data[2_000:2_600] = bytes(reversed(data[2_000:2_600]))
    path.write_bytes(data)
    _decoded_or_complaint(bytes(data))
    path.write_bytes(data[: len(data) // 2])
    assert "cut short" in _complaint(path)
    assert capfd.readouterr() == ("", "")
