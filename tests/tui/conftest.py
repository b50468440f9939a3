"""A bundle that lies on this machine."""

from pathlib import Path

import pytest

from tests.bench.conftest import write_tiny_bundle


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundles" / "tiny", "tiny")
