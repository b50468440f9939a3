"""glibc's allocator, kept from holding on to what was needed for a moment.

It serves blocks below a threshold from a heap that hardly ever shrinks, and raises the threshold
to the largest block that was ever freed. A model that loads frees many large ones: whisper-tiny
in 8 bits would keep 45 MB that nobody uses.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Numbers of what `mallopt` sets.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

#: Bytes. While loading, nearly every weight is a block of its own.
_LOADING = 128 << 10
#: While running, blocks that come and go with every clip stay in the heap, and so much that is
#: free: the system would clear their pages each time.
_RUNNING, _KEPT = 4 << 20, 16 << 20
#: Where memory is what counts.
_RUNNING_LEAN, _KEPT_LEAN = 1 << 20, 4 << 20


@contextmanager
def loading(*, lean: bool = False) -> Iterator[None]:
    """For the whole process, which is afterwards to run fast or `lean`; elsewhere than with glibc
    nothing happens."""
    _call("mallopt", _MMAP_THRESHOLD, _LOADING)
    _call("mallopt", _TRIM_THRESHOLD, _LOADING)
    _call("malloc_trim", 0)  # of what was read before, such as the tokenizer
    try:
        yield
    finally:
        _call("mallopt", _MMAP_THRESHOLD, _RUNNING_LEAN if lean else _RUNNING)
        _call("mallopt", _TRIM_THRESHOLD, _KEPT_LEAN if lean else _KEPT)
        _call("malloc_trim", 0)


def _call(name: str, *numbers: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function:
        function(*numbers)
