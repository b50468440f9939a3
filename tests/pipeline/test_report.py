"""The report of a run: conclusions, pictures and what is needed to do it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from bench.agent.latency import summarise
from bench.agent.measurement import Measurement, Sample, Variant
from bench.agent.memory import MemoryReading
from bench.rows import Row
from bench.sources import Findings
from pipeline.plots.labels import placed
from pipeline.plots.lines import CONDITIONS, lines_of
from pipeline.plots.looks import Looks
from pipeline.plots.style import KINDS, figure, save
from pipeline.recipe import read_recipe
from pipeline.report import run_hashes, write_run_report
from pipeline.report_again import Origin
from pipeline.report_recipe import recipe_text
from pipeline.report_rows import groups_of, results_of
from pipeline.report_table import NO_DIFFERENCE, table, to_control
from pipeline.report_winners import winners
from runtime.bundle import Bundle, BundleFile, Manifest, Sparsity
from speech.corpora import open_corpus
from speech.errors import BadInput
from speech.score import Score
from tests.bench.conftest import SCORE, write_tiny_bundle
from tui.tradeoffs.axes import SPARSITY, WER

PI = {"device": "pi", "model": "Raspberry Pi 5 Model B Rev 1.0", "cpu": "Cortex-A76",
      "architecture": "aarch64", "cores": 4}  # fmt: skip
RECIPE = '# why\nname = "trial"\nmodels = ["demo-sew"]\nprune.methods = ["imp_local"]\n'


def bundle(folder: Path, method: str, zeros: float, wer: float, *, share: float = 1.0) -> Bundle:
    """Of the model sew, its error rate known to a tenth of itself; with that share of the graph."""
    name = f"sew-{method}-{100 * zeros:g}" if zeros else f"sew-{method}"
    place = write_tiny_bundle(folder / name, name)
    _cut_out(place / "model.onnx", share)
    manifest = Manifest.from_json(json.loads((place / "bundle.json").read_text()), name)
    rates = {"wer": wer, "wer_low": 0.9 * wer, "wer_high": 1.1 * wer, "cer": wer / 2}
    recipe = {"name": "trial", "prune": {"step": 0.1}}
    manifest = replace(
        manifest, name=name, method=method, score=Score.from_json(SCORE | rates),
        sparsity=Sparsity(zeros, zeros, zeros, {"conv": zeros, "head": zeros / 2}),
        provenance={"model": "models/sew", "seed": 3, "recipe": recipe,
                    "versions": {"torch": "2.13.0"}},
        files=tuple(BundleFile.of(place, file.path) for file in manifest.files),
    )  # fmt: skip
    (place / "bundle.json").write_text(json.dumps(manifest.to_json()))
    return Bundle.open(place)


def _cut_out(graph: Path, share: float) -> None:
    """All but that share of the weights; and sizes are told, as exported graphs tell them."""
    model = onnx.load(graph)
    weights = next(w for w in model.graph.initializer if w.name == "weights")
    kept = numpy_helper.to_array(weights)[:, :, : int(400 * share)]
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(kept), "weights"))
    frames = [1, 4, "(samples-400)//320+1"]
    told = onnx.helper.make_tensor_value_info("symbols", onnx.TensorProto.FLOAT, frames)
    model.graph.value_info.append(told)
    onnx.save(model, graph)


def measured(found: Bundle, milliseconds: float, **facts: Any) -> Measurement:
    manifest, seconds = found.manifest, milliseconds / 1000
    shares = manifest.sparsity
    times = [seconds * (1 + 0.01 * n) for n in range(-6, 7)]
    made = Measurement(
        bundle=str(found.folder),
        name=manifest.name,
        measured_at="2026-03-01T10:00:00+00:00",
        threads=1,
        bundle_sha256=found.sha256,
        variant=Variant(
            manifest.name, manifest.family, manifest.method, shares.requested, shares.achieved,
            shares.model, manifest.score.to_json() if manifest.score else None,
        ),
        samples=tuple(Sample("a.flac", time, 2.0, {}) for time in times),
        latency=summarise(times),
        real_time_factor=seconds / 2,
        memory={"at_end": MemoryReading(80 * 2**20, None)},
        device_bytes=2**20,
        environment=PI,
        verdicts=("VALID",),
    )  # fmt: skip
    return replace(made, **facts)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return [
        bundle(folder, "dense", 0.0, 0.050),
        bundle(folder, "dense_finetune", 0.0, 0.030),
        bundle(folder, "obs", 0.5, 0.051),
        bundle(folder, "obs", 0.7, 0.200),
        bundle(folder, "imp_local", 0.5, 0.045),
        bundle(folder, "obs_structured", 0.6, 0.052, share=0.5),
    ]


def findings(bundles: Sequence[Bundle], **facts: Any) -> Findings:
    found = [measured(one, 20 + place, **facts) for place, one in enumerate(bundles)]
    by_hash = {one.sha256: one for one in bundles}
    return Findings(found, by_hash, {key: one.manifest for key, one in by_hash.items()})


def everything(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_gets_a_page_twice_and_its_pictures_as_slides(
    bundles: list[Bundle], tmp_path: Path
) -> None:
    mine = tmp_path / "sew-dense" / "bundle.json"
    mine.parent.mkdir()
    mine.write_text("a bundle")
    origin = Origin(RECIPE, "secateur run trial.toml", {"model demo-sew": "ab12"})
    found = findings(bundles)
    written = write_run_report("Trial", found, tmp_path, origin=origin)
    assert [path.name for path in written] == ["report.html", "report.md", "report-pictures"]
    first = everything(tmp_path)
    (tmp_path / "report-pictures" / "99-of-before.png").write_bytes(b"old")
    write_run_report("Trial", found, tmp_path, origin=origin)
    assert everything(tmp_path) == first
    pictures = [path for path in first if path.startswith("report-pictures/")]
    assert [path.split("/")[1][:6] for path in sorted(pictures)] == [
        "01-wer", "02-cos", "03-fro", "04-lay"
    ]  # fmt: skip
    for path in pictures:
        with Image.open(tmp_path / path) as picture:
            assert picture.size == (1600, 900)
        assert path in first["report.md"].decode()
    page = first["report.html"].decode()
    assert page.count("data:image/png;base64,") == 4
    for said in (RECIPE.strip(), "secateur run trial.toml", "ab12", "2.13.0", bundles[2].sha256):
        assert said in first["report.md"].decode()
        assert said.replace('"', "&quot;") in page
    (tmp_path / "report-pictures" / "diary.txt").write_text("private")
    with pytest.raises(BadInput, match="report-pictures exists and is not an empty folder"):
        write_run_report("Trial", found, tmp_path, origin=origin)


def test_the_table_holds_each_variant_against_its_own_control(bundles: list[Bundle]) -> None:
    [group] = groups_of(results_of(findings(bundles)))
    grid, _, points = table(group)
    heads = list(grid.heads)  # type: ignore[union-attr]
    lines = {line[0]: dict(zip(heads, line, strict=True)) for line in grid.lines}  # type: ignore[union-attr]
    assert list(lines) == [
        "dense", "dense_finetune", "obs-50", "obs-70", "obs_structured-60", "imp_local-50"
    ]  # fmt: skip
    assert [grid.groups[at].split(":")[0] for at in sorted(grid.groups)] == [  # type: ignore[union-attr]
        "dense", "dense_finetune", "obs", "obs_structured", "imp_local"
    ]  # fmt: skip
    to = "to its control, points"
    assert lines["dense"][to] == ""
    assert lines["obs-50"][to].endswith(NO_DIFFERENCE)
    assert lines["obs-70"][to].startswith("+15.0 [") and NO_DIFFERENCE not in lines["obs-70"][to]
    # better than the dense model, worse than what fine-tuning alone makes of it
    assert lines["imp_local-50"][to].startswith("+1.5 [")
    assert (lines["imp_local-50"]["steps"], lines["obs-50"]["steps"]) == ("5", "")
    assert (lines["obs-70"]["less work %"], lines["obs-70"]["fewer bytes read %"]) == ("0.0", "0.0")
    assert lines["obs_structured-60"]["less work %"] == "50.0"
    assert float(lines["obs_structured-60"]["fewer bytes read %"]) == pytest.approx(50, abs=0.5)
    assert lines["obs-50"]["latency ms, mean ± sd"] == "22.0 ± 0.9"
    said = list(points.texts)  # type: ignore[union-attr]
    assert (
        f"obs: {NO_DIFFERENCE} to dense up to 50 % zeros, 15.0 points worse at 70 % zeros." in said
    )
    assert "imp_local: 1.5 points worse than dense_finetune at 50 % zeros." in said


def test_the_winner_is_measured_where_it_can_be_and_a_guess_elsewhere(
    bundles: list[Bundle],
) -> None:
    found = findings(bundles)
    [grid, caption] = winners(results_of(found), found)
    lines = {line[0]: line for line in grid.lines}  # type: ignore[union-attr]
    assert len(lines) == 10 and not any("GB)" in name for name in lines)
    _, budgets, known, take, why = lines["Raspberry Pi 5"]
    assert (known, take) == ("measured on pi", "sew-dense_finetune")
    assert "WER loss 2 points" in budgets and "ESTIMATED" not in why
    assert why.startswith(
        "sew-dense_finetune has the lowest WER of all that fit: WER 3.0 [2.7–3.3] %"
    )
    _, _, known, _, why = lines["Raspberry Pi Zero 2 W"]
    assert known == "ESTIMATED" and "(ESTIMATED)" in why
    assert "Whether it keeps the budget of memory is not known." in why
    assert "off by several times" in caption.text  # type: ignore[union-attr]

    slow = findings(bundles, real_time_factor=3.0)
    [grid, _] = winners(results_of(slow), slow)
    line = next(line for line in grid.lines if line[0] == "Raspberry Pi 5")  # type: ignore[union-attr]
    assert line[3] == "nothing fits"
    assert "The nearest is sew-dense_finetune: RTF 3.0000 > 0.2500." in line[4]

    emulated = findings(bundles, verdicts=("EMULATED",))
    [grid, _] = winners(results_of(emulated), emulated)
    assert {line[2] for line in grid.lines} == {"ESTIMATED"}  # type: ignore[union-attr]

    away = replace(found, bundles={})
    grid, *texts = winners(results_of(away), away)
    assert len(grid.lines) == 1  # type: ignore[union-attr]
    assert "cannot be guessed at" in texts[-1].text  # type: ignore[union-attr]


def test_a_recipe_from_bundles_is_one_that_runs_again(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'name = "mine"\nmodels = ["demo-sew", "demo-whisper"]\nseeds = [4]\n'
        'prune = { methods = ["obs_profile", "imp_local"], sparsities = [0.5], step = 0.25,'
        ' shares = { "encoder.ffn" = 0.5 }, fine_tuning = { steps = 7 } }\n'
        'corpus = { limit = 9, evaluate = "demo:test" }\nmeasure.threads = 2\n'
    )
    wanted = read_recipe(path)
    text = recipe_text(json.loads(json.dumps(wanted.model_dump())))
    path.write_text(text)
    assert read_recipe(path) == wanted
    assert "owl_m" not in text and "[prune.fine_tuning]\nsteps = 7" in text
    names = run_hashes(wanted, open_corpus("demo:test", limit=9, seed=4))
    assert [name.split()[0] for name in names] == ["model", "model", "corpus"]
    assert all(len(sha256) == 64 for sha256 in names.values())


def row(method: str, zeros: float, wer: float, **facts: Any) -> Row:
    return Row(
        f"{method}-{zeros:g}",
        "ctc",
        method,
        zeros,
        zeros + 0.01,
        wer,
        0.9 * wer,
        1.1 * wer,
        **facts,
    )


def test_lines_begin_at_their_own_control_and_seeds_become_one_point() -> None:
    rows = [
        row("dense", 0, 5), row("dense_finetune", 0, 4), row("obs", 50, 6), row("obs", 50, 8),
        row("iobs", 50, 5), row("obs", 70, 9), replace(row("obs", 50, 7), precision="int8"),
    ]  # fmt: skip
    shown = lines_of([replace(one, precision=one.precision or "fp32") for one in rows], CONDITIONS)
    lines = {(line.method, line.mark): line for line in shown.lines}
    assert lines.keys() == {("obs", "fp32"), ("iobs", "fp32"), ("obs", "int8")}
    points = lines["obs", "fp32"].points(SPARSITY, WER)
    assert [(point.y, point.low, point.high) for point in points] == [
        (5, 4.5, 5.5), (7, pytest.approx(5.4), pytest.approx(8.8)), (9, 8.1, pytest.approx(9.9))
    ]  # fmt: skip
    assert [point.y for point in lines["iobs", "fp32"].points(SPARSITY, WER)] == [4, 5]
    assert [point.y for point in lines["obs", "int8"].points(SPARSITY, WER)] == [7]


def test_every_method_looks_different_without_its_colour() -> None:
    names = [f"method-{n}" for n in range(13)]
    looks = Looks([*names, "iobs"], [""])
    assert len({looks.method(name)["marker"] for name in names}) == 13
    assert looks.method("iobs")["markerfacecolor"] == "white"
    assert looks.method(names[0])["markerfacecolor"] == KINDS[0]


def test_names_lie_on_no_point_and_on_no_other_name() -> None:
    random = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in random.uniform(0, 400, (9, 2))]
    found = placed(points, ["a-name"] * 9, points, (0, 0, 400, 400), 12)
    boxes = [(x, y - 7.5, x + 43.2, y + 7.5) for x, y in filter(None, found)]
    assert len(boxes) >= 7
    for at, one in enumerate(boxes):
        assert one[0] >= 0 and one[2] <= 400
        assert not any(one[0] < x < one[2] and one[1] < y < one[3] for x, y in points)
        for other in boxes[:at]:
            assert (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )


def test_pictures_keep_the_colours_that_they_were_drawn_in(tmp_path: Path) -> None:
    drawn = figure(2, 2)
    axes = drawn.add_subplot()
    axes.set_axis_off()
    for place, colour in enumerate(KINDS):
        axes.axvspan(place, place + 0.5, color=colour)
    save(drawn, tmp_path / "colours.png")
    with Image.open(tmp_path / "colours.png") as picture:
        found = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    wanted = {tuple(bytes.fromhex(colour[1:])) for colour in KINDS} | {(255, 255, 255)}
    assert wanted <= found


def test_without_an_interval_nothing_is_called_a_difference(bundles: list[Bundle]) -> None:
    found = findings(bundles)
    for one in found.measurements:
        assert one.variant and one.variant.score
        one.variant.score.pop("wer_low")  # type: ignore[attr-defined]
    [group] = groups_of(results_of(found))
    differences = [to_control(row, group) for row in group.rows]
    assert {one.is_real for one in differences if one} == {None}
    assert NO_DIFFERENCE not in str(table(group)[0])
