"""What all tests share."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SECATEUR_PROGRESS", "off")  # its lines depend on how busy we are
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # no test asks the real hub

if "SECATEUR_TESTS" not in os.environ:  # pytest-xdist's workers have it from the process above
    os.environ["SECATEUR_TESTS"] = tempfile.mkdtemp(prefix="secateur-tests-")
    atexit.register(shutil.rmtree, os.environ["SECATEUR_TESTS"])

# What one test has traced no other traces again.
os.environ["SECATEUR_CACHE"] = os.path.join(os.environ["SECATEUR_TESTS"], "cache")  # noqa: PTH118

from prune import cpu_torchaudio

cpu_torchaudio.allow_import()

from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import pytest  # noqa: E402

if TYPE_CHECKING:
    from prune.checkpoint import Checkpoint


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("long_but")
        if mark and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            case = {str(value) for value in item.callspec.params.values()}
            if not case & set(mark.args):
                item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the tiny checkpoints by family; not to be written to."""
    from tests import tiny_models

    writers = {
        "whisper": tiny_models.write_whisper,
        "whisper-multilingual": partial(tiny_models.write_whisper, seed=1, multilingual=True),
        "sew": tiny_models.write_sew,
        "sew-d": tiny_models.write_sew_d,
        "wav2vec2": tiny_models.write_wav2vec2,
        "wav2vec2-large": partial(tiny_models.write_wav2vec2, large=True),
    }
    folders = {name: tmp_path_factory.mktemp("tiny") / name for name in writers}
    for name, write in writers.items():
        write(folders[name])
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


@pytest.fixture
def tiny_multilingual(tiny_folders: dict[str, Path]) -> "Checkpoint":
    return _opened(tiny_folders["whisper-multilingual"])


@pytest.fixture
def tiny_wav2vec2(tiny_folders: dict[str, Path]) -> "Checkpoint":
    return _opened(tiny_folders["wav2vec2"])


@pytest.fixture(params=["whisper", "sew", "wav2vec2"])
def tiny_checkpoint(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]) -> "Checkpoint":
    """Each family in turn."""
    return _opened(tiny_folders[request.param])


@pytest.fixture(
    params=["whisper", "whisper-multilingual", "sew", "sew-d", "wav2vec2", "wav2vec2-large"]
)
def tiny_variant(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]) -> "Checkpoint":
    """Each build of each family in turn."""
    return _opened(tiny_folders[request.param])
