"""Every fault of a bundle is one sentence that names it."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import Bundle, Manifest, Sparsity
from speech.errors import BadInput
from tests.runtime.archives import small_bundle
from tests.runtime.graphs import empty_graph

FILES = ("onnx/model.onnx", "vocab.json", "pytorch/model.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CTC bundle whose files hold their own names, the first as the text of an empty graph."""
    graph, *others = FILES
    files = {graph: empty_graph(graph.encode()), **{path: path.encode() for path in others}}
    return small_bundle(tmp_path / "tiny", files).folder


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def complaint(folder: Path, **options: bool) -> str:
    with pytest.raises(BadInput) as caught:
        Bundle.open(folder, **options)
    sentence = str(caught.value)
    assert str(folder) in sentence and "\n" not in sentence
    return sentence


def test_a_sound_bundle_opens_and_says_what_it_was_given(folder: Path) -> None:
    bundle = Bundle.open(folder, check_hashes=True)
    assert bundle.manifest.sparsity == Sparsity(0.5, 0.4999, 0.45, {"sew.encoder.layers.0": 1.0})
    assert bundle.graph("model") == folder / FILES[0]
    assert bundle.tokenizer == folder / FILES[1]
    assert Manifest.from_json(bundle.manifest.to_json(), "again") == bundle.manifest


def test_only_the_pytorch_checkpoint_may_stay_at_home(folder: Path) -> None:
    assert [file.path for file in Bundle.open(folder).device_files] == list(FILES[:2])
    (folder / FILES[2]).unlink()
    assert "missing" in complaint(folder)
    Bundle.open(folder, on_device=True, check_hashes=True)
    (folder / FILES[1]).unlink()
    assert "vocab.json" in complaint(folder, on_device=True)


@pytest.mark.parametrize("path", FILES)
def test_a_missing_file(folder: Path, path: str) -> None:
    (folder / path).unlink()
    assert f"{path} of the bundle" in (sentence := complaint(folder)) and "missing" in sentence


def test_a_file_of_the_wrong_size(folder: Path) -> None:
    (folder / FILES[1]).write_bytes(b"short")
    assert "vocab.json" in (sentence := complaint(folder)) and "5 bytes instead of 10" in sentence


def test_a_tampered_file_is_found_by_its_hash(folder: Path) -> None:
    (folder / FILES[1]).write_bytes(b"vocab.JSON")
    Bundle.open(folder)
    assert "vocab.json" in (sentence := complaint(folder, check_hashes=True))
    assert "changed" in sentence


def test_a_symbolic_link_to_a_file(folder: Path, tmp_path: Path) -> None:
    (folder / FILES[1]).rename(tmp_path / "elsewhere")
    (folder / FILES[1]).symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in complaint(folder)


def test_a_symbolic_link_on_the_way_to_a_file(folder: Path, tmp_path: Path) -> None:
    (folder / "onnx").rename(tmp_path / "elsewhere")
    (folder / "onnx").symlink_to(tmp_path / "elsewhere")
    assert "onnx/model.onnx" in (sentence := complaint(folder)) and "symbolic link" in sentence


def test_a_manifest_behind_a_symbolic_link(folder: Path, tmp_path: Path) -> None:
    (folder / "bundle.json").rename(tmp_path / "elsewhere")
    (folder / "bundle.json").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in complaint(folder)


def test_the_bundle_itself_may_be_reached_through_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    Bundle.open(tmp_path / "link", check_hashes=True)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../secret",
        "onnx/../../secret",
        "onnx//x",
        "./x",
        "c:/x",
        "a\\b",
        "bundle.json",
    ],
)
def test_a_path_that_leads_out(folder: Path, path: str) -> None:
    change(folder, lambda manifest: manifest["files"][1].update(path=path))
    assert "leads out of the bundle" in complaint(folder)


def test_a_name_that_no_folder_can_have(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in complaint(tmp_path / ("x" * 300))


def test_a_file_listed_twice(folder: Path) -> None:
    change(folder, lambda manifest: manifest["files"].append(manifest["files"][0]))
    assert "onnx/model.onnx twice" in complaint(folder)


def test_an_unlisted_graph_or_tokenizer(folder: Path) -> None:
    change(folder, lambda manifest: manifest["graphs"].update(model="onnx/other.onnx"))
    assert "does not list onnx/other.onnx" in complaint(folder)
    change(folder, lambda m: m.update(graphs={"model": FILES[0]}, tokenizer="other.json"))
    assert "does not list other.json" in complaint(folder)


def test_a_graph_that_the_family_needs(folder: Path) -> None:
    change(folder, lambda manifest: manifest.update(graphs={"encoder": FILES[0]}))
    assert "graphs has no 'model'" in complaint(folder)


def test_rules_of_another_family(folder: Path) -> None:
    change(folder, lambda manifest: manifest.update(family="whisper"))
    assert "decoding has an unknown key 'blank'" in complaint(folder)


def test_another_schema(folder: Path) -> None:
    change(folder, lambda manifest: manifest.update(schema=4, surprise=True))
    assert "schema 4" in (sentence := complaint(folder)) and "reads schema 3" in sentence


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Manifest)])
def test_a_missing_key(folder: Path, key: str) -> None:
    change(folder, lambda manifest: manifest.pop(key))
    assert f"lacks the key '{key}'" in complaint(folder)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("schema", "1", "has schema '1'"),
        ("schema", True, "has schema True"),
        ("name", "", "name must have 1 to 500 characters"),
        ("name", 3, "name must be str, got 3"),
        ("family", "conformer", "family must be one of whisper, ctc"),
        ("score", [], "score is not an object"),
        ("score", {"wer": 0.1}, "score lacks the key 'wer_low'"),
        ("provenance", {"seed": 10**400}, "provenance.seed is too large"),
        ("provenance", {"note": "\ud800"}, "provenance.note is no valid Unicode text"),
        ("features", {"do_normalize": "yes"}, "do_normalize = 'yes' must be true or false"),
        ("features", {"sampling_rate": 8000}, "sampling_rate = 8000 must be 16000"),
        ("features", {"do_normalize": [[]]}, "features.do_normalize must be"),
        ("decoding", {"blank": 0}, "decoding lacks the key 'delimiter'"),
        ("tokenizer", FILES[2], "is in pytorch/, which a device may leave behind"),
        ("provenance", None, "provenance is not an object"),
        ("graphs", {"model": 1}, "graphs.model must be str, got 1"),
        ("precision", "int3", "precision must be one of fp32, fp16"),
        ("weights", {"encoder": FILES[0]}, "'encoder', which is no graph"),
        ("weights", {"model": "onnx/other"}, "does not list onnx/other"),
        ("files", {}, "files must be list"),
        ("files", ["x"], "files[0] is not an object"),
        ("surprise", 1, "unknown key 'surprise'"),
    ],
)
def test_a_value_of_the_wrong_kind(folder: Path, key: str, value: object, fault: str) -> None:
    change(folder, lambda manifest: manifest.update({key: value}))
    assert fault in complaint(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [("achieved", 1.2), ("model", -0.1), ("requested", "half"), ("layers", {"a": 2}), ("extra", 0)],
)
def test_an_impossible_sparsity(folder: Path, key: str, value: object) -> None:
    change(folder, lambda manifest: manifest["sparsity"].update({key: value}))
    assert ": sparsity" in complaint(folder)


@pytest.mark.parametrize(
    ("key", "value"), [("size", -1), ("size", 1.0), ("sha256", "abc"), ("sha256", "G" * 64)]
)
def test_an_impossible_file(folder: Path, key: str, value: object) -> None:
    change(folder, lambda manifest: manifest["files"][2].update({key: value}))
    assert f"files[2].{key} must be" in complaint(folder)


def test_what_newer_versions_say_of_a_score_does_not_matter(folder: Path) -> None:
    rates = {"wer": 0, "wer_low": 0, "wer_high": 0.5, "cer": 0.25}
    counts = {"substitutions": 1, "insertions": 0, "deletions": 0, "clips": 3, "words": 20}
    score = {**rates, **counts, "normalizer": "basic", "newer": [1]}
    change(folder, lambda manifest: manifest.update(score=score))
    found = Bundle.open(folder).manifest.score
    assert found and (found.wer_high, found.words) == (0.5, 20)


def test_no_manifest(tmp_path: Path) -> None:
    assert "no bundle.json" in complaint(tmp_path)
    assert "no bundle.json" in complaint(tmp_path / "absent")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": NaN}', "\xff\xfe", "[" * 100_000])
def test_a_manifest_that_is_no_json_object(folder: Path, text: str) -> None:
    (folder / "bundle.json").write_bytes(text.encode("latin-1"))
    assert "JSON" in complaint(folder)
