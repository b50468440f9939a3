"""A bundle that lies on this machine."""

from pathlib import Path

import pytest

from tests.bench.conftest import write_tiny_bundle


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or measures on, what the user has."""
    for name in ("CACHE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"SECATEUR_{name}", str(tmp_path / name.lower()))


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundles" / "tiny", "tiny")
