"""A folder or file is there as a whole or not at all, and a failure loses none that was there."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.whole_folder import whole_file, written_whole
from speech.errors import BadInput
from tests.privileges import give_up_privileges


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


def test_one_that_is_closed_to_writers_gives_way_with_all_that_is_in_it(folder: Path) -> None:
    folder.chmod(0o500)
    child = os.fork()
    if not child:
        with suppress(BaseException):
            give_up_privileges()
            with written_whole(folder, replace=True) as place:
                (place / "weights").write_text("second")
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert (folder / "weights").read_text() == "second"
    assert list(folder.parent.iterdir()) == [folder]


def test_what_a_power_cut_left_between_two_renames_comes_back(folder: Path) -> None:
    folder.rename(folder.with_name(".model.old"))
    with pytest.raises(RuntimeError), written_whole(folder, replace=True):
        raise RuntimeError
    assert (folder / "weights").read_text() == "first"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    with whole_file(file) as out:
        out.write(b"first")
        assert not file.exists()
    assert file.read_bytes() == b"first"
    with pytest.raises(BadInput, match="exists"), whole_file(file):
        pass
    with whole_file(file, replace=True) as out:
        out.write(b"second")
        assert file.read_bytes() == b"first"
    assert file.read_bytes() == b"second"
    assert list(file.parent.iterdir()) == [file]


def test_an_error_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"first")
    (tmp_path / ".file.part").symlink_to(file)
    with pytest.raises(RuntimeError), whole_file(file, replace=True) as out:
        out.write(b"second")
        raise RuntimeError
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(BadInput, match="disk is full"), whole_file(file, replace=True):
        raise full
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]
