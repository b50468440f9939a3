"""How long a device would take that nobody has measured: a guess, and how wrong such guesses are.

The hardware's peaks give the least time that arithmetic and reading weights can take. Real kernels
need a multiple of each; the multiples come from measured runs on that device, where there are any.
Whatever comes from here is to be labelled ESTIMATED.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from device_profiles.profiles import Peaks

#: Multiples of the peaks' times before anything was measured: half to a third of the peak is what
#: good kernels reach.
UNCALIBRATED_COMPUTE, UNCALIBRATED_MEMORY = 2.5, 1.5
#: Runs from which on arithmetic and memory may have a multiple each.
_ENOUGH_FOR_TWO = 4
_STEPS = 50


@dataclass(frozen=True)
class Work:
    """What one transcription does, whatever device it is done on."""

    #: Multiplications and additions, by what they compute in: fp32 or int8.
    operations: Mapping[str, float] = field(default_factory=dict)
    #: Of weights that are read.
    bytes: float = 0.0

    def __add__(self, other: Work) -> Work:
        kinds = dict.fromkeys((*self.operations, *other.operations))
        return Work(
            {kind: self.operations.get(kind, 0) + other.operations.get(kind, 0) for kind in kinds},
            self.bytes + other.bytes,
        )

    def __mul__(self, times: float) -> Work:
        return Work({k: times * n for k, n in self.operations.items()}, times * self.bytes)


@dataclass(frozen=True)
class Run:
    """A measured one. Runs of one `group`, as of one model, are held out together."""

    work: Work
    threads: int
    seconds: float
    group: str = ""


@dataclass(frozen=True)
class Calibration:
    """The multiples, and how far they are off for runs that they were not fitted to.

    `error` is a factor: with 1.3, estimates are typically 30 % too long or short. None: unknown.
    """

    compute: float = UNCALIBRATED_COMPUTE
    memory: float = UNCALIBRATED_MEMORY
    runs: int = 0
    error: float | None = None


def least_seconds(work: Work, peaks: Peaks, threads: int) -> tuple[float, float]:
    """Of arithmetic, and of reading weights, at the peaks; memory is shared by all cores."""
    rates = {"fp32": peaks.fp32_gops, "int8": peaks.int8_gops}
    compute = sum(count / (1e9 * rates[kind]) for kind, count in work.operations.items())
    return compute / max(1, threads), work.bytes / (1e9 * peaks.bandwidth_gb)


def estimate(
    work: Work, peaks: Peaks, *, threads: int = 1, calibration: Calibration | None = None
) -> float:
    """Seconds."""
    multiples = calibration or Calibration()
    compute, memory = least_seconds(work, peaks, threads)
    return multiples.compute * compute + multiples.memory * memory


def calibrate(runs: Sequence[Run], peaks: Peaks) -> Calibration:
    """From runs on that device: one multiple for both, or two if they foretell runs better."""
    if not runs:
        return Calibration()
    one = _fitted(_one_multiple, runs, peaks)
    if len(runs) < _ENOUGH_FOR_TWO:
        return one
    two = _fitted(_two_multiples, runs, peaks)
    return two if (two.error or math.inf) < (one.error or math.inf) else one


_Fit = Callable[[Sequence[Run], Peaks], tuple[float, float]]


def _fitted(fit: _Fit, runs: Sequence[Run], peaks: Peaks) -> Calibration:
    compute, memory = fit(runs, peaks)
    return Calibration(compute, memory, len(runs), _held_out_error(fit, runs, peaks))


def _held_out_error(fit: _Fit, runs: Sequence[Run], peaks: Peaks) -> float | None:
    """Each group is foretold from the others; the root of the mean square, of logarithms."""
    squares = []
    for group in dict.fromkeys(run.group for run in runs):
        others = [run for run in runs if run.group != group]
        if not others:
            return None
        found = Calibration(*fit(others, peaks))
        for run in (run for run in runs if run.group == group):
            guess = estimate(run.work, peaks, threads=run.threads, calibration=found)
            squares.append(math.log(guess / run.seconds) ** 2)
    return math.exp(math.sqrt(sum(squares) / len(squares)))


def _one_multiple(runs: Sequence[Run], peaks: Peaks) -> tuple[float, float]:
    """Of the uncalibrated guess: the one whose logarithms are off by nothing in the mean."""
    logs = [math.log(run.seconds / estimate(run.work, peaks, threads=run.threads)) for run in runs]
    factor = math.exp(sum(logs) / len(logs))
    return factor * UNCALIBRATED_COMPUTE, factor * UNCALIBRATED_MEMORY


def _two_multiples(runs: Sequence[Run], peaks: Peaks) -> tuple[float, float]:
    """Least squares of logarithms, by Newton's steps in the multiples' own logarithms.

    A little weight on the single multiple keeps apart what the runs cannot tell apart.
    """
    start = _one_multiple(runs, peaks)
    times = [least_seconds(run.work, peaks, run.threads) for run in runs]
    u, v = math.log(start[0]), math.log(start[1])
    for _ in range(_STEPS):
        aa = bb = 1e-6
        ab = 0.0
        a = 1e-6 * (math.log(start[0]) - u)
        b = 1e-6 * (math.log(start[1]) - v)
        for run, (compute, memory) in zip(runs, times, strict=True):
            c, m = math.exp(u) * compute, math.exp(v) * memory
            share = c / (c + m)
            missing = math.log(run.seconds / (c + m))
            aa += share**2
            ab += share * (1 - share)
            bb += (1 - share) ** 2
            a += share * missing
            b += (1 - share) * missing
        size = aa * bb - ab * ab
        du, dv = (bb * a - ab * b) / size, (aa * b - ab * a) / size
        longest = max(abs(du), abs(dv), 1.0)  # a step of more than e times overshoots
        u, v = u + du / longest, v + dv / longest
    return math.exp(u), math.exp(v)
