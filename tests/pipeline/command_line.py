"""The `secateur` command as a user calls it: a process of its own."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable


def _limited(size: str | None) -> Callable[[], None] | None:
    """Files that this process writes may not become larger than so many bytes."""
    if size is None:
        return None
    limits = (int(size), int(size))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def secateur(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, deaf to the network unless told otherwise."""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **nowhere, **environment},
        preexec_fn=_limited(environment.get("SECATEUR_TEST_FILE_LIMIT")),
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], *fragments: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for fragment in fragments:
        assert fragment in done.stderr
