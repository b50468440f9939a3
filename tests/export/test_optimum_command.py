"""`secateur export-optimum` as a user calls it: what it tells, and what it refuses."""

import json
from pathlib import Path

import pytest

import export.bundle
from prune.checkpoint import Checkpoint
from runtime.archive import pack
from runtime.bundle import Bundle
from tests.export.exported import bundle_of, write_empty_graph
from tests.pipeline.command_line import assert_one_sentence, secateur


@pytest.fixture(autouse=True)
def no_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had called `make optimum`."""
    monkeypatch.setattr("pipeline.commands.export_optimum._beside_us", lambda: None)
    monkeypatch.delenv("SECATEUR_OPTIMUM_PYTHON", raising=False)


@pytest.fixture
def bundle(tmp_path: Path, tiny_sew: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """With a real checkpoint and an empty graph: this layout is written from the checkpoint."""
    with monkeypatch.context() as patched:
        patched.setattr(export.bundle.ctc_graph, "write_ctc", write_empty_graph)
        patched.setattr(export.bundle, "check_parity", lambda *_, **__: None)
        return bundle_of(tiny_sew, tmp_path / "bundle")


def test_an_archive_is_laid_out(tmp_path: Path, bundle: Bundle) -> None:
    file, out = tmp_path / "sew.secateur", tmp_path / "out"
    pack(bundle.folder, file)
    done = secateur("export-optimum", str(file), str(out), "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["family"], record["clips"], record["optimum"]) == ("ctc", 5, None)
    assert record["largest_difference"] < 1e-3
    there = {p.relative_to(out).as_posix(): p.stat().st_size for p in out.rglob("*.*")}
    assert record["files"] == there
    assert there.keys() == {
        "config.json", "preprocessor_config.json", "tokenizer_config.json", "vocab.json",
        "onnx/model.onnx",
    }  # fmt: skip
    assert record["bytes"] == sum(there.values())


def refused(tmp_path: Path, source: object, *words: str) -> str:
    """What is said; nothing may be left behind."""
    before = sorted(tmp_path.rglob("*"))
    done = secateur("export-optimum", str(source), str(tmp_path / "out"), *words)
    assert_one_sentence(done)
    assert sorted(tmp_path.rglob("*")) == before
    return done.stderr


def test_no_such_source(tmp_path: Path) -> None:
    assert "nowhere/at/all does not exist" in refused(tmp_path, "nowhere/at/all")


def test_an_output_that_has_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter").touch()
    assert "choose another one" in refused(tmp_path, "demo-sew")


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    said = refused(tmp_path, "demo-sew", "--python", "/nowhere/python")
    assert "/nowhere/python is not the Python" in said and "make optimum" in said


def test_a_bundle_without_what_it_was_made_from(tmp_path: Path, bundle: Bundle) -> None:
    file = tmp_path / "device.secateur"
    pack(bundle.folder, file, device_only=True)
    assert f"{file} has no PyTorch checkpoint" in refused(tmp_path, file)
