"""Whole cases in real processes: what is measured, and that one bad case never ends the others."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.agent.measurement import STAGES, Measurement
from bench.local import Step, measure_here
from speech.corpora.corpus import Clip
from speech.errors import BadInput
from tests.bench.conftest import write_noises, write_tiny_bundle

MEBIBYTE = 2**20
Shipped = tuple[Path, tuple[Clip, ...], Measurement]


def test_a_bundle_is_measured_in_a_process_without_torch(
    bundle: Path, clips: tuple[Clip, ...]
) -> None:
    import torch  # noqa: F401  # in this process, so that a leak into the other one would show

    [measured] = measure_here([bundle], clips, threads=1, warm_up=1, samples=3)
    assert measured.error is None
    assert measured.loaded_forbidden == ()
    assert (measured.name, measured.threads) == ("tiny-magnitude-70", 1)
    assert [sample.clip for sample in measured.samples] == ["1.flac", "2.flac"] * 3
    assert all(sample.seconds >= sum(sample.phases.values()) for sample in measured.samples)
    assert set(measured.phase_medians) == {"features", "encode", "decode"}
    assert measured.latency is not None
    assert (measured.latency.count, measured.latency.p90) == (6, None)
    assert measured.audio_seconds == pytest.approx(3.0)
    assert (measured.case, measured.turns) == ("tiny-magnitude-70/t1", 2)
    assert measured.score is not None
    assert (measured.score["words"], measured.score["normalizer"]) == (8, "basic")
    assert measured.settings["threads"] == 1
    assert measured.verdicts
    assert measured.tokens_per_second is None  # nothing is decoded token by token
    assert measured.real_time_factor is not None
    assert [heard.reference for heard in measured.transcripts] == ["turn on the light"] * 2
    assert all(set(heard.text) <= set("ab ") for heard in measured.transcripts)
    for seconds in (measured.import_seconds, measured.load_seconds, measured.first_seconds):
        assert seconds is not None
        assert seconds > 0


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """A bundle as it lies on a device, the clips, and one measurement of them."""
    place = tmp_path_factory.mktemp("shipped")
    bundle, clips = write_tiny_bundle(place / "tiny", "tiny"), write_noises(place)
    shutil.rmtree(bundle / "pytorch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEUR_CACHE", str(place / "cache"))
        [measured] = measure_here([bundle], clips, warm_up=0, samples=1)
    return bundle, clips, measured


def test_sizes_tell_the_device_from_the_whole_bundle(shipped: Shipped) -> None:
    bundle, _, measured = shipped
    there = sum(file.stat().st_size for file in bundle.iterdir())
    assert measured.device_bytes == there
    assert measured.bundle_bytes == there + 1000


@pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux only")
def test_memory_grows_by_stage_and_stays_within_what_a_small_device_has(shipped: Shipped) -> None:
    measured = shipped[2]
    assert list(measured.memory) == list(STAGES)
    peaks = [measured.memory[stage].peak_bytes or 0 for stage in STAGES]
    assert peaks == sorted(peaks)
    assert 20 * MEBIBYTE < peaks[0] < 60 * MEBIBYTE
    assert measured.peak_bytes == peaks[-1] < 120 * MEBIBYTE
    for stage in STAGES:
        assert 0 < (measured.memory[stage].pss_bytes or 0) <= (measured.peak_bytes or 0)
        assert measured.memory[stage].swap_bytes is not None


def test_the_environment_is_recorded(shipped: Shipped) -> None:
    environment = shipped[2].environment
    assert environment["numpy"] == np.__version__
    assert environment["cores"] == os.cpu_count()
    assert environment["cpu"]
    assert environment["emulation"] == []
    assert {"python", "onnxruntime", "architecture", "load_average", "governor"} <= set(environment)


def test_clips_without_a_file_are_heard_alike(shipped: Shipped) -> None:
    bundle, clips, filed = shipped
    in_memory = tuple(replace(clip, audio=clip.samples) for clip in clips)
    [held] = measure_here([bundle], in_memory, warm_up=0, samples=1)
    assert held.transcripts == filed.transcripts  # names, references and texts


def test_bad_bundles_are_recorded_and_the_rest_goes_on(
    bundle: Path, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    cut = shutil.copytree(bundle, tmp_path / "cut")
    (cut / "model.onnx").write_bytes(b"short")
    garbled = shutil.copytree(bundle, tmp_path / "garbled")
    graph = (garbled / "model.onnx").read_bytes()
    (garbled / "model.onnx").write_bytes(graph.replace(b"Conv", b"Cony"))
    steps: list[Step] = []
    measured = measure_here(
        [tmp_path / "none", cut, garbled, bundle],
        clips,
        warm_up=0,
        samples=1,
        progress=steps.append,
    )
    missing, short, zeros, fine = (measurement.error for measurement in measured)
    assert "is not a bundle" in str(missing)
    assert "model.onnx" in str(short)
    assert "onnxruntime cannot open" in str(zeros)
    assert fine is None
    assert [measurement.name for measurement in measured] == [
        "none",
        "cut",
        "tiny-magnitude-70",
        "tiny-magnitude-70",
    ]
    stages = [[step.stage for step in steps if step.index == index] for index in range(4)]
    assert stages == [["started", "failed"]] * 3 + [["started", "measured"]]
    assert [m.reason for m in measured] == ["input", "input", "input", None]


def test_a_missing_clip_is_one_sentence(bundle: Path) -> None:
    gone = Clip("gone.flac", "", bundle / "gone.flac")
    [measured] = measure_here([bundle], [gone], warm_up=0, samples=1)
    assert str(bundle / "gone.flac") in str(measured.error)
    assert measured.variant is not None  # what failed is still named in the table


def test_a_killed_case_is_recorded_and_the_next_one_measured(
    bundle: Path, clips: tuple[Clip, ...]
) -> None:
    def kill_the_first(step: Step) -> None:
        if step.index == 0 and step.pid:
            os.kill(step.pid, signal.SIGKILL)

    killed, fine = measure_here(
        [bundle, bundle], clips, warm_up=0, samples=1, progress=kill_the_first
    )
    assert "SIGKILL" in str(killed.error)
    assert fine.error is None


def test_a_crash_names_its_signal(bundle: Path, clips: tuple[Clip, ...]) -> None:
    def crash(step: Step) -> None:
        if step.pid:
            os.kill(step.pid, signal.SIGSEGV)

    [crashed] = measure_here([bundle], clips, warm_up=0, samples=1, progress=crash)
    assert "Crashed with SIGSEGV" in str(crashed.error)


def test_a_case_that_takes_too_long_is_stopped(bundle: Path, clips: tuple[Clip, ...]) -> None:
    pids: list[int] = []
    [late] = measure_here(
        [bundle],
        clips,
        timeout=0.05,  # Python alone takes longer to start
        progress=lambda step: pids.append(step.pid or 0),
    )
    assert "Took longer than 0.05 s" in str(late.error)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_an_interruption_leaves_no_process_behind(bundle: Path, clips: tuple[Clip, ...]) -> None:
    pids: list[int] = []

    def interrupt(step: Step) -> None:
        pids.append(step.pid or 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_here([bundle], clips, progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_place_where_no_job_can_be_is_told(
    bundle: Path, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    place = tmp_path / ".measuring"
    place.write_text("mine")
    with pytest.raises(BadInput, match=r"\.measuring cannot hold a job \(.*move away what is"):
        measure_here([bundle], clips, folder=place)
    assert place.read_text() == "mine"
