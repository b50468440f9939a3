"""The `secateur` command as a user calls it: a process of its own."""

import os
import subprocess
import sys


def secateur(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, deaf to the network unless told otherwise."""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **nowhere, **environment},
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], *fragments: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for fragment in fragments:
        assert fragment in done.stderr
