"""Boards that can be reached by SSH, and folders of the user's that no other test sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from bench.remote.courier import Patience
from bench.remote.devices import Device, new_device
from bench.remote.work import Worker
from speech.corpora.corpus import Clip
from tests.bench import conftest as bundles
from tests.remote.environment import write_agent, write_environment
from tests.remote.sshd import Board, find_sshd, running_board, why_no_board

#: Enough for a reboot, and short waits between tries.
PATIENCE = Patience(most=20, first=0.05, longest=0.2)


bundle, clips = bundles.bundle, bundles.clips  # their fixtures are also ours


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory, environment: Path) -> Path:
    return write_agent(tmp_path_factory.mktemp("agent"), environment)


@pytest.fixture
def bare_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Nothing was ever deployed to it; its owner has its host key among the known ones."""
    if why := why_no_board():
        pytest.skip(why)
    sshd = find_sshd()
    assert sshd
    with running_board(tmp_path / "board", sshd) as board:
        monkeypatch.setenv("SECATEUR_SSH_CONFIG", str(board.client_settings))
        for name in ("CONFIG", "DATA", "CACHE"):
            monkeypatch.setenv(f"SECATEUR_{name}", str(tmp_path / name.lower()))
        yield board


@pytest.fixture
def new_board(bare_board: Board, environment: Path) -> Board:
    """The agent's libraries were installed on it earlier, but not this agent."""
    bare_board.cache.mkdir(parents=True)
    (bare_board.cache / environment.name).symlink_to(environment)
    return bare_board


@pytest.fixture
def board(new_board: Board, agent: Path) -> Board:
    """All was deployed to it earlier."""
    (new_board.cache / agent.name).symlink_to(agent)
    return new_board


@pytest.fixture
def device(bare_board: Board) -> Device:
    return new_device("pi", bare_board.target)


@pytest.fixture
def worker(device: Device) -> Iterator[Worker]:
    with Worker(device, patience=PATIENCE) as worker:
        yield worker


@pytest.fixture
def corpus(clips: tuple[Clip, ...], tmp_path: Path) -> Path:
    """The two clips as a folder that can be named on the command line."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = []
    for clip in clips:
        samples, rate = soundfile.read(clip.audio)
        soundfile.write(folder / clip.name, samples, rate)
        lines.append(json.dumps({"file_name": clip.name, "transcription": clip.text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder
