"""Token embeddings read from the packed weights are those that the decoder would look up itself."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from export.precision import write_precision
from export.variant import write_variant
from export.weightless import write_weightless
from runtime import session
from runtime.bundle import Bundle
from runtime.embedding import CODES, GIVEN, TABLE
from runtime.packed.reader import PackedFile
from runtime.whisper import WhisperRecognizer
from speech.errors import BadInput
from tests.export.exported import demo, noise, whisper
from tests.export.test_precision import uneven


def tiny() -> Bundle:
    return whisper()[1]


def demo_whisper() -> Bundle:
    """Its width is no multiple of 32."""
    return demo("demo-whisper")


def apart(bundle: Bundle, precision: Any, folder: Path, zstd: int | None) -> Bundle:
    """The bundle with a rounded decoder that is given embeddings; nothing is stored as fp16."""
    write_precision(bundle.graph("decoder"), folder / "whole.onnx", precision, embeds=False)
    write_weightless(folder / "whole.onnx", folder / "d.onnx", folder / "d.weights", zstd=zstd)
    graphs = {"encoder": str(bundle.graph("encoder")), "decoder": str(folder / "d.onnx")}
    weights = {"decoder": str(folder / "d.weights")}
    manifest = dataclasses.replace(bundle.manifest, graphs=graphs, weights=weights)
    return Bundle(bundle.folder, manifest)


def said(bundle: Bundle) -> list[Any]:
    recognizer = WhisperRecognizer(bundle)
    cross = recognizer.encode(recognizer.features(noise(3, 1.0)))
    first, past = recognizer.step([7, 250, 7, 0], recognizer.start(), cross)
    return [first, recognizer.step([11], past, cross)[0]]


def inputs(bundle: Bundle) -> set[str]:
    decoder: Any = WhisperRecognizer(bundle)._decoder
    return {given.name for given in decoder.get_inputs()}


@pytest.mark.parametrize("zstd", [None, 3])
@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("source", [tiny, demo_whisper])
def test_a_decoder_that_is_given_embeddings_says_the_same_bit_for_bit(
    source: Any, precision: Any, zstd: int | None, tmp_path: Path
) -> None:
    given = apart(source(), precision, tmp_path, zstd)
    write_precision(source().graph("decoder"), tmp_path / "plain.onnx", precision)
    graphs = {**given.manifest.graphs, "decoder": str(tmp_path / "plain.onnx")}
    manifest = dataclasses.replace(given.manifest, graphs=graphs, weights={})
    plain = Bundle(given.folder, manifest)
    assert GIVEN in inputs(given) and GIVEN not in inputs(plain)
    assert all(np.array_equal(*pair) for pair in zip(said(given), said(plain), strict=True))


def test_arrays_lent_to_onnxruntime_serve_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it cannot read a pipe: of a table that must be turned, and of a loose one."""
    for precision in ("int8", "fp32"):
        packed = write_variant(tiny(), tmp_path / precision, precision, name="x")
        piped = said(packed)
        with monkeypatch.context() as patch:
            patch.setattr(session, "READS_PIPES", False)
            assert all(np.array_equal(*pair) for pair in zip(piped, said(packed), strict=True))


def test_an_embedding_that_is_not_tied_stays_in_the_graph(tmp_path: Path) -> None:
    packed = write_variant(uneven(), tmp_path / "packed", "int8", name="x")
    assert inputs(packed) == inputs(uneven())
    assert np.corrcoef(said(uneven())[0], said(packed)[0])[0, 1] > 0.999


def test_in_fp32_onnxruntime_is_kept_from_a_second_table() -> None:
    decoder = onnxruntime.InferenceSession(tiny().graph("decoder"))
    assert [loose.name for loose in decoder.get_overridable_initializers()] == [TABLE]


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    packed = write_variant(tiny(), tmp_path / "packed", "int8", name="x")
    fp32 = write_variant(tiny(), tmp_path / "fp32", "fp32", name="x")
    weights = {"decoder": str(fp32.weights("decoder")), "encoder": str(packed.weights("encoder"))}
    mixed = Bundle(packed.folder, dataclasses.replace(packed.manifest, weights=weights))
    with pytest.raises(BadInput, match="export the bundle again"):
        WhisperRecognizer(mixed)


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_rows_of_the_table_are_those_of_the_whole(precision: Any, tmp_path: Path) -> None:
    packed = write_variant(tiny(), tmp_path / "packed", precision, name="x")
    weights = packed.weights("decoder")
    assert weights
    file = PackedFile.open(weights)
    whole, rows = file.array(CODES), file.rows(CODES)
    assert all(np.array_equal(rows[i], whole[i]) for i in (0, 5, len(whole) - 1))
    with pytest.raises(IndexError):
        rows[len(whole)]
