"""A bundle appears whole or not at all, and holds what both sides open."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import export.bundle
from export.bundle import write_bundle
from export.decoding import ctc_symbols
from export.packed_checkpoint import load
from export.parity import ExportError
from prune.checkpoint import open_checkpoint
from runtime.archive import contents, pack
from runtime.bundle import Bundle, Sparsity
from speech.errors import BadInput
from speech.scoring import score
from tests.export.exported import bundle_of, sew, sew_d, wav2vec2, whisper, write_empty_graph


def test_a_whisper_bundle_holds() -> None:
    bundle = Bundle.open(whisper()[1].folder, check_hashes=True)
    paths = {file.path for file in bundle.manifest.files}
    assert {"onnx/encoder.onnx", "onnx/decoder.onnx", "tokenizer.json"} <= paths
    assert {"pytorch/config.json", "pytorch/model.safetensors"} <= paths
    assert not any(path.endswith(".data") for path in paths), "graphs should hold their weights"
    assert {path.name for path in bundle.folder.iterdir()} == {
        "bundle.json", "onnx", "pytorch", "tokenizer.json",
    }  # fmt: skip
    manifest = bundle.manifest
    assert (manifest.name, manifest.family, manifest.architecture) == ("tiny", "whisper", "whisper")
    assert manifest.features["chunk_length"] == 4
    assert [file.path for file in bundle.device_files] == sorted(
        [*manifest.graphs.values(), manifest.tokenizer]
    )


@pytest.mark.parametrize(
    ("family", "architecture"), [(sew, "sew"), (sew_d, "sew-d"), (wav2vec2, "wav2vec2")]
)
def test_a_ctc_bundle_holds(family: Any, architecture: str) -> None:
    bundle = Bundle.open(family()[1].folder, check_hashes=True)
    assert bundle.manifest.architecture == architecture
    assert bundle.manifest.graphs == {"model": "onnx/model.onnx"}
    assert json.loads(bundle.tokenizer.read_text())["|"] == 4


@pytest.mark.parametrize("family", [whisper, sew])
def test_the_pytorch_side_opens_again(family: Any) -> None:
    checkpoint, bundle = family()
    again = open_checkpoint(str(bundle.folder / "pytorch"))
    for name, weight in checkpoint.model.state_dict().items():
        assert (again.model.state_dict()[name] == weight).all(), name


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bundle]:
    """`bundle_of` with graphs of a few bytes, which nothing compares."""
    checkpoint = sew()[0]  # others use it too: it is exported before there are no true graphs
    monkeypatch.setattr(export.bundle.ctc_graph, "write_ctc", write_empty_graph)
    monkeypatch.setattr(export.bundle, "check_parity", lambda *_, **__: None)
    return lambda folder: bundle_of(checkpoint, folder)


def test_what_was_measured_and_decided_is_written_down(
    write: Callable[..., Bundle], tmp_path: Path
) -> None:
    result = score(["turn on the radio"], ["turn off the radio"])
    sparsity = Sparsity(0.5, 0.499, 0.4, {"sew.encoder.layers.0": 1.0})
    bundle = write_bundle(
        sew()[0],
        tmp_path / "new" / "pruned",
        name="demo 50 %",
        method="mp_global",
        sparsity=sparsity,
        score=result,
        provenance={"recipe": {"seed": 1}},
        parity_clips=[],
    )
    assert bundle.folder == tmp_path / "new" / "pruned"
    assert bundle.manifest.sparsity == sparsity
    assert bundle.manifest.score == result
    assert bundle.manifest.provenance == {"recipe": {"seed": 1}}


@pytest.mark.usefixtures("write")
def test_the_checkpoint_may_be_packed_or_left_out(tmp_path: Path) -> None:
    plain, packed, none = (
        write_bundle(
            sew()[0],
            tmp_path / how,
            name="x",
            method="dense",
            sparsity=Sparsity(None, 0.0, 0.0, {}),
            score=None,
            provenance={},
            parity_clips=[],
            pytorch=how,
        )
        for how in ("plain", "packed", "none")
    )
    assert plain.device_files == packed.device_files == none.device_files == none.manifest.files
    assert {path.name for path in (packed.folder / "pytorch").glob("*.safetensors")} == {
        "model.packed.safetensors"
    }
    for name, weight in load(packed.folder).model.state_dict().items():
        assert (sew()[0].model.state_dict()[name] == weight).all(), name
    with pytest.raises(BadInput, match="no PyTorch checkpoint in it"):
        load(none.folder)
    for bundle in (packed, none):
        pack(bundle.folder, tmp_path / "packed.secateur", replace=True)
        assert contents(tmp_path / "packed.secateur").files == bundle.manifest.files


def test_an_older_bundle_gives_way(write: Callable[..., Bundle], tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    write(folder)
    (folder / "left over").touch()
    write(folder)
    assert not (folder / "left over").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_an_empty_folder_is_filled(write: Callable[..., Bundle], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")


def test_anything_else_is_left_alone(write: Callable[..., Bundle], tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "to mother").write_text("dear")
    (tmp_path / "link").symlink_to(letters)
    for place in (letters, letters / "to mother", tmp_path / "link"):
        with pytest.raises(BadInput, match=str(place)):
            write(place)
    assert (letters / "to mother").read_text() == "dear"
    assert {path.name for path in tmp_path.iterdir()} == {"letters", "link"}


def test_a_failure_leaves_the_older_bundle_and_nothing_else(
    write: Callable[..., Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundle"
    before = write(folder).manifest

    def disagree(*_: object, **__: object) -> None:
        raise ExportError("they differ")

    monkeypatch.setattr(export.bundle, "check_parity", disagree)
    with pytest.raises(ExportError):
        write(folder)
    assert Bundle.open(folder, check_hashes=True).manifest == before
    with pytest.raises(ExportError):
        write(tmp_path / "other")
    assert list(tmp_path.iterdir()) == [folder]


def test_provenance_must_be_json(write: Callable[..., Bundle], tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_bundle(
            sew()[0],
            tmp_path / "bundle",
            name="x",
            method="dense",
            sparsity=Sparsity(None, 0.0, 0.0, {}),
            score=None,
            provenance={"loss": float("nan")},
            parity_clips=[],
        )
    assert not any(tmp_path.iterdir())


def test_symbols_that_the_tokenizer_lacks_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = sew()[0]
    monkeypatch.setattr(checkpoint.model.config, "vocab_size", 33)
    symbols = ctc_symbols(checkpoint)
    assert symbols["z"] == 30 and len(symbols) == 30 and "<unk>" not in symbols
