"""Guesses for devices, from bundles that were really measured here."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.agent.measurement import Measurement
from bench.estimates import estimates
from bench.local import measure_here
from bench.sources import Findings
from device_profiles.profiles import ProfileError, load_profile
from runtime.bundle import Bundle, BundleFile
from tests.bench.conftest import write_noises, write_tiny_bundle

#: Columns of the square matrices that each model has twenty of.
WIDTHS = (256, 512, 768)


def write_deep_graph(path: Path, width: int) -> None:
    """Frames of 160 samples through twenty layers; heavy enough to be felt beside the features."""
    frames = "(samples-400)//160+1"
    random = np.random.default_rng(0)

    def value(name: str, *dims: object) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims))

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        drawn = random.normal(size=shape, scale=shape[-1] ** -0.5).astype(np.float32)
        return numpy_helper.from_array(drawn, name)

    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "one"], ["channels"]),
        helper.make_node("Conv", ["channels", "filters"], ["heard"], strides=[160]),
        helper.make_node("Transpose", ["heard"], ["layer0"], perm=[0, 2, 1]),
        *(helper.make_node("MatMul", [f"layer{n}", f"w{n}"], [f"layer{n + 1}"]) for n in range(20)),
        helper.make_node("MatMul", ["layer20", "head"], ["logits"]),
    ]
    held = [weight("filters", width, 1, 400), weight("head", width, 4)]
    held += [weight(f"w{n}", width, width) for n in range(20)]
    held += [numpy_helper.from_array(np.array([1]), "one")]
    graph = helper.make_graph(
        nodes, "g", [value("input_values", 1, "samples")], [value("logits", 1, frames, 4)], held,
        value_info=[value("channels", 1, 1, "samples"), value("heard", 1, width, frames)]
        + [value(f"layer{n}", 1, frames, width) for n in range(21)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Three models, measured by the agent; their speed is this machine's, whatever that is."""
    place = tmp_path_factory.mktemp("measured")
    folders = []
    for width in WIDTHS:
        folder = write_tiny_bundle(place / f"w{width}", f"w{width}")
        write_deep_graph(folder / "model.onnx", width)
        manifest = json.loads((folder / "bundle.json").read_text())
        paths = [file["path"] for file in manifest["files"]]
        files = [BundleFile.of(folder, path) for path in paths]
        manifest["files"] = [vars(file) for file in files]
        (folder / "bundle.json").write_text(json.dumps(manifest))
        folders.append(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEUR_CACHE", str(place / "cache"))
        found = measure_here(folders, write_noises(place), warm_up=1, samples=3)
    assert [one.error for one in found] == [None] * 3
    bundles = {bundle.sha256: bundle for bundle in map(Bundle.open, folders)}
    manifests = {sha256: bundle.manifest for sha256, bundle in bundles.items()}
    return Findings(found, bundles, manifests)


def test_measured_here_the_guess_for_here_is_of_the_right_size(findings: Findings) -> None:
    guessed = estimates(findings, "this")
    assert "3 measurements there" in guessed.about
    assert "off by a factor of" in guessed.about
    for row, found in zip(guessed.rows, findings.measurements, strict=True):
        assert row.verdicts == ("ESTIMATED",)
        assert row.latency_ms is not None
        assert found.latency is not None
        assert abs(math.log10(row.latency_ms / 1000 / found.latency.median)) < 1
        assert (row.wer, row.size_mib is not None) == (pytest.approx(5.8), True)
        assert (row.memory_mib, row.samples, row.device_wer, row.measured_at) == (None, 0, None, "")


def test_elsewhere_it_is_from_data_sheets_and_says_so(findings: Findings) -> None:
    slow, fast = (estimates(findings, name) for name in ("pi-zero-2w", "m4"))
    assert "data sheets alone" in slow.about
    for one, other in zip(slow.rows, fast.rows, strict=True):
        assert (one.latency_ms or 0) > 5 * (other.latency_ms or math.inf)
        assert one.device == "pi-zero-2w"


def pi(found: Measurement, verdict: str = "VALID") -> Measurement:
    facts = {"model": "Raspberry Pi 4 Model B Rev 1.4", "cpu": "Cortex-A72", "cores": 4,
             "memory_mb": 1849, "architecture": "aarch64", "page_kb": 4}  # fmt: skip
    return replace(found, environment=facts, verdicts=(verdict,))


def test_only_runs_on_such_a_device_set_the_scale(findings: Findings) -> None:
    alike = replace(findings, measurements=[pi(one) for one in findings.measurements])
    assert "3 measurements there" in estimates(alike, "pi-4b-8gb").about
    assert "alone" in estimates(alike, "pi-5").about
    emulated = [pi(one, "EMULATED") for one in findings.measurements]
    assert "alone" in estimates(replace(findings, measurements=emulated), "pi-4b").about
    slower = [
        replace(one, samples=tuple(replace(s, seconds=3 * s.seconds) for s in one.samples))
        for one in alike.measurements
    ]
    before = estimates(alike, "pi-4b").rows
    after = estimates(replace(alike, measurements=slower), "pi-4b").rows
    for one, other in zip(before, after, strict=True):
        assert (other.latency_ms or 0) == pytest.approx(3 * (one.latency_ms or 0))


def test_the_guess_is_for_the_profiles_threads_not_those_that_were_measured(
    findings: Findings,
) -> None:
    """Measured with one thread here, a Pi 4 that has four is not guessed as if it had one."""
    for profile in map(load_profile, ("pi-4b", "m4", "pi-zero-2w")):
        guessed = estimates(findings, profile.id)
        assert {row.threads for row in guessed.rows} == {profile.threads}
        assert f"Threads: {profile.threads}, as the profile says." in guessed.about
    twice = [replace(one, threads=count) for one in findings.measurements for count in (1, 2)]
    assert len(estimates(replace(findings, measurements=twice), "pi-4b").rows) == len(WIDTHS)


def test_threads_that_were_fastest_on_such_a_device_are_taken(findings: Findings) -> None:
    def with_threads(count: int, factor: float) -> list[Measurement]:
        return [
            replace(
                pi(one),
                threads=count,
                samples=tuple(replace(s, seconds=factor * s.seconds) for s in one.samples),
            )
            for one in findings.measurements
        ]

    tried = [*with_threads(1, 1.0), *with_threads(2, 0.6), *with_threads(4, 0.9)]
    guessed = estimates(replace(findings, measurements=tried), "pi-4b")
    assert {row.threads for row in guessed.rows} == {2}
    assert "Threads: 2, what was measured there is fastest so." in guessed.about
    once = estimates(replace(findings, measurements=with_threads(1, 1.0)), "pi-4b")
    assert {row.threads for row in once.rows} == {4}  # one count says nothing of the others


def test_what_is_not_at_hand_is_counted_and_threads_fit_the_device(
    findings: Findings, tmp_path: Path
) -> None:
    many = [replace(one, threads=64) for one in findings.measurements]
    some = dict(list(findings.bundles.items())[:1])
    guessed = estimates(Findings(many, some, findings.manifests), "pi-5")
    assert [row.threads for row in guessed.rows] == [load_profile("pi-5").threads]
    assert "2 bundles are left out" in guessed.about
    vague = {sha256: Bundle.open(write_tiny_bundle(tmp_path / "v", "v")) for sha256 in some}
    assert estimates(Findings(many, vague, findings.manifests), "pi-5").rows == []
    with pytest.raises(ProfileError, match="did you mean"):
        estimates(findings, "pi-6")
