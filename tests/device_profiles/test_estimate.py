"""The guess: exact where the world is as simple as it assumes, and honest about its error."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.estimate import Calibration, Run, Work, calibrate, estimate, least_seconds
from device_profiles.profiles import Peaks, load_profiles

PEAKS = Peaks(fp32_gops=10.0, int8_gops=40.0, bandwidth_gb=5.0)
WORKS = [
    Work({"fp32": 2e9}, 1e8),
    Work({"fp32": 1e8}, 4e8),
    Work({"int8": 3e9, "fp32": 1e8}, 2e7),
    Work({"int8": 1e8}, 6e8),
    Work({"fp32": 5e8, "int8": 5e8}, 2e8),
]


def runs(compute: float, memory: float, noise: float = 0.0, seed: int = 0) -> list[Run]:
    drawn = random.Random(seed)
    truth = Calibration(compute, memory)
    return [
        Run(work, threads, estimate(work, PEAKS, threads=threads, calibration=truth)
            * math.exp(drawn.gauss(0, noise)), str(n))
        for n, work in enumerate(WORKS)
        for threads in (1, 2)
    ]  # fmt: skip


def test_the_least_time_is_that_of_the_data_sheet() -> None:
    work = Work({"fp32": 20e9, "int8": 40e9}, 5e9)
    assert least_seconds(work, PEAKS, 1) == pytest.approx((3.0, 1.0))
    assert least_seconds(work, PEAKS, 2) == pytest.approx((1.5, 1.0))
    assert least_seconds(work + work * 2, PEAKS, 1) == pytest.approx((9.0, 3.0))


@given(st.floats(0.3, 30), st.floats(0.3, 30))
@settings(max_examples=40, deadline=None)
def test_true_multiples_are_found_again(compute: float, memory: float) -> None:
    found = calibrate(runs(compute, memory), PEAKS)
    assert found.runs == 10
    assert found.error == pytest.approx(1, abs=0.02)
    for run in runs(compute, memory):
        guess = estimate(run.work, PEAKS, threads=run.threads, calibration=found)
        assert guess == pytest.approx(run.seconds, rel=0.02)


def test_one_run_gives_one_multiple_and_no_error() -> None:
    work = Work({"fp32": 1e9}, 1e8)
    found = calibrate([Run(work, 1, 3.0, "only")], PEAKS)
    assert (found.runs, found.error) == (1, None)
    assert estimate(work, PEAKS, calibration=found) == pytest.approx(3.0)
    assert estimate(work * 2, PEAKS, calibration=found) == pytest.approx(6.0)


def test_the_error_grows_with_what_cannot_be_foretold() -> None:
    errors = [calibrate(runs(4, 2, noise, seed=1), PEAKS).error or 0 for noise in (0, 0.1, 0.4)]
    assert errors == sorted(errors)
    assert 1.05 < errors[1] < 1.35
    assert errors[2] > 1.3


def test_runs_of_one_model_are_held_out_together() -> None:
    one_model = [replace(run, group="same") for run in runs(3, 3)]
    assert calibrate(one_model, PEAKS).error is None


def test_runs_that_tell_nothing_apart_do_not_break_the_fit() -> None:
    same = [Run(WORKS[0], 1, 2.0 + n / 10, str(n)) for n in range(6)]
    found = calibrate(same, PEAKS)
    assert estimate(WORKS[0], PEAKS, calibration=found) == pytest.approx(2.24, rel=0.02)


def test_shipped_peaks_order_the_devices_as_everybody_knows_them() -> None:
    work = Work({"int8": 1e9}, 1e8)
    names = ("pi-zero-2w", "pi-4b", "pi-5", "m1", "m4")
    guesses = [estimate(work, load_profiles()[name].peaks) for name in names]
    assert guesses == sorted(guesses, reverse=True)
    assert guesses[0] > 10 * guesses[-1]
