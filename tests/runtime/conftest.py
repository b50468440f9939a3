"""What the tests of bundles and archives share."""

from pathlib import Path

import pytest

from runtime.archive import pack
from tests.runtime.archives import small_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_bundle(tmp_path / "tiny").folder


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    pack(folder, tmp_path / "tiny.secateur")
    return tmp_path / "tiny.secateur"
