"""Small checkpoints as a user makes them, hands them on and opens them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import SEWForCTC

from prune.checkpoint import open_checkpoint
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.test_prune_command import small_disk
from tests.prune.slicing import cut_all


@pytest.fixture
def plain(tiny_folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folders["sew"], tmp_path / "plain"))


def said(*words: str) -> str:
    done = secateur(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress bars in a pipe"
    return done.stdout


def test_there_and_back(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (plain / "pruning.json").write_text("{}")
    assert "plain is packed into plain-packed: its weights are 0." in said("pack", "plain")
    assert (tmp_path / "plain-packed" / "pruning.json").read_text() == "{}"
    said("load", "plain-packed", "-o", "back")
    opened = SEWForCTC.from_pretrained(tmp_path / "back").state_dict()
    for name, weight in SEWForCTC.from_pretrained(plain).state_dict().items():
        assert torch.equal(opened[name], weight), name


def test_a_packed_checkpoint_is_used_like_any_other(plain: Path, tmp_path: Path) -> None:
    clips, packed = write_noise(tmp_path / "clips", (1, 1)), tmp_path / "packed"
    said("pack", str(plain), "-o", str(packed), "--values", "fp16", "--zstd", "3")
    half = open_checkpoint(str(packed)).model.lm_head.weight
    assert torch.equal(half, open_checkpoint(str(plain)).model.lm_head.weight.half().float())
    assert "2 clips" in said("eval", str(packed), "--corpus", str(clips))
    out = str(tmp_path / "out")
    said("prune", str(packed), "--method", "mp_global", "--sparsity", "0.5", "-o", out)
    assert open_checkpoint(out)


def test_what_float16_cannot_hold_is_said(plain: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(plain))
    checkpoint.model.lm_head.weight.data[3, 3] = 1e5
    checkpoint.save(tmp_path / "loud")
    words = ["pack", str(tmp_path / "loud"), "-o", str(tmp_path / "out"), "--values", "fp16"]
    assert "float16 cannot hold all of lm_head.weight: left in fp32" in said(*words)


def test_uneven_layers_are_told_of(plain: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(plain))
    cut_all(checkpoint.model, {"sew.encoder.layers.0.feed_forward.intermediate_dense": range(9)})
    checkpoint.save(tmp_path / "cut")
    said("pack", str(tmp_path / "cut"), "-o", str(tmp_path / "packed"))
    words = ["load", str(tmp_path / "packed"), "-o"]
    assert "only open_checkpoint opens it" in said(*words, str(tmp_path / "out"))
    assert open_checkpoint(str(tmp_path / "out"))


def test_options_for_another_kind_of_folder(plain: Path, tmp_path: Path) -> None:
    out = ["-o", str(tmp_path / "out")]
    for option in ("--device-only", "--replace"):
        done = secateur("pack", str(plain), option, *out)
        assert_one_sentence(done, f"{option} is for a bundle, and {plain} is none")
    done = secateur("pack", str(tmp_path), "--values", "int8", *out)
    assert_one_sentence(done, f"--values is for a checkpoint, and {tmp_path} is none")
    done = secateur("pack", str(tmp_path), "--zstd", "3", *out)
    assert_one_sentence(done, f"--zstd is for a checkpoint, and {tmp_path} is none")
    assert list(tmp_path.iterdir()) == [plain]


def damaged(packed: Path) -> str:
    file = packed / "model.packed.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    return str(packed)


def absent(packed: Path) -> str:
    return str(packed.with_name("nothing"))


def empty(packed: Path) -> str:
    shutil.rmtree(packed)
    packed.mkdir()
    return str(packed)


@pytest.mark.parametrize("source", [damaged, absent, empty])
def test_what_cannot_be_loaded(source: Callable[[Path], str], plain: Path, tmp_path: Path) -> None:
    said("pack", str(plain), "-o", str(tmp_path / "packed"))
    given = source(tmp_path / "packed")
    assert_one_sentence(secateur("load", given, "-o", str(tmp_path / "out")), given)
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "packed"}


@pytest.mark.parametrize("command", ["load", "pack"])
def test_without_torch(
    command: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"pipeline.commands.{command}.find_spec", lambda _: None)
    done = secateur(command, str(plain), "-o", str(tmp_path / "out"))
    assert_one_sentence(done, "needs torch, which is not installed here")


def test_a_place_that_is_taken_or_too_small(plain: Path, tmp_path: Path) -> None:
    done = secateur("load", str(plain), "-o", str(plain))
    assert_one_sentence(done, f"{plain} exists and is not an empty folder")
    place = tmp_path / "small"
    place.mkdir()
    with small_disk(place) as limit:
        if limit:
            pytest.skip("no small disk can be mounted here")
        for command in ("load", "pack"):
            done = secateur(command, str(plain), "-o", str(place / "out"))
            assert_one_sentence(done, str(place / "out"), "disk is full")
            assert list(place.iterdir()) == []
