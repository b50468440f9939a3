"""Thousands of damaged manifests and archives: a sound bundle or one BadInput, nothing else."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.archive import contents, pack, unpack
from runtime.bundle import Bundle, Manifest
from runtime.rules import WhisperRules
from speech.errors import BadInput
from speech.score import Score
from tests.runtime.archives import compressed, entries, entry, everything, small_bundle
from tests.runtime.mangling import damaged, mangled, often

_PLACE = tempfile.TemporaryDirectory(prefix="secateur-tests-")


@functools.cache
def sound() -> Bundle:
    return small_bundle(Path(_PLACE.name) / "tiny")


@functools.cache
def sound_text() -> str:
    return json.dumps(sound().manifest.to_json())


@functools.cache
def whisper_text() -> str:
    """The other family: features and rules of its own."""
    table = sound().manifest.to_json()
    graphs = {"encoder": "onnx/model.onnx", "decoder": "onnx/model.onnx"}
    keys = {"feature_size": 80, "n_fft": 400, "hop_length": 160, "chunk_length": 30}
    features = {**keys, "sampling_rate": 16_000, "padding_value": 0.0}
    rules = WhisperRules((5, 6), (1, 2), (3,), (4,), 448)
    score = Score(0.1, 0.05, 0.2, 0.1, 1, 1, 1, 3, 20, "basic")
    table |= {"family": "whisper", "graphs": graphs, "features": features}
    return json.dumps(table | {"decoding": rules.to_json(), "score": score.to_json()})


@often(max_examples=1200)
@given(mangled(sound_text()))
def test_a_damaged_manifest(manifest: Any) -> None:
    reads_or_refuses(manifest)


@pytest.mark.long
@often(max_examples=2000)
@given(mangled(sound_text()) | mangled(whisper_text()))
def test_two_thousand_damaged_manifests(manifest: Any) -> None:
    reads_or_refuses(manifest)


def reads_or_refuses(manifest: Any) -> None:
    try:
        read = Manifest.from_json(manifest, "bundle.json")
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 1500
        return
    assert Manifest.from_json(read.to_json(), "again").to_json() == read.to_json()


@often(max_examples=400)
@given(mangled(sound_text()), st.booleans())
def test_a_damaged_manifest_in_an_archive(manifest: Any, as_text: bool) -> None:
    folder = sound().folder
    text = json.dumps(manifest, ensure_ascii=as_text).encode(errors="surrogatepass")
    made = entries(folder)
    made["bundle.json"] = entry("bundle.json", text)
    _gives_the_bundle_or_nothing(compressed(b"".join(made.values())), same_manifest=False)


@functools.cache
def packed() -> bytes:
    file = Path(_PLACE.name) / "tiny.secateur"
    pack(sound().folder, file)
    return file.read_bytes()


@often(max_examples=400)
@given(st.data())
def test_a_damaged_archive(data: st.DataObject) -> None:
    _gives_the_bundle_or_nothing(data.draw(damaged(packed())))


@often(max_examples=400)
@given(st.data())
def test_a_damaged_tar(data: st.DataObject) -> None:
    """Compressed after the damage, so that no checksum of zstd finds it first."""
    tar = b"".join(entries(sound().folder).values())
    _gives_the_bundle_or_nothing(compressed(data.draw(damaged(tar))), same_manifest=False)


@pytest.mark.long
@often(max_examples=2000)
@given(st.data())
def test_two_thousand_damaged_archives(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["file", "tar", "manifest"]))
    if kind == "file":
        _gives_the_bundle_or_nothing(data.draw(damaged(packed())))
        return
    made = entries(sound().folder)
    if kind == "manifest":
        manifest = data.draw(mangled(sound_text()))
        text = json.dumps(manifest).encode()
        made["bundle.json"] = entry("bundle.json", text)
    tar = b"".join(made.values())
    tar = data.draw(damaged(tar)) if kind == "tar" else tar
    _gives_the_bundle_or_nothing(compressed(tar), same_manifest=False)


def _gives_the_bundle_or_nothing(archive: bytes, *, same_manifest: bool = True) -> None:
    with tempfile.TemporaryDirectory(dir=_PLACE.name) as place:
        file, out = Path(place) / "a.secateur", Path(place) / "out"
        file.write_bytes(archive)
        try:
            held = contents(file)
            bundle = unpack(file, out)
        except BadInput as error:
            assert "\n" not in str(error)
            assert list(Path(place).iterdir()) == [file]
            return
        assert bundle == Bundle.open(out, check_hashes=True, on_device=True)
        assert set(everything(out)) == {"bundle.json", *(file.path for file in held.files)}
        if same_manifest:
            assert everything(out).items() <= everything(sound().folder).items()
