"""A file that lost its end is not taken for a shorter one; one that never had a length is whole."""

import struct
from io import BytesIO

import numpy as np
import pytest
import soundfile

from speech.audio import RATE, decode_audio
from speech.errors import BadInput

NOISE = np.random.default_rng(0).normal(0, 0.1, (2 * RATE, 1))

#: Formats whose header says where the sound ends, or whose decoder finds out.
CHECKED = [
    ("WAV", "PCM_16"), ("WAV", "GSM610"), ("WAV", "IMA_ADPCM"), ("WAVEX", "FLOAT"),
    ("RF64", "PCM_16"), ("RF64", "FLOAT"), ("W64", "PCM_16"), ("W64", "MS_ADPCM"),
    ("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AIFF", "ULAW"), ("AIFF", "GSM610"),
    ("AU", "PCM_16"), ("AU", "ULAW"), ("AU", "G721_32"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
    ("NIST", "PCM_16"), ("NIST", "ULAW"), ("SVX", "PCM_16"), ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip


def encoded(kind: str, subtype: str = "PCM_16", **options: str) -> bytes:
    file = BytesIO()
    soundfile.write(file, NOISE, RATE, format=kind, subtype=subtype, **options)
    return file.getvalue()


def complaint(data: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        decode_audio(data, "memo")
    message = str(caught.value)
    assert message.startswith("memo ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("kind", "subtype"), CHECKED)
def test_a_file_cut_short_is_refused(kind: str, subtype: str) -> None:
    data = encoded(kind, subtype)
    assert len(decode_audio(data, "memo")) >= len(NOISE)
    for kept in (0.1, 0.5, 0.9):
        assert "cut short" in complaint(data[: int(len(data) * kept)]), kept


@pytest.mark.parametrize("kind", ["WAV", "AU"])
def test_so_it_is_with_the_other_order_of_bytes(kind: str) -> None:
    """RIFX begins as RIFF does; an AU file may come from a little-endian machine."""
    data = encoded(kind, endian={"WAV": "BIG", "AU": "LITTLE"}[kind])
    assert len(decode_audio(data, "memo")) == len(NOISE)
    assert "cut short" in complaint(data[:-2])


def test_a_chunk_after_the_sound_may_be_missing() -> None:
    data = encoded("WAV")
    assert len(decode_audio(data + b"LIST\x40\x00\x00\x00INFO", "memo")) == len(NOISE)


def with_field(data: bytes, name: bytes, beyond: int, packed: str, value: int) -> bytes:
    """`beyond` bytes after the beginning of `name`."""
    place = data.index(name) + beyond
    field = struct.pack(packed, value)
    return data[:place] + field + data[place + len(field) :]


#: Kind, what stands before the count, how far, how it is packed, and what pipes leave there.
OPEN = [
    *[("WAV", b"data", 4, "<I", n) for n in (0, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF)],
    *[("RF64", b"ds64", 16, "<Q", n) for n in (0, 2**63 - 1, 2**64 - 1)],
    *[("W64", b"data\xf3", 16, "<Q", n) for n in (0, 24, 2**63 - 1, 2**64 - 1)],
    *[("AIFF", b"SSND", 4, ">I", n) for n in (0, 0x7F00_0000, 0xFFFF_FFFF)],
    *[("AU", b".snd", 8, ">I", n) for n in (0, 0xFFFF_FFFF)],
    ("CAF", b"data", 4, ">q", -1),
]


@pytest.mark.parametrize(("kind", "name", "beyond", "packed", "value"), OPEN)
def test_a_stream_of_unknown_length_is_read_to_its_end(
    kind: str, name: bytes, beyond: int, packed: str, value: int
) -> None:
    """ffmpeg, sox and arecord cannot go back to fill in the size when they write to a pipe."""
    data = encoded(kind)
    streamed = with_field(data, name, beyond, packed, value)
    assert np.array_equal(decode_audio(streamed, "memo"), decode_audio(data, "memo"))


def test_a_flac_stream_of_unknown_length_is_read_to_its_end() -> None:
    data = bytearray(encoded("FLAC"))
    data[21] &= 0xF0  # the count of samples: 36 bits
    data[22:26] = bytes(4)
    assert np.array_equal(decode_audio(bytes(data), "memo"), decode_audio(encoded("FLAC"), "memo"))
    for kept in (0.5, 0.9):
        assert "cut short" in complaint(bytes(data[: int(len(data) * kept)]))


@pytest.mark.parametrize("place", [0, 4, 7, 18, 20])
def test_a_flac_header_that_is_damaged_names_the_file(place: int) -> None:
    data = bytearray(encoded("FLAC"))
    data[place] ^= 0xFF
    complaint(bytes(data))


def test_an_empty_recording_with_a_title_is_empty() -> None:
    file = BytesIO()
    soundfile.write(file, NOISE[:0], RATE, format="WAV", subtype="PCM_16")
    title = b"LIST\x10\x00\x00\x00INFOINAM\x04\x00\x00\x00memo"
    assert "zero length" in complaint(file.getvalue() + title)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\xff\xff\xff\xffWAVE" + bytes(100_000),
        b"FORM\xff\xff\xff\xffAIFF" + bytes(100_000),
        b"riff" + bytes(100_000),
        b"caff\x00\x01\x00\x00" + bytes(100_000),
        b"NIST_1A\n 1024\nsample_count -i 999999999999999999\n",
        b".snd",
        b"OggS",
        b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f",
    ],
)
def test_beginnings_without_an_end(data: bytes) -> None:
    complaint(data)
