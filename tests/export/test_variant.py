"""One model in other precisions: smaller, still itself, refused where it no longer understands."""

import dataclasses
from pathlib import Path
from typing import cast, get_args

import numpy as np
import pytest

from export.precision import Precision
from export.variant import write_variant
from runtime.bundle import PRECISIONS, Bundle
from runtime.ctc import CtcRecognizer
from runtime.recognizer import open_recognizer
from speech.errors import BadInput
from speech.scoring import Score, score
from tests.export import exported

FAMILIES = {"whisper": exported.whisper, "sew": exported.sew}


def fp32(family: str) -> Bundle:
    return FAMILIES[family]()[1]


def weight_bytes(bundle: Bundle) -> int:
    manifest = bundle.manifest
    paths = [*manifest.graphs.values(), *manifest.weights.values()]
    return sum((bundle.folder / path).stat().st_size for path in paths)


def hearing(words_wrong: int) -> Score:
    return score(["a b c d e f g h i j"], [" ".join("abcdefghij"[words_wrong:])])


def test_the_manifest_knows_the_precisions_that_can_be_written() -> None:
    assert get_args(Precision) == PRECISIONS


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_precision_opens_and_says_something(
    family: str, precision: str, packed: bool, tmp_path: Path
) -> None:
    source, how = fp32(family), cast(Precision, precision)
    if (precision, packed) == ("fp16", False) or (precision, family) == ("mixed", "sew"):
        with pytest.raises(BadInput, match=precision):
            write_variant(source, tmp_path / "out", how, name="x", packed=packed)
        assert not list(tmp_path.iterdir())
        return
    bundle = write_variant(source, tmp_path / "out", how, name="tiny-x", packed=packed)
    manifest = Bundle.open(tmp_path / "out", check_hashes=True).manifest
    assert (manifest.name, manifest.precision) == ("tiny-x", precision)
    assert bool(manifest.weights) == packed
    assert manifest.provenance["parent"] == source.sha256
    assert manifest.provenance["seed"] == source.manifest.provenance["seed"]
    assert manifest.graphs == source.manifest.graphs
    assert not (bundle.folder / "pytorch").exists()
    if precision != "fp32":
        assert weight_bytes(bundle) < weight_bytes(source)
    heard = open_recognizer(bundle).transcribe(exported.noise(3, 2.0))
    assert heard.tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_packing_alone_changes_nothing_that_is_said(family: str, tmp_path: Path) -> None:
    source = fp32(family)
    packed = write_variant(source, tmp_path / "out", "fp32", name="packed")
    small = write_variant(source, tmp_path / "small", "fp32", name="small", zstd=3)
    assert weight_bytes(small) < weight_bytes(packed)
    for seed in range(3):
        clip = exported.noise(seed, 1.5)
        said = [open_recognizer(b).transcribe(clip).tokens for b in (packed, small, source)]
        assert said[0] == said[1] == said[2]
    if family == "sew":
        values = exported.noise(9, 1.0)
        logits = [CtcRecognizer(b).logits(values) for b in (packed, small, source)]
        assert np.array_equal(*logits[:2]) and np.array_equal(*logits[1:])


def test_what_it_hears_is_its_own_score_and_too_much_lost_is_refused(tmp_path: Path) -> None:
    source = fp32("whisper")
    listened = dataclasses.replace(
        source, manifest=dataclasses.replace(source.manifest, score=hearing(1))
    )
    out = tmp_path / "out"
    bundle = write_variant(
        listened, out, "int8", name="x", listen=lambda _: hearing(2), most_lost=0.11
    )
    assert bundle.manifest.score == hearing(2)
    with pytest.raises(BadInput, match=r"30\.0 % word errors, 20\.0 points more .* 11 are allowed"):
        write_variant(listened, out, "int4", name="x", listen=lambda _: hearing(3), most_lost=0.11)
    assert Bundle.open(out).manifest.precision == "int8", "the one that was there stays"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_the_plain_fp32_bundle_can_be_rounded(tmp_path: Path) -> None:
    packed = write_variant(fp32("sew"), tmp_path / "packed", "fp32", name="x")
    int8 = write_variant(fp32("sew"), tmp_path / "int8", "int8", name="x", packed=False)
    for source in (packed, int8):
        with pytest.raises(BadInput, match="give the bundle as it was exported"):
            write_variant(source, tmp_path / "out", "int4", name="x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    with pytest.raises(BadInput, match="holds something that is no bundle"):
        write_variant(fp32("sew"), tmp_path / "mine", "int8", name="x")
