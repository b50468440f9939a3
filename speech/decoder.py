"""A sound file read by libsndfile, from beginning to end. Imported when the first one is read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import FileIO
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from speech.sound_length import has_frame_count

Floats = NDArray[np.float32]


#: Samples of all channels that are decoded at a time: 1 MB.
_BLOCK = 1 << 18

#: What libsndfile says of FLAC files that were written to a pipe.
_UNKNOWN = 2**63 - 1

DecodingError = soundfile.SoundFileError


class _Forwards(soundfile.SoundFile):  # type: ignore[misc]
    """soundfile seeks after every read. That makes another sound of an MP3's blocks than of the
    whole, fails at the end of a FLAC file of unknown length, and GSM cannot be sought in at all.
    """

    def seekable(self) -> bool:
        return False


class Decoder:
    """One pass over a sound file. Raises DecodingError where libsndfile gives up."""

    def __init__(self, file: BinaryIO):
        counted = has_frame_count(file)
        file.seek(0)
        # A descriptor where there is one: libsndfile then reads by itself. Never the name, whose
        # ending soundfile would take for a promise about the content.
        source = file.fileno() if isinstance(file, FileIO) else file
        with _no_remarks():
            self._sound: Any = _Forwards(source, closefd=False)
        self.rate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.format: str = self._sound.format
        #: Frames that a whole file has at least.
        self.fewest = self._fewest(counted)

    def blocks(self) -> Iterator[Floats]:
        """Of shape (frames, channels), none of them empty."""
        count = max(1, _BLOCK // self.channels)
        quiet = _no_remarks if self.format == "MP3" else nullcontext
        while True:
            with quiet():
                block: Floats = self._sound.read(count, dtype=np.float32, always_2d=True)
            if not len(block):
                return
            yield block

    def _fewest(self, counted: bool) -> int:
        """As the header has it, where it does: that of an Ogg stream is a guess of libsndfile's.

        Decoders of MP3 differ over a few hundred frames of padding at the ends.
        """
        promised: int = self._sound.frames
        if self.format == "OGG" or promised == _UNKNOWN:
            return 0
        if self.format == "MP3":
            return promised - 2 * 1152 if counted else 0
        return promised

    def close(self) -> None:
        self._sound.close()


class _StandardError:
    """Led nowhere while any thread is in there; whoever comes last leads it back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._kept: int | None = None

    @contextmanager
    def led_nowhere(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._kept = _replaced()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and self._kept is not None:
                    os.dup2(self._kept, 2)
                    os.close(self._kept)


def _replaced() -> int | None:
    """What it was before; nothing where it is closed, and nothing can be written."""
    try:
        kept = os.dup(2)
    except OSError:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept


#: mpg123 writes what it thinks of a damaged MP3 to standard error, and no option stops it.
_no_remarks = _StandardError().led_nowhere
