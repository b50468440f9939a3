"""Whole cases in real processes: what is measured, and that one bad case never ends the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.agent.measurement import STAGES
from bench.local import Step, measure_here
from speech.corpora.corpus import Clip

MEBIBYTE = 2**20


def ask_agent(case: object, folder: Path) -> tuple[int, dict[str, object]]:
    file = folder / "case.json"
    file.write_text(json.dumps(case))
    finished = subprocess.run(
        [sys.executable, "-m", "bench.agent", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stdout.count("\n") == 1
    return finished.returncode, json.loads(finished.stdout)


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
    assert set(measured.phase_medians) == {"features", "encode"}
    assert measured.latency is not None
    assert (measured.latency.count, measured.latency.p90) == (6, None)
    assert measured.audio_seconds == pytest.approx(3.0)
    assert measured.real_time_factor is not None
    assert [heard.reference for heard in measured.transcripts] == ["turn on the light"] * 2
    assert all(set(heard.text) <= set("ab ") for heard in measured.transcripts)
    for seconds in (measured.import_seconds, measured.load_seconds, measured.first_seconds):
        assert seconds is not None
        assert seconds > 0


def test_sizes_tell_the_device_from_the_whole_bundle(bundle: Path, clips: tuple[Clip, ...]) -> None:
    shutil.rmtree(bundle / "pytorch")  # as on a device
    [measured] = measure_here([bundle], clips, warm_up=0, samples=1)
    there = sum(file.stat().st_size for file in bundle.iterdir())
    assert measured.device_bytes == there
    assert measured.bundle_bytes == there + 1000


@pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux only")
def test_memory_grows_by_stage_and_stays_within_what_a_small_device_has(
    bundle: Path, clips: tuple[Clip, ...]
) -> None:
    [measured] = measure_here([bundle], clips, warm_up=0, samples=1)
    assert list(measured.memory) == list(STAGES)
    peaks = [measured.memory[stage].peak_bytes or 0 for stage in STAGES]
    assert peaks == sorted(peaks)
    assert 20 * MEBIBYTE < peaks[0] < 60 * MEBIBYTE
    assert measured.peak_bytes == peaks[-1] < 120 * MEBIBYTE
    for stage in STAGES:
        assert 0 < (measured.memory[stage].pss_bytes or 0) <= (measured.peak_bytes or 0)


def test_the_environment_is_recorded(bundle: Path, clips: tuple[Clip, ...]) -> None:
    [measured] = measure_here([bundle], clips, warm_up=0, samples=1)
    environment = measured.environment
    assert environment["numpy"] == np.__version__
    assert environment["cores"] == os.cpu_count()
    assert environment["cpu"]
    assert {"python", "onnxruntime", "architecture", "load_average", "governor"} <= set(environment)


def test_clips_without_a_file_are_heard_alike(bundle: Path, clips: tuple[Clip, ...]) -> None:
    in_memory = tuple(replace(clip, audio=clip.samples) for clip in clips)
    [filed] = measure_here([bundle], clips, warm_up=0, samples=1)
    [held] = measure_here([bundle], in_memory, warm_up=0, samples=1)
    assert [heard.text for heard in held.transcripts] == [heard.text for heard in filed.transcripts]


def test_bad_bundles_are_recorded_and_the_rest_goes_on(
    bundle: Path, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    cut = shutil.copytree(bundle, tmp_path / "cut")
    (cut / "model.onnx").write_bytes(b"short")
    garbled = shutil.copytree(bundle, tmp_path / "garbled")
    (garbled / "model.onnx").write_bytes(bytes((garbled / "model.onnx").stat().st_size))
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
    assert [step.stage for step in steps] == ["started", "failed"] * 3 + ["started", "measured"]
    assert [step.index for step in steps] == [0, 0, 1, 1, 2, 2, 3, 3]


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
        samples=10_000_000,
        timeout=0.3,
        progress=lambda step: pids.append(step.pid or 0),
    )
    assert "Took longer than 0.3 s" in str(late.error)
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


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        ([], "must be a JSON object"),
        ({"bundle": "b", "clips": [], "threads": 1}, "'clips' must be a list with at least one"),
        ({"bundle": "b", "clips": [{"text": "x"}]}, "each clip needs a 'path'"),
        ({"bundle": 1, "clips": []}, "'bundle' must be"),
        ({"bundle": "b", "clips": [{"path": "c"}], "samples": 0}, "'samples' must be a whole"),
        ({"bundle": "b", "clips": [{"path": "c"}], "threads": True}, "'threads' must be a whole"),
        ({"bundle": "b", "smaples": 3}, "unknown key 'smaples'"),
    ],
)
def test_a_bad_case_is_exit_2_and_one_line(case: object, complaint: str, tmp_path: Path) -> None:
    code, answer = ask_agent(case, tmp_path)
    assert code == 2
    assert complaint in str(answer["error"])


def test_a_fault_of_our_own_is_exit_1_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.agent import __main__ as agent

    file = tmp_path / "case.json"
    file.write_text(json.dumps({"bundle": "b", "clips": [{"path": "c"}]}))

    def broken(case: object) -> None:
        raise MemoryError("too much")

    monkeypatch.setattr(agent, "measure", broken)
    code, answer = agent._answer([str(file)])
    assert code == 1
    assert json.loads(answer) == {"error": "MemoryError: too much"}
