"""Add, doctor, deploy, bench, attach and results on an emulated ARM userland: `make test-arm64`.

It shows that everything works there. Every figure is EMULATED, and none is a result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.results import read_results
from tests.pipeline.command_line import secateur
from tests.remote.arm64.board import ArmBoard

PLACE = os.environ.get("SECATEUR_ARM64")

pytestmark = [
    pytest.mark.arm64,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PLACE, reason="`make test-arm64` builds what this needs"),
]


@pytest.fixture
def arm_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArmBoard]:
    assert PLACE
    board = ArmBoard(Path(PLACE).resolve(), tmp_path)
    monkeypatch.setenv("SECATEUR_SSH_CONFIG", str(board.client_settings))
    for name in ("CONFIG", "DATA"):
        monkeypatch.setenv(f"SECATEUR_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("SECATEUR_CACHE", str(Path(PLACE).resolve() / "wheels"))
    with board.running():
        yield board


def test_an_arm_board_from_its_first_greeting_to_its_results(
    arm_board: ArmBoard, bundle: Path, corpus: Path, tmp_path: Path
) -> None:
    added = secateur("device", "add", "arm", arm_board.target, "--accept-host-key")
    assert added.returncode == 0, added.stderr
    assert "aarch64" in added.stdout
    told = secateur("device", "doctor", "arm", "--json")
    assert told.returncode == 0, told.stdout
    assert json.loads(told.stdout)["facts"]["machine"] == "aarch64"

    words = ["bench", str(bundle), "--clips", str(corpus), "--samples", "2"]
    begun = secateur(*words, "--device", "arm", "--offline", "--detach")
    assert begun.returncode == 0, begun.stderr
    results = tmp_path / "results.jsonl"
    attached = secateur("bench", "attach", "arm", "--offline", "-o", str(results))
    assert attached.returncode == 0, attached.stderr
    [there] = read_results(results)
    assert there.error is None
    assert "EMULATED" in there.verdicts
    assert "EMULATED" in attached.stdout
    assert there.environment["architecture"] == "aarch64"

    [row] = json.loads(secateur("results", "--json").stdout)
    assert (row["device"], row["verdicts"][-1], row["samples"]) == ("arm", "EMULATED", 2)

    [here] = json.loads(secateur(*words, "--json").stdout)
    assert [heard.text for heard in there.transcripts] == [h["text"] for h in here["transcripts"]]
