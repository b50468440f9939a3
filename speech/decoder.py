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
        with _quiet_stderr():
            self._sound: Any = _Forwards(source, closefd=False)
        self.rate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.format: str = self._sound.format
        #: Frames that a whole file has at least.
        self.fewest = self._fewest(counted)

    def blocks(self) -> Iterator[Floats]:
        """Of shape (frames, channels), none of them empty."""
        count = max(1, _BLOCK // self.channels)
        quiet = _quiet_stderr if self.format == "MP3" else nullcontext
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


class _StderrToDevnull:
    """Redirects standard error while any thread is inside; the last to leave restores it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads = 0
        self._saved: int | None = None

    @contextmanager
    def redirected(self) -> Iterator[None]:
        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._saved = _redirect_stderr_to_devnull()
        try:
            yield
        finally:
            with self._lock:
                self._threads -= 1
                if self._threads == 0 and self._saved is not None:
                    os.dup2(self._saved, 2)
                    os.close(self._saved)


def _redirect_stderr_to_devnull() -> int | None:
    """Returns a copy of the descriptor to restore it from; None if standard error is closed."""
    try:
        saved = os.dup(2)
    except OSError:
        return None
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    os.close(devnull)
    return saved


#: mpg123 writes warnings about a damaged MP3 to standard error, and no option turns them off.
_quiet_stderr = _StderrToDevnull().redirected
