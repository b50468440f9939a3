"""Has a sound file lost its end? libsndfile reads what is left of most formats without a word.

A transcript of half a sentence would be scored as deletions and blamed on the model. These are the
formats whose header says where the sound ends. The decoder itself notices in FLAC; IRCAM, PAF and
PVF have no length, and that of formats nobody keeps speech in (AVR, MAT4, MAT5, MPC2K, VOC, WVE,
XI) is not looked at.
"""

import os
import re
import struct
from typing import BinaryIO

#: Sizes of 32 bits from here on stand for "not known": what writes to a pipe cannot go back to fill
#: them in, and puts there the largest that it dares (ffmpeg 0xFFFFFFFF, arecord 0x80000000, sox
#: 0x7FFFF000 in WAV and 0x7F000000 in AIFF). With 64 bits it is 0 or -1.
_UNKNOWN = 0x7F00_0000
_UNKNOWN_64 = 1 << 62

#: More chunks than any file has before its sound: a damaged one may be nothing but empty ones.
_MOST_CHUNKS = 1000

_OGG_PAGE = 27 + 255 + 255 * 255


def is_cut_short(file: BinaryIO) -> bool:
    """Whether the header of a sound file counts more bytes than there are."""
    size = file.seek(0, os.SEEK_END)
    end = _end_of_sound(file, size)
    return end is not None and end > size


def has_frame_count(file: BinaryIO) -> bool:
    """Whether an MP3 has a Xing or Info header: without one its length is a guess."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(head[:5:-1]))
    file.seek(start)
    frame = file.read(2048)
    return b"Xing" in frame or b"Info" in frame


def _end_of_sound(file: BinaryIO, size: int) -> int | None:
    """In bytes from the beginning; None where the header does not say."""
    file.seek(0)
    head = file.read(1024)
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return _end_in_riff(file, size, ">" if kind == b"RIFX" else "<")
    if kind == b"riff":
        return _end_in_w64(file, size)
    if kind == b"FORM" and form in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        sound = _chunk(file, size, (b"SSND", b"BODY"), at=12, header=">4sI")
        return _bounded(sound, _UNKNOWN, size)
    if kind in (b".snd", b"dns."):
        return _end_in_au(head, ">" if kind == b".snd" else "<")
    if kind == b"caff":
        sound = _chunk(file, size, (b"data",), at=8, header=">4sQ", padded_to=1)
        return _bounded(sound, _UNKNOWN_64, size)
    if kind == b"OggS":
        return _end_of_last_page(file, size)
    if head[:7] == b"NIST_1A":
        return _end_in_sphere(head)
    return None


#: Where the content of a chunk begins, and how many bytes it is said to have.
Chunk = tuple[int, int]


def _chunk(
    file: BinaryIO,
    size: int,
    names: tuple[bytes, ...],
    *,
    at: int,
    header: str,
    padded_to: int = 2,
) -> Chunk | None:
    """The first one of these names. Chunks follow one another from `at`."""
    length = struct.calcsize(header)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        read = file.read(length)
        if len(read) < length:
            return None
        name, count = struct.unpack(header, read)
        if name in names:
            return at + length, count
        at += length + count + -count % padded_to
        if at > size:
            return None
    return None


def _bounded(sound: Chunk | None, unknown: int, size: int) -> int | None:
    """The end of a chunk; beyond the file where there is no such chunk at all."""
    if sound is None:
        return size + 1
    begins, count = sound
    return None if count >= unknown else begins + count


def _end_in_riff(file: BinaryIO, size: int, order: str) -> int | None:
    sound, long = (
        _chunk(file, size, (name,), at=12, header=f"{order}4sI") for name in (b"data", b"ds64")
    )
    if sound and sound[1] == 0xFFFF_FFFF and long:  # RF64 has the size over there
        file.seek(long[0] + 8)
        count = int.from_bytes(file.read(8), "little")
        return _bounded((sound[0], count), _UNKNOWN_64, size)
    return _bounded(sound, _UNKNOWN, size)


def _end_in_w64(file: BinaryIO, size: int) -> int | None:
    """Chunks are named by 16 bytes, and their sizes count name and size too."""
    at = 40
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        read = file.read(24)
        if len(read) < 24:
            break
        count = int.from_bytes(read[16:], "little")
        if read[:4] == b"data":
            return None if count >= _UNKNOWN_64 else at + count
        at += max(24, count + -count % 8)
    return size + 1


def _end_in_au(head: bytes, order: str) -> int | None:
    if len(head) < 12:
        return None
    begins, count = struct.unpack(f"{order}II", head[4:12])
    return _bounded((begins, count), _UNKNOWN, 0)


def _end_of_last_page(file: BinaryIO, size: int) -> int:
    """Of an Ogg file. (That the last page is marked as such cannot be asked: live ones lack it.)"""
    start = max(0, size - 2 * _OGG_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail):
        return size + 1
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    return start + page + 27 + tail[page + 26] + sum(segments)


def _end_in_sphere(head: bytes) -> int | None:
    """`sample_count` is that of each channel."""
    counts = [
        re.search(rb"^%s -i (\d{1,18})\s" % name, head, re.MULTILINE)
        for name in (b"sample_count", b"channel_count", b"sample_n_bytes")
    ]
    begins = re.match(rb"NIST_1A\s+(\d{1,9})\s", head)
    if not begins:
        return None
    samples, channels, width = (int(count[1]) if count else 1 for count in counts)
    return int(begins[1]) + samples * channels * width
