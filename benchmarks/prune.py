"""`python -m benchmarks.prune tiny --clips 128` and `… small --clips 4`: obs at real shapes.

Random weights in the shape of whisper-tiny or -small hear the demo's speech, joined to clips of
10 s in windows of 30 s, as the real ones would. Says where the time goes, what the memory peaks
at, and how one sweep compares with the published SparseGPT loop on the same Hessians.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch

from benchmarks.joined import SECONDS, joined
from benchmarks.shapes import random_checkpoint
from benchmarks.sparsegpt_loop import published_loop
from prune import solve as solving
from prune.checkpoint import Checkpoint
from prune.methods import METHODS
from prune.oneshot import cut_once
from prune.options import Options
from prune.reconstruct import damped, sweep
from prune.solve import Solver
from prune.statistics import Collector
from prune.walk import walk

SPARSITY = 0.5


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent[what] = self.spent.get(what, 0.0) + time.perf_counter() - began

    def timed(self, what: str, function: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            with self.on(what):
                return function(*args, **kwargs)

        return run


def obs(checkpoint: Checkpoint, clips: int, *, quick: bool) -> Clock:
    """Cut to 50 %, and where the time went."""
    clock = Clock()
    solving.refit = clock.timed("refit", solving.refit)  # type: ignore[assignment]
    Solver.solve = clock.timed("solve and refit", Solver.solve)  # type: ignore[assignment]
    Solver.solve_quickly = clock.timed(  # type: ignore[assignment]
        "solve and refit", Solver.solve_quickly
    )
    with clock.on("all"):
        cut_once(checkpoint, METHODS["obs"], SPARSITY, joined(clips), Options(quick=quick))
    return clock


def against_the_loop(checkpoint: Checkpoint, rounds: int) -> None:
    """One sweep and the loop on the first decoder block's Hessians, interleaved."""
    found: dict[str, torch.Tensor] = {}

    class EnoughError(Exception):
        pass

    def look(names: list[str], collector: Collector) -> None:
        if any(".fc2" in name for name in names):
            found.update(collector.hessians())
            raise EnoughError

    with suppress(EnoughError):
        walk(checkpoint, joined(2), look)
    for part in ("self_attn.q_proj", "fc1", "fc2"):
        name = next(name for name in found if name.endswith(part))
        weight = checkpoint.model.get_submodule(name).weight.detach()
        zeros = round(SPARSITY * weight.numel())
        pairs = []
        for _ in range(rounds):
            clock = Clock()
            with clock.on("ours"):
                sweep(weight, damped(found[name], name), zeros)
            with clock.on("loop"):
                published_loop(weight, found[name], SPARSITY)
            pairs.append((clock.spent["ours"], clock.spent["loop"]))
        ours, loop = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        shape = "x".join(map(str, weight.shape))
        print(
            f"  sweep {part:17} {shape:>9}  {ours:6.2f} s, loop {loop:6.2f} s   ratio {ratio:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=("tiny", "base", "small"))
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--quick", action="store_true", help="One sweep in place of the search.")
    parser.add_argument("--rounds", type=int, default=5, help="Of the comparison with the loop.")
    args = parser.parse_args()
    checkpoint = random_checkpoint(f"whisper-{args.shape}")
    weights = 4 * sum(p.numel() for p in checkpoint.model.parameters()) / 1e6
    print(f"whisper-{args.shape} shape, obs at {SPARSITY:.0%}, {args.clips} clips of {SECONDS} s, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    if args.rounds:
        against_the_loop(checkpoint, args.rounds)
    spent = obs(checkpoint, args.clips, quick=args.quick).spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"  statistics        {spent['all'] - spent['solve and refit']:7.1f} s")
    print(f"  solve             {spent['solve and refit'] - spent['refit']:7.1f} s")
    print(f"  refit             {spent['refit']:7.1f} s")
    print(f"  in all            {spent['all']:7.1f} s")
    print(f"  peak memory       {peak:7.0f} MB, weights {weights:.0f} MB; "
          f"allowed {1.5 * weights + 1000:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
