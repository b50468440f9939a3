"""A graph that wants more than there is ends in a sentence, and in no killed process."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux counts it")

GREEDY = """
import mmap
import psutil
from runtime.memory_guard import free_memory_only

def wants(size):
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE).close()
        return True
    except OSError:
        return False

before = psutil.virtual_memory()
with free_memory_only():
    inside = wants(64 << 20), wants(before.total)
print(*inside, wants(64 << 20))
"""


def test_a_process_gets_what_is_free_and_no_more() -> None:
    """In a process of its own: memory that others take meanwhile is no matter."""
    done = subprocess.run([sys.executable, "-c", GREEDY], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False", "True"], done.stderr
