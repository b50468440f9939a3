"""No more memory than the system has free: else it would kill something, and say nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def free_memory_only() -> Iterator[None]:
    """Within it this process is refused what the system does not have, and that is one sentence.

    A graph may ask for any size, and Linux promises more than there is. Elsewhere nothing happens.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _bytes_of("/proc/self/status", "VmData:") + _bytes_of(
        "/proc/meminfo", "MemAvailable:", "SwapFree:"
    )
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _bytes_of(file: str, *keys: str) -> int:
    """The sum of some of the lines `Key: 123 kB` of a file in /proc."""
    rows = (line.split() for line in Path(file).read_text(encoding="ascii").splitlines())
    return sum(1024 * int(row[1]) for row in rows if row[:1] and row[0] in keys)
