"""What loading needs for a moment is given back to the system."""

import platform
import subprocess
import sys

import pytest

CHILD = """
import sys
from contextlib import nullcontext
import psutil
from runtime.heap import loading

def resident():
    return psutil.Process().memory_info().rss

with loading() if sys.argv[1] == "given back" else nullcontext():
    bytearray(20 << 20)  # once such a block was freed, glibc serves smaller ones from its heap
    before = resident()
    blocks = [bytearray(b"x") * (600 << 10) for _ in range(60)]
    kept = bytearray(b"x") * (200 << 10)
    del blocks
    print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps such blocks")
def test_large_blocks_go_back_while_loading() -> None:
    kept = {}
    for how in ("given back", "as always"):
        run = subprocess.run([sys.executable, "-c", CHILD, how], capture_output=True, check=True)
        kept[how] = int(run.stdout)
    assert kept["given back"] < 2 << 20 < 10 << 20 < kept["as always"]
