"""Where a sound file ends, as its header has it: is the end missing, or was it never known?

libsndfile reads what is left of most formats without a word. A transcript of half a sentence would
be scored as deletions and blamed on the model. What writes to a pipe, on the other hand, cannot go
back to fill in a length, and libsndfile finds nothing, or not all, in some of what it leaves.

FLAC is left to its decoder, which notices. IRCAM, PAF and PVF have no length; that of formats
nobody keeps speech in (AVR, MAT4, MAT5, MPC2K, SDS, VOC, WVE, XI) is not looked at.
"""

import io
import os
import re
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

#: Counts of 32 bits from here on stand for "not known": the largest that a program dares to write
#: (ffmpeg 0xFFFFFFFF, arecord 0x80000000, sox 0x7FFFF000 in WAV and 0x7F000000 in AIFF).
_UNKNOWN = {"I": 0x7F00_0000, "Q": 1 << 62}

#: More chunks than any file has before its sound: a damaged one may be nothing but empty ones.
_MOST_CHUNKS = 1000

_OGG_PAGE = 27 + 255 + 255 * 255


@dataclass(frozen=True)
class Length:
    """All in bytes."""

    #: From where on the count is taken.
    begins: int
    count: int
    #: Where the header has the count, and how it is packed. Empty where the header has none.
    place: int = 0
    packed: str = ""
    #: Whether the writer did not know it, and the sound goes on to the end of the file.
    is_open: bool = False


def is_cut_short(file: BinaryIO) -> bool:
    """Whether the header of a sound file counts more bytes than there are."""
    length = _length(file)
    size = file.seek(0, os.SEEK_END)
    return length is not None and not length.is_open and length.begins + length.count > size


def with_length(file: BinaryIO) -> BinaryIO:
    """The same file, but for a length in its header if that has none."""
    length = _length(file)
    if length is None or not length.is_open:
        return file
    count = file.seek(0, os.SEEK_END) - length.begins
    if count >= _UNKNOWN[length.packed[-1]]:  # libsndfile takes that for the rest of the file
        return file
    return _Amended(file, length.place, struct.pack(length.packed, max(0, count)))  # type: ignore[return-value]


class _Amended(io.RawIOBase):
    """A file in which some bytes read otherwise."""

    def __init__(self, file: BinaryIO, place: int, content: bytes):
        self._file, self._place, self._content = file, place, content

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        begins = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for place, byte in enumerate(self._content, self._place - begins):
            if 0 <= place < len(data):
                data[place] = byte
        buffer[: len(data)] = data
        return len(data)


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


def _length(file: BinaryIO) -> Length | None:
    """None where the header does not say."""
    file.seek(0)
    head = file.read(1024)
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return _of_wav(file, ">I" if kind == b"RIFX" else "<I")
    if kind == b"riff":
        return _of_w64(file)
    if kind == b"FORM" and form in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        sound = _chunk(file, (b"SSND", b"BODY"), at=12, packed=">I")
        return _open_if(sound, sound.count == 0)
    if kind in (b".snd", b"dns.") and len(head) >= 12:
        packed = ">I" if kind == b".snd" else "<I"
        begins, count = struct.unpack(f"{packed}I", head[4:12])
        return _open_if(Length(begins, count, 8, packed), count == 0)
    if kind == b"caff":
        return _open_if(_chunk(file, (b"data",), at=8, packed=">Q", padded_to=1))
    if kind == b"OggS":
        return _of_ogg(file)
    if head[:7] == b"NIST_1A":
        return _of_sphere(head)
    return None


def _open_if(length: Length, otherwise: bool = False) -> Length:
    is_open = length.packed != "" and (otherwise or length.count >= _UNKNOWN[length.packed[-1]])
    return Length(length.begins, length.count, length.place, length.packed, is_open)


def _missing(file: BinaryIO) -> Length:
    """The sound begins beyond the end of the file."""
    return Length(file.seek(0, os.SEEK_END), 1)


def _chunk(
    file: BinaryIO, names: tuple[bytes, ...], *, at: int, packed: str, padded_to: int = 2
) -> Length:
    """The first one of these names. Chunks follow one another from `at`."""
    size, header = file.seek(0, os.SEEK_END), 4 + struct.calcsize(packed)
    for _ in range(_MOST_CHUNKS):
        if at + header > size:
            break
        file.seek(at)
        name, field = file.read(4), file.read(header - 4)
        (count,) = struct.unpack(packed, field)
        if name in names:
            return Length(at + header, count, at + 4, packed)
        at += header + count + -count % padded_to
    return _missing(file)


def _of_wav(file: BinaryIO, packed: str) -> Length:
    sound = _chunk(file, (b"data",), at=12, packed=packed)
    if sound.packed and sound.count == 0xFFFF_FFFF:
        long = _chunk(file, (b"ds64",), at=12, packed=packed)
        if long.packed:  # RF64 has the count there, after that of the whole file
            file.seek(long.begins + 8)
            count = int.from_bytes(file.read(8), "little")
            return _open_if(Length(sound.begins, count, long.begins + 8, "<Q"), count == 0)
    return _open_if(sound, sound.count == 0 and not _only_chunks(file, sound.begins, packed))


def _only_chunks(file: BinaryIO, at: int, packed: str) -> bool:
    """Whether nothing else follows, down to the end: a sound of no bytes is then really empty."""
    size = file.seek(0, os.SEEK_END)
    for _ in range(_MOST_CHUNKS):
        if at >= size:
            return True
        file.seek(at)
        name, field = file.read(4), file.read(4)
        if len(field) < 4 or not name.isascii() or not name.decode().isprintable():
            return False
        (count,) = struct.unpack(packed, field)
        at += 8 + count + count % 2
    return False


def _of_w64(file: BinaryIO) -> Length:
    """Chunks are named by 16 bytes, and their counts include name and count."""
    at, size = 40, file.seek(0, os.SEEK_END)
    for _ in range(_MOST_CHUNKS):
        if at + 24 > size:
            break
        file.seek(at)
        name, count = file.read(16), int.from_bytes(file.read(8), "little")
        if name[:4] == b"data":
            return _open_if(Length(at, count, at + 16, "<Q"), count <= 24)
        at += max(24, count + -count % 8)
    return _missing(file)


def _of_ogg(file: BinaryIO) -> Length:
    """To the end of the last page. (Whether it is marked as such says nothing of live ones.)"""
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - 2 * _OGG_PAGE))
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail):
        return _missing(file)
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    return Length(start + page, 27 + tail[page + 26] + sum(segments))


def _of_sphere(head: bytes) -> Length | None:
    """`sample_count` is that of each channel."""
    begins = re.match(rb"NIST_1A\s+(\d{1,9})\s", head)
    counts = [
        re.search(rb"^%s -i (\d{1,18})\s" % name, head, re.MULTILINE)
        for name in (b"sample_count", b"channel_count", b"sample_n_bytes")
    ]
    if not begins or not counts[0]:
        return None
    samples, channels, width = (int(count[1]) if count else 1 for count in counts)
    return Length(int(begins[1]), samples * channels * width)
