"""What tests of commands and of whole runs share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.noise import write_noise

#: Writes a recipe for three clips of noise: the tiny models of those families, and what follows.
WriteRecipe = Callable[[Sequence[str], str], Path]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where journals and the store lie: not where the user's are."""
    monkeypatch.setenv("SECATEUR_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SECATEUR_STORE", raising=False)
    return tmp_path / "data"


@pytest.fixture
def write_recipe(tiny_folders: dict[str, Path], tmp_path: Path) -> WriteRecipe:
    def write(families: Sequence[str], rest: str) -> Path:
        clips = write_noise(tmp_path / "clips", (1, 1, 1), "flac")
        models = ", ".join(f'"{tiny_folders[family]}"' for family in families)
        path = tmp_path / "recipe.toml"
        path.write_text(
            f'name = "trial"\noutput = "{tmp_path / "out"}"\nmodels = [{models}]\n'
            f'corpus.evaluate = "{clips}"\ncorpus.calibrate = "{clips}"\n{rest}'
        )
        return path

    return write
