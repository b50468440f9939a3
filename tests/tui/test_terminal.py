"""The app needs a terminal, and says so where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.measured import make_file


@pytest.mark.parametrize("name", ["input", "error"])
def test_without_a_terminal_it_does_not_begin(tmp_path: Path, name: str) -> None:
    file = make_file(tmp_path / "results.jsonl")
    ours, its = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "tui", str(file)],
        stdin=subprocess.DEVNULL if name == "input" else its,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(ours)
    os.close(its)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Standard {name} is no terminal")
    assert done.stderr.count("\n") == 1
