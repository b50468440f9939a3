"""Has a sound file lost its end? The decoder plays what is left of most formats without a word.

A transcript of half a sentence would be scored as deletions and blamed on the model. FLAC and
Vorbis are checked by the decoder itself; these are the others.
"""

import re
import struct

#: Sizes that programs write into a WAV header when they cannot know the length beforehand.
_STREAMED = 0x7FFF_F000


def cut_short(data: bytes, *, promised: int, read: int) -> bool:
    """Whether fewer sound is there than the header says; `promised` and `read` are in frames."""
    if data[:4] == b"RIFF":
        return _wav_cut_short(data)
    if data[:4] == b"OggS":
        return _ogg_cut_short(data)
    if data[:7] == b"NIST_1A":
        return _sphere_cut_short(data, read)
    # Only with a Xing or Info header is an MP3's length a count; otherwise it is an estimate.
    # Decoders differ over a few hundred frames of padding at the ends.
    if b"Xing" in data or b"Info" in data:
        return read < promised - 2 * 1152
    return False


def _wav_cut_short(data: bytes) -> bool:
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        if kind == b"data":
            return bool(size < _STREAMED and position + 8 + size > len(data))
        position += 8 + size + size % 2
    return True


def _ogg_cut_short(data: bytes) -> bool:
    """Whether the last page is incomplete. (Live recordings may lack the end-of-stream mark.)"""
    page = data.rfind(b"OggS")
    header = 27
    if page + header > len(data):
        return True
    segments = data[page + header : page + header + data[page + 26]]
    return page + header + data[page + 26] + sum(segments) > len(data)


def _sphere_cut_short(data: bytes, read: int) -> bool:
    count = re.search(rb"^sample_count -i (\d+)", data[:1024], re.MULTILINE)
    return count is not None and read < int(count[1])
