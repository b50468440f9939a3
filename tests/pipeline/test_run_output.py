"""Where `secateur run` puts what it makes: a place that is no good is told in one sentence."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.conftest import WriteRecipe
from tests.pipeline.small_disk import small_disk

QUICK = """
prune.methods = ["mp_global"]
prune.sparsities = [0.5]
measure.clips = 1
measure.samples = 1
"""

LEARNING = """
measure.clips = 1
measure.samples = 1
prune.methods = ["mp_finetune_local"]
prune.sparsities = [0.5]
prune.fine_tuning.steps = 2
"""


def output_of(path: Path, output: Path) -> Path:
    path.write_text(path.read_text().replace(f'"{path.parent / "out"}"', f'"{output}"'))
    return path


def a_file(output: Path) -> None:
    output.write_text("mine")


def under_a_file(output: Path) -> Path:
    output.write_text("mine")
    return output / "deeper"


def a_link_to_nothing(output: Path) -> None:
    output.symlink_to(output.with_name("nothing"))


def a_link_for_the_note(output: Path) -> None:
    output.mkdir()
    (output / ".out-of-reach.json").symlink_to("nothing")


def too_long(output: Path) -> Path:
    return output.with_name("x" * 300)


def a_folder_for(name: str) -> Callable[[Path], None]:
    return lambda output: (output / name).mkdir(parents=True)


def a_file_for(name: str) -> Callable[[Path], None]:
    def write(output: Path) -> None:
        output.mkdir()
        (output / name).write_text("mine")

    return write


@pytest.mark.parametrize(
    ("spoil", "fragment"),
    [
        (a_file, "out cannot be written"),
        (under_a_file, "deeper cannot be written"),
        (a_link_to_nothing, "out is a link to nothing"),
        (too_long, "xx cannot be used (File name too long)"),
        (a_folder_for(".lock"), ".lock is no plain file"),
        (a_folder_for(".out-of-reach.json"), ".out-of-reach.json is no plain file"),
        (a_link_for_the_note, ".out-of-reach.json is no plain file"),
        (a_folder_for("results.jsonl"), "results.jsonl is no plain file"),
        (a_file_for(".measuring"), ".measuring cannot be written"),
    ],
)
def test_a_place_that_is_no_good_is_told_before_anything_is_made(
    write_recipe: WriteRecipe,
    tmp_path: Path,
    spoil: Callable[[Path], Path | None],
    fragment: str,
) -> None:
    path = write_recipe(["sew"], QUICK)
    output_of(path, spoil(tmp_path / "out") or tmp_path / "out")
    for words in (["run", str(path)], ["run", str(path), "--dry-run"]):
        assert_one_sentence(secateur(*words), fragment)
    checked = secateur("recipe", "check", str(path))
    assert checked.returncode == 2 and fragment in checked.stderr


def test_a_name_that_no_folder_can_have_is_told(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    path = output_of(write_recipe(["sew"], QUICK), Path("o\\u0000ut"))
    assert_one_sentence(secateur("run", str(path)), "'o\\x00ut' is no name of a folder")


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (QUICK, []),
        (LEARNING, []),
        pytest.param(LEARNING, ["--workers", "2"], marks=pytest.mark.long),
    ],
    ids=["exporting", "learning", "side by side"],
)
def test_a_full_disk_is_one_sentence_and_leaves_no_half_bundle(
    write_recipe: WriteRecipe, tmp_path: Path, rest: str, words: list[str]
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    path = output_of(write_recipe(["sew"], rest), place / "out")
    with small_disk(place) as limit:
        done = secateur("run", str(path), *words, **limit)
        assert_one_sentence(done, "disk is full", str(place / "out"))
        assert not [each for each in place.rglob("*") if "part" in each.suffixes]
        assert not [*place.rglob("*.onnx")]


def test_a_disk_with_no_room_for_the_lock_is_told(
    write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    path = output_of(write_recipe(["sew"], QUICK), place)
    with small_disk(place, kib=4) as limit:
        if limit:
            pytest.skip("needs a disk of its own")
        filled = os.open(place / "filled", os.O_CREAT | os.O_WRONLY)
        os.write(filled, bytes(4096))
        os.close(filled)
        assert_one_sentence(secateur("run", str(path)), "disk is full", str(place))


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_a_ray_that_is_not_there_is_told_before_anything_is_made(
    write_recipe: WriteRecipe, tmp_path: Path, words: list[str]
) -> None:
    done = secateur("run", str(write_recipe(["sew"], QUICK)), "--executor", "ray", *words)
    assert_one_sentence(done, "--executor ray needs ray", "secateur[ray]")
    assert not (tmp_path / "out").exists()
