"""A disk that is soon full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(place: Path, kib: int = 128) -> Iterator[dict[str, str]]:
    """So much disk; who may not mount one gets a limit on the size of files instead."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        yield {"SECATEUR_TEST_FILE_LIMIT": str(kib * 1024)}
        return
    try:
        yield {}
    finally:
        subprocess.run(["umount", str(place)], check=True)
