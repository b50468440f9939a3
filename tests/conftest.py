"""What all tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from prune import cpu_torchaudio

cpu_torchaudio.allow_import()

from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import pytest  # noqa: E402

if TYPE_CHECKING:
    from prune.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the tiny checkpoints by family; not to be written to."""
    from tests.tiny_models import write_sew, write_whisper

    folders = {name: tmp_path_factory.mktemp("tiny") / name for name in ("whisper", "sew")}
    write_whisper(folders["whisper"])
    write_sew(folders["sew"])
    return folders


def _opened(folder: Path) -> "Checkpoint":
    from prune.checkpoint import open_checkpoint

    return open_checkpoint(str(folder))


@pytest.fixture
def tiny_whisper(tiny_folders: dict[str, Path]) -> "Checkpoint":
    return _opened(tiny_folders["whisper"])


@pytest.fixture
def tiny_sew(tiny_folders: dict[str, Path]) -> "Checkpoint":
    return _opened(tiny_folders["sew"])


@pytest.fixture(params=["whisper", "sew"])
def tiny_checkpoint(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]) -> "Checkpoint":
    """Each family in turn."""
    return _opened(tiny_folders[request.param])
