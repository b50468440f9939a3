"""Sound files are decoded in several threads at once, as `bench` does for several devices."""

import os
import subprocess
import sys

from speech import decoder

DECODE = """
import os, sys
from runtime.terminal import shown
from speech.decoder import _quiet_stderr
with shown():
    with _quiet_stderr():
        os.write(2, b"of a library")
        print("ours", file=sys.stderr)
    os.write(2, b"after it\\n")
"""


def test_standard_error_comes_back_when_the_last_thread_has_read() -> None:
    before = os.fstat(2)
    first, second = decoder._quiet_stderr(), decoder._quiet_stderr()
    first.__enter__()
    second.__enter__()
    assert os.path.samestat(os.fstat(2), os.stat(os.devnull))  # noqa: PTH116
    first.__exit__(None, None, None)
    assert not os.path.samestat(os.fstat(2), before)
    second.__exit__(None, None, None)
    assert os.path.samestat(os.fstat(2), before)


def test_our_own_sentences_are_not_lost_meanwhile() -> None:
    done = subprocess.run([sys.executable, "-c", DECODE], capture_output=True, text=True)
    assert sorted(done.stderr.splitlines()) == ["after it", "ours"]
