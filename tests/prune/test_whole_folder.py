"""A folder is there as a whole or not at all, and what stood there is never lost to a failure."""

from pathlib import Path

import pytest

from prune.whole_folder import written_whole
from speech.errors import BadInput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("first")
    return folder


def test_a_folder_with_something_in_it_is_refused_unless_it_may_go(folder: Path) -> None:
    with pytest.raises(BadInput, match="exists and is not an empty folder"), written_whole(folder):
        pass
    with written_whole(folder, replace=True) as place:
        (place / "weights").write_text("second")
        assert (folder / "weights").read_text() == "first"
    assert (folder / "weights").read_text() == "second"
    assert list(folder.parent.iterdir()) == [folder]


def test_an_error_leaves_what_was_there(folder: Path) -> None:
    with pytest.raises(RuntimeError), written_whole(folder, replace=True) as place:
        (place / "weights").write_text("second")
        raise RuntimeError
    assert (folder / "weights").read_text() == "first"
    assert list(folder.parent.iterdir()) == [folder]


def test_what_a_power_cut_left_between_two_renames_comes_back(folder: Path) -> None:
    folder.rename(folder.with_name(".model.old"))
    with pytest.raises(RuntimeError), written_whole(folder, replace=True):
        raise RuntimeError
    assert (folder / "weights").read_text() == "first"
    assert list(folder.parent.iterdir()) == [folder]
