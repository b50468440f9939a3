"""`secateur card` as a user calls it, and the picture beside the card."""

import json
import shutil
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.agent.latency import summarise
from bench.agent.measurement import Measurement
from bench.results import write_results
from pipeline.plots.layer_sparsity import draw_layer_sparsity
from runtime.archive import pack
from runtime.bundle import Bundle, Manifest
from tests.bench.conftest import write_tiny_bundle
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.runtime.archives import everything

LAYERS = {f"encoder.{i}.fc{j}": 0.2 + 0.2 * i for i in range(3) for j in (1, 2)}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Without a checkpoint, and, to be quick, without layers to draw."""
    folder = write_tiny_bundle(tmp_path / "tiny", "tiny-70")
    manifest = Bundle.open(folder).manifest
    files = tuple(file for file in manifest.files if not file.path.startswith("pytorch"))
    write_manifest_of(folder, replace(manifest, files=files, method="obs"))
    shutil.rmtree(folder / "pytorch")
    return folder


def write_manifest_of(folder: Path, manifest: Manifest) -> None:
    (folder / "bundle.json").write_text(json.dumps(manifest.to_json()))


def test_it_is_printed_or_written_with_its_picture(bundle: Path, tmp_path: Path) -> None:
    manifest = Bundle.open(bundle).manifest
    sparsity = replace(manifest.sparsity, layers=LAYERS)
    write_manifest_of(bundle, replace(manifest, sparsity=sparsity))
    before = everything(bundle)
    archive = tmp_path / "tiny.secateur"
    pack(bundle, archive)
    printed = secateur("card", str(bundle), "--license", "mit")
    assert printed.returncode == 0, printed.stderr
    assert "# tiny-70" in printed.stdout and "license: mit" in printed.stdout
    place = tmp_path / "page"
    written = secateur("card", str(archive), "--license", "mit", "-o", str(place))
    assert written.returncode == 0, written.stderr
    assert (place / "README.md").read_text() == printed.stdout
    assert {path.name for path in place.iterdir()} == {"README.md", "sparsity.png"}
    assert "![Zeros by layer](sparsity.png)" in printed.stdout
    with Image.open(place / "sparsity.png") as picture:
        assert picture.width > 500 and picture.height > 150
    assert_one_sentence(secateur("card", str(bundle), "-o", str(place)), "page", "not an empty")
    assert everything(bundle) == before


def test_measurements_of_this_very_bundle_are_told(bundle: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    mine = Measurement(
        bundle="x", name="tiny-70", measured_at="2026-11-21T00:00:00+00:00", threads=2,
        bundle_sha256=Bundle.open(bundle).sha256, real_time_factor=0.125,
        latency=summarise([0.4, 0.5, 0.6]), environment={"model": "Raspberry Pi 4 Model B"},
    )  # fmt: skip
    failed, other = replace(mine, error="it broke"), replace(mine, bundle_sha256="0" * 64)
    write_results(results, [other, failed, mine])
    words = ("card", str(bundle), "--results", str(results))
    row = "| Raspberry Pi 4 Model B | 2 | 500.0 | 0.1250 |  | 3 |"
    assert secateur(*words).stdout.count(row) == 1
    write_results(results, [other, failed])
    assert_one_sentence(secateur(*words), "results.jsonl", "leave out --results")


def test_a_broken_bundle_gets_no_card(bundle: Path, tmp_path: Path) -> None:
    (bundle / "vocab.json").unlink()
    done = secateur("card", str(bundle), "-o", str(tmp_path / "page"))
    assert_one_sentence(done, "vocab.json", "is missing")
    assert not (tmp_path / "page").exists()


def test_bars_are_as_long_as_layers_are_sparse(tmp_path: Path) -> None:
    layers = {"m.layers.0.a": 0.2, "m.layers.0.$b$": 0.4, "m.layers.0.c": 0.8, "m.layers.0.d": 0.0}
    path = tmp_path / "bars.png"
    draw_layer_sparsity(layers, path, title="costs $5_ and $6^", achieved=0.35)
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 100).sum(axis=1)
    bars = [max(run) for is_bar, run in groupby(blue, lambda n: n > 10) if is_bar]
    assert len(bars) == 3
    assert np.allclose(np.array(bars) / bars[0], [1, 2, 4], rtol=0.05)


def test_many_layers_still_make_a_picture_that_a_page_can_hold(tmp_path: Path) -> None:
    names = [f"model.{half}.layers.{i}.fc{j}" for half in "ed" for i in range(32) for j in range(8)]
    path = tmp_path / "bars.png"
    draw_layer_sparsity(dict.fromkeys(names, 0.5), path, title="large", achieved=0.5)
    with Image.open(path) as picture:
        assert picture.height < 4000 and picture.width < 1000
    assert path.stat().st_size < 150_000
