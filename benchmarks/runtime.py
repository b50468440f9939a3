"""`make bench-peers`: our runtime beside other programs, end to end, one thread, in one run.

Random weights in whisper-tiny's shape, a clip that fills the window of 30 s, exactly 32 tokens
decoded of it by everyone. Each contender is a process of its own; in every round each listens once,
in an order drawn anew, so that what else the machine does falls on all alike. Figures are medians,
ratios medians over rounds. Peers live in an environment of their own and are said by name where
they are missing.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.busy_memory import busy_memory
from benchmarks.peers import PEERS
from speech.audio import RATE, Floats
from speech.corpora import open_corpus

TOKENS = 32
SECONDS = 30
PRECISIONS = ("fp32", "int8", "mixed")
SIZES = ("dense", "half")

#: What our bundles are held to: which, rivals of which the fastest counts, the most of its time.
TARGETS = tuple(
    (f"{size} {precision}", rivals, most)
    for precision in ("int8", "mixed")
    for size, rivals, most in (
        ("dense", ("faster-whisper", "CTranslate2"), 0.60),
        ("dense", ("whisper.cpp",), 0.35),
        ("dense", ("optimum",), 0.55),
        ("half", ("faster-whisper", "CTranslate2"), 0.35),
    )
)


class UnmeasuredError(Exception):
    """Why a contender has no figures."""


@dataclass
class Contender:
    """A process that listens when it is told to."""

    name: str
    process: "subprocess.Popen[str]"
    import_bytes: int = 0
    peak_bytes: int = 0
    seconds: list[float] = field(default_factory=list)

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise UnmeasuredError(f"its process ended with code {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def listen(self) -> float:
        assert self.process.stdin
        print("listen", file=self.process.stdin, flush=True)
        heard = self.answer()
        if heard["tokens"] != TOKENS:
            raise UnmeasuredError(f"it decoded {heard['tokens']} tokens and not {TOKENS}")
        return float(heard["seconds"])

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.peak_bytes = self.answer()["peak_bytes"]
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--models", type=Path, help="Keep the models here, and use those that are.")
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers/bin/python"))
    parser.add_argument("--busy", action="store_true", help="While a program copies memory.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = args.models or Path(temporary)
        missing: dict[str, str] = {}
        commands = _made(place, args.peers, missing)
        contenders = _started(commands, missing)
        with busy_memory() if args.busy else nullcontext():
            _rounds(contenders, args.warm_up, args.rounds, random.Random(args.seed), missing)
    found = {name: one for name, one in contenders.items() if name not in missing}
    print(json.dumps(_record(found, missing))) if args.json else _show(found, missing)


def _made(place: Path, python: Path, missing: dict[str, str]) -> dict[str, list[str]]:
    """How to start each contender whose model could be made."""
    clip = place / "clip.npy"
    if not (place / "done").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.runtime_models", str(place)], check=True)
        np.save(clip, _clip())
        (place / "done").touch()
    ours = [sys.executable, "-m", "benchmarks.contender"]
    commands = {
        f"{size} {precision}": [*ours, str(place / f"{size}-{precision}"), str(clip)]
        for size in SIZES
        for precision in PRECISIONS
    }
    commands["dense int8, no arena"] = [*commands["dense int8"], "--no-arena"]
    for name, entry in PEERS.items():
        theirs = [str(python), "-m", "benchmarks.peers"]
        if not python.exists():
            missing[name] = f"{python} does not exist (make bench-peers sets it up)"
        elif why := _converted([*theirs, "make", name, str(place / "checkpoint")], place / name):
            missing[name] = f"{entry.package} could not convert the model: {why}"
        else:
            run = ["run", name, str(place / name), str(clip), str(TOKENS)]
            commands[name] = [*theirs, *run]
    return commands


def _clip() -> Floats:
    """Demo clips one after another, as long as the window."""
    clips = open_corpus("demo:calibration").clips[: 2 * SECONDS]
    samples: Floats = np.concatenate([clip.samples() for clip in clips])[: SECONDS * RATE]
    assert len(samples) == SECONDS * RATE
    return samples


def _converted(command: list[str], folder: Path) -> str | None:
    """Why a peer could not, if it could not; what was converted once stays."""
    done = folder.parent / f"{folder.name}.done"
    if done.exists():
        return None
    run = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, env=_environment()
    )
    if run.returncode:
        return (run.stderr.strip().splitlines() or ["it does not say why"])[-1]
    done.touch()
    return None


def _environment() -> Mapping[str, str]:
    """One thread for every library that can have more, and no network."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    settings = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    return {**os.environ, **dict.fromkeys(threads, "1"), **settings}


def _started(commands: Mapping[str, list[str]], missing: dict[str, str]) -> dict[str, Contender]:
    """All of them, loaded and waiting."""
    started = {}
    for name, command in commands.items():
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(),
        )
        one = started[name] = Contender(name, process)
        try:
            one.import_bytes = one.answer()["import_bytes"]
        except UnmeasuredError as why:
            missing[name] = str(why)
    return started


def _rounds(
    contenders: Mapping[str, Contender],
    warm_up: int,
    rounds: int,
    chance: random.Random,
    missing: dict[str, str],
) -> None:
    for number in range(warm_up + rounds):
        order = [name for name in contenders if name not in missing]
        for name in chance.sample(order, len(order)):
            try:
                seconds = contenders[name].listen()
            except UnmeasuredError as why:
                missing[name] = str(why)
                continue
            if number >= warm_up:
                contenders[name].seconds.append(seconds)
    for name, one in contenders.items():
        if name not in missing:
            one.end()
        else:
            one.process.kill()


def _ratio(one: Contender, other: Contender) -> float:
    return statistics.median(a / b for a, b in zip(one.seconds, other.seconds, strict=True))


def _kept(found: Mapping[str, Contender]) -> list[dict[str, Any]]:
    """Each target: what it is of, the ratio to the fastest rival there is, and the most allowed."""
    rows = []
    for name, rivals, most in TARGETS:
        there = [found[rival] for rival in rivals if rival in found]
        if name not in found or not there:
            continue
        rival = min(there, key=lambda one: statistics.median(one.seconds))
        ratio = _ratio(found[name], rival)
        rows.append({"of": name, "to": rival.name, "ratio": ratio, "at_most": most})
    return rows


def _record(found: Mapping[str, Contender], missing: Mapping[str, str]) -> dict[str, Any]:
    contenders = {
        name: {
            "median_seconds": statistics.median(one.seconds),
            "seconds": one.seconds,
            "import_bytes": one.import_bytes,
            "peak_bytes": one.peak_bytes,
        }
        for name, one in found.items()
    }
    return {"contenders": contenders, "targets": _kept(found), "missing": dict(missing)}


def _show(found: Mapping[str, Contender], missing: Mapping[str, str]) -> None:
    base = found.get("dense fp32")
    print("| | ms | to dense fp32 | peak MB | MB after import |\n|---|---:|---:|---:|---:|")
    for name, one in found.items():
        precision = f" {PEERS[name].precision}" if name in PEERS else ""
        ratio = f"{_ratio(one, base):.2f}" if base else ""
        print(
            f"| {name}{precision} | {1000 * statistics.median(one.seconds):.0f} | {ratio} "
            f"| {one.peak_bytes / 1e6:.0f} | {one.import_bytes / 1e6:.0f} |"
        )
    print()
    for row in _kept(found):
        print(f"{row['of']} / {row['to']}: {row['ratio']:.2f} (at most {row['at_most']:.2f})")
    for name, why in missing.items():
        print(f"{name} was not measured: {why}")


if __name__ == "__main__":
    main()
