"""The bytes of one blob from front to back: as they lie in the file, or out of a zstd frame."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from speech.errors import BadInput

Bytes = NDArray[np.uint8]

#: Makes the complaint about a blob out of what is wrong with it.
Complaint = Callable[[str], BadInput]

#: Memory that unpacking a zstd frame may take: what the writer's highest level needs.
_WINDOW = 8 << 20


class BlobBytes(ABC):
    """A blob that must give `size` bytes, no fewer and no more."""

    def __init__(self, size: int, wrong: Complaint):
        self._left = size
        self._wrong = wrong

    def take(self, count: int) -> Bytes:
        """The next `count` bytes."""
        if count > self._left:
            raise self._wrong("are fewer than the array needs")
        self._left -= count
        return self._next(count) if count else np.empty(0, np.uint8)

    def finish(self) -> None:
        """To be called when everything was taken that the array needs."""
        if self._left:
            raise self._wrong("are more than the array needs")

    @abstractmethod
    def _next(self, count: int) -> Bytes: ...


class StoredBytes(BlobBytes):
    """Bytes that lie in the file as they are, given as safetensors' slice of the whole blob."""

    def __init__(self, stored: Any, size: int, wrong: Complaint):
        super().__init__(size, wrong)
        self._stored = stored
        self._at = 0

    def _next(self, count: int) -> Bytes:
        self._at += count
        taken: Bytes = self._stored[self._at - count : self._at]
        return taken


class FrameBytes(BlobBytes):
    """Bytes out of a zstd frame, unpacked only as far as they are asked for."""

    def __init__(self, frame: Bytes, size: int, wrong: Complaint):
        super().__init__(size, wrong)
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        self._frame = unpacker.stream_reader(frame.data)

    def _next(self, count: int) -> Bytes:
        taken = np.empty(count, np.uint8)
        filled = 0
        while filled < count:
            got = self._unpack(taken.data[filled:])
            if not got:
                raise self._wrong("are fewer than the array needs")
            filled += got
        return taken

    def finish(self) -> None:
        """Beside the count of bytes, also the checksum at the end of the frame is tested."""
        super().finish()
        if self._unpack(memoryview(bytearray(1))):
            raise self._wrong("are more than the array needs")

    def _unpack(self, place: memoryview) -> int:
        try:
            return self._frame.readinto(place)
        except zstandard.ZstdError as error:
            raise self._wrong(f"are no sound zstd frame ({error})") from error
