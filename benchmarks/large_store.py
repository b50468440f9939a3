"""`python -m benchmarks.large_store`: what a store of 200,000 measurements costs those who read it.

The store has BUNDLES variants of four models, each measured on DEVICES devices, some of them twice,
with samples, transcripts and manifests as `secateur bench` leaves them. Every command runs in a
process of its own; printed are its seconds, those of a processor, and its peak resident memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.agent.latency import Latency
from bench.agent.measurement import Conditions, Heard, Measurement, Sample, Start, Variant
from bench.agent.memory import MemoryReading
from bench.store import row_table
from bench.store.connection import no_progress, transaction
from bench.store.store import Store
from runtime.bundle import SCHEMA
from runtime.settings import DEFAULT

MODELS = (
    ("openai/whisper-tiny.en", "whisper"), ("openai/whisper-base.en", "whisper"),
    ("asapp/sew-tiny-100k", "ctc"), ("facebook/wav2vec2-base-960h", "ctc"),
)  # fmt: skip
DECODING = {
    "whisper": {"prefix": [1, 2], "suppress": [], "begin_suppress": [], "end": [3],
                "max_length": 448},
    "ctc": {"blank": 0, "delimiter": "|", "unknown": "<unk>", "lower_case": True,
            "tidy_spaces": True, "min_samples": 400},
}  # fmt: skip
METHODS = ("dense", "mp_global", "obs", "wanda", "iobs", "obs_structured")
PRECISIONS = ("fp32", "int8", "int4")
BOARDS = (
    ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76"), ("Raspberry Pi 4 Model B Rev 1.5",
    "Cortex-A72"), ("Raspberry Pi Zero 2 W Rev 1.0", "Cortex-A53"), ("", "Apple M2"),
)  # fmt: skip
WORDS = "the quick brown fox jumps over a lazy dog while seven wizards mix strong potions"
CASES_OF_A_JOB = 100
CLIPS, SAMPLES, LAYERS = 4, 12, 48


class Variants:
    """The bundles that were measured, by number; every draw is seeded."""

    def __init__(self, seed: int):
        self._seed = seed

    def manifest(self, number: int) -> dict[str, Any]:
        draw = random.Random(f"{self._seed} {number}")
        model, family = MODELS[number % len(MODELS)]
        method = METHODS[number // len(MODELS) % len(METHODS)]
        precision = PRECISIONS[number // (len(MODELS) * len(METHODS)) % len(PRECISIONS)]
        zeros = 0.0 if method == "dense" else draw.randrange(1, 19) / 20
        wer = (0.05 if family == "whisper" else 0.09) + 0.5 * draw.random() * zeros**2
        name = f"{model.split('/')[1]}-{method}-{round(100 * zeros)}-s{number}-{precision}"
        layers = {
            f"model.encoder.layers.{layer // 6}.{part}": zeros
            for layer in range(LAYERS)
            for part in [("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                          "self_attn.out_proj", "fc1", "fc2")[layer % 6]]
        }  # fmt: skip
        roles = ("encoder", "decoder") if family == "whisper" else ("model",)
        graphs = {role: f"onnx/{role}.onnx" for role in roles}
        recipe = {
            "name": f"study-{number // 2000}", "models": [name for name, _ in MODELS],
            "prune": {"methods": list(METHODS), "sparsities": [n / 20 for n in range(20)]},
            "corpus": {"evaluate": "librispeech:test-clean", "limit": 200},
        }  # fmt: skip
        return {
            "schema": SCHEMA, "name": name, "family": family, "architecture": family,
            "method": method, "precision": precision,
            "sparsity": {"requested": zeros, "achieved": zeros, "model": 0.8 * zeros,
                         "layers": layers},
            "score": {"wer": wer, "wer_low": 0.9 * wer, "wer_high": 1.12 * wer, "cer": wer / 2.5,
                      "substitutions": 90, "insertions": 9, "deletions": 14, "clips": 200,
                      "words": 4100, "normalizer": "english",
                      "corpus": "librispeech:test-clean"},
            "provenance": {"model": model, "seed": number, "recipe": recipe,
                           "corpus": "librispeech:test-clean", "fingerprint": f"{number:064x}",
                           "versions": {"torch": "2.13.0", "transformers": "5.23.0"}},
            "features": {"sampling_rate": 16000, "feature_size": 80, "n_fft": 400},
            "decoding": DECODING[family],
            "graphs": graphs,
            "weights": {}, "tokenizer": "tokenizer.json",
            "files": [{"path": path, "size": 10**6, "sha256": f"{number:064x}"}
                      for path in (*graphs.values(), "tokenizer.json")],
        }  # fmt: skip

    def measured(self, number: int, manifest: dict[str, Any], sha256: str) -> dict[str, Any]:
        """What all of its measurements share, as JSON has it."""
        draw = random.Random(f"{self._seed} {number} measured")
        name, shares = manifest["name"], manifest["sparsity"]
        clips = [(f"{61 + clip}-70968-{clip:04}.flac", 2.0 + clip) for clip in range(CLIPS)]
        said = [" ".join(random.Random(clip).choices(WORDS.split(), k=9)) for clip, _ in clips]
        found = Measurement(
            bundle=f"/home/pi/.local/share/secateur/bundles/{name}",
            name=name,
            measured_at="",
            threads=1 + manifest["provenance"]["seed"] % 2,
            bundle_sha256=sha256,
            variant=Variant(
                name, manifest["family"], manifest["method"], shares["requested"],
                shares["achieved"], shares["model"], manifest["score"],
            ),
            warm_up=3,
            import_seconds=0.4,
            load_seconds=0.3,
            first_seconds=0.5,
            samples=tuple(
                Sample(clip, 1.0, seconds, {"features": 0.1, "encode": 0.5, "decode": 0.4}, 12,
                       at // CLIPS, 0.0)
                for at in range(SAMPLES) for clip, seconds in [clips[at % CLIPS]]
            ),
            phase_medians={"features": 0.1, "encode": 0.5, "decode": 0.4},
            audio_seconds=sum(seconds for _, seconds in clips),
            transcripts=tuple(
                Heard(clip, text, text) for (clip, _), text in zip(clips, said, strict=True)
            ),
            device_bytes=draw.randrange(10, 150) * 2**20,
            bundle_bytes=160 * 2**20,
            settings={**DEFAULT.to_json(), "threads": 1 + manifest["provenance"]["seed"] % 2},
            verdicts=("VALID",) if draw.random() < 0.9 else ("NOISY",),
            turns=3,
            starts=tuple(Start(turn, 0.4, 0.3, 0.5) for turn in range(3)),
            tokens_per_second=30.0,
            conditions=Conditions(45.0, 61.5, 1500.0, 2400.0, 0.7, 900, "ondemand", True, False),
            queued_share=0.001,
            score={**manifest["score"], "clips": CLIPS, "words": 9 * CLIPS},
            corpus=manifest["score"]["corpus"],
        )  # fmt: skip
        return asdict(found.with_clips())


def write_store(path: Path, *, bundles: int = 20_000, devices: int = 10, seed: int = 0) -> None:
    """A new store with bundles × devices cases.

    Each job measures two bundles of the one before it anew.
    """
    with Store.at(path) as store:
        sql = store._sql
        sql.execute("PRAGMA synchronous = OFF")
        with transaction(sql):
            sql.executemany(
                "INSERT INTO devices VALUES (?, ?)",
                ((1 + number, f"device-{number}") for number in range(devices)),
            )
            variants = Variants(seed)
            for start in range(0, bundles, CASES_OF_A_JOB):
                numbers = range(start, min(start + CASES_OF_A_JOB, bundles))
                _write_part(sql, variants, numbers, devices)
            row_table.make_anew(sql, no_progress)


def _write_part(sql: Any, variants: Variants, numbers: Sequence[int], devices: int) -> None:
    """The bundles of one job, and that job on each device."""
    shared = []
    for number in numbers:
        is_anew = number % CASES_OF_A_JOB < 2 and number >= CASES_OF_A_JOB
        manifest = variants.manifest(number - CASES_OF_A_JOB // 2 if is_anew else number)
        text = json.dumps(manifest)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        sql.execute("INSERT OR IGNORE INTO bundles VALUES (?, ?)", (sha256, text))
        shared.append(variants.measured(number, manifest, sha256))
    part = numbers[0] // CASES_OF_A_JOB
    for device in range(devices):
        job = 1 + part * devices + device
        name = f"2026-{1 + part % 12:02}-{job}"
        sql.execute("INSERT INTO jobs (id, device, name) VALUES (?, ?, ?)", (job, 1 + device, name))
        _write_cases(sql, job, name, device, zip(numbers, shared, strict=True))


def _write_cases(
    sql: Any, job: int, name: str, device: int, shared: Iterator[tuple[int, dict[str, Any]]]
) -> None:
    cases, samples, transcripts = [], [], []
    for place, (number, common) in enumerate(shared):
        case = (job - 1) * CASES_OF_A_JOB + place + 1
        found = _on_device(common, device, job, number, name)
        text = json.dumps(found, ensure_ascii=False)
        about = (found["case"], found["bundle_sha256"], found["measured_at"])
        cases.append((case, job, place, *about, text))
        samples += [
            (case, at, one["turn"], one["clip"], one["seconds"], one["audio_seconds"],
             one["tokens"], json.dumps(one["phases"]))
            for at, one in enumerate(found["samples"])
        ]  # fmt: skip
        transcripts += [
            (case, at, one["clip"], one["reference"], one["text"])
            for at, one in enumerate(found["transcripts"])
        ]
    sql.executemany("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?)", cases)
    sql.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?)", samples)
    sql.executemany("INSERT INTO transcripts VALUES (?, ?, ?, ?, ?)", transcripts)


def _on_device(
    common: dict[str, Any], device: int, job: int, number: int, name: str
) -> dict[str, Any]:
    draw = random.Random(number * 1000 + device)
    model, cpu = BOARDS[device % len(BOARDS)]
    middle = round((0.3 + 0.2 * device) * draw.uniform(0.5, 1.5), 6)
    times = [round(middle * draw.uniform(0.97, 1.03), 6) for _ in common["samples"]]
    environment = {
        "python": "3.11.2", "onnxruntime": "1.31.0", "numpy": "2.3.0", "system": "Linux 6.6.20",
        "model": model, "cpu": cpu, "cores": 4, "core_kinds": [], "architecture": "aarch64",
        "instruction_sets": ["neon", "dotprod"], "memory_mb": 8000, "page_kb": 16,
        "load_average": [round(draw.random(), 2)] * 3, "governor": "ondemand", "emulation": [],
        "device": f"device-{device}",
    }  # fmt: skip
    return {
        **common,
        "measured_at": f"2026-{1 + job % 12:02}-{1 + job % 28:02}T12:00:{number % 60:02}+00:00",
        "samples": [
            {**one, "seconds": seconds}
            for one, seconds in zip(common["samples"], times, strict=True)
        ],
        "latency": asdict(Latency(
            len(times), middle, middle, 0.01 * middle, None, None, None, 0.98 * middle,
            1.02 * middle,
        )),
        "real_time_factor": middle / 3.5,
        "memory": {"at_end": asdict(MemoryReading(draw.randrange(90, 900) * 2**20, None))},
        "environment": environment,
        "case": f"{common['name']}/t{common['threads']}",
        "job": name,
    }  # fmt: skip


#: What is measured; STORE and PAGE stand for files.
COMMANDS = {
    "results": "results STORE",
    "results, one device and method": "results STORE --device device-1 --method obs",
    "results --json": "results STORE --json",
    "results --csv": "results STORE --csv",
    "report": "report STORE -o PAGE",
    "plot": "plot STORE --device device-1 --model whisper-tiny.en --json",
}
_APP = """
import asyncio, sys
from pathlib import Path
from tui.app import SecateurApp
from tui.opening import source_of

async def main():
    app = SecateurApp(source_of(Path(sys.argv[1])))
    async with app.run_test(size=(120, 40)):
        while not app.explore.view.records:
            await asyncio.sleep(0.002)

asyncio.run(main())
"""


@dataclass(frozen=True)
class Cost:
    """Of a process, to its end."""

    seconds: float
    processor_seconds: float
    peak_mib: float
    code: int


def run(words: Sequence[str], limit: float) -> Cost:
    """What lasts longer than `limit` seconds is ended."""
    begun = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            if time.perf_counter() - begun > limit:
                process.kill()
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
    scale = 2**20 if sys.platform == "darwin" else 2**10
    spent = usage.ru_utime + usage.ru_stime
    seconds = time.perf_counter() - begun
    return Cost(seconds, spent, usage.ru_maxrss / scale, process.returncode)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundles", type=int, default=20_000)
    options.add_argument("--devices", type=int, default=10)
    options.add_argument("--store", type=Path, help="made if it is not there, and kept")
    options.add_argument("--only", help="commands whose name begins like this")
    options.add_argument("--limit", type=float, default=300.0, help="seconds for each command")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "results.sqlite"
        if not store.exists():
            begun = time.perf_counter()
            write_store(store, bundles=chosen.bundles, devices=chosen.devices)
            size = store.stat().st_size / 2**20
            print(f"{size:.0f} MiB of store, made in {time.perf_counter() - begun:.0f} s")
        places = {"STORE": str(store), "PAGE": str(Path(folder) / "report.html")}
        commands = {
            name: ["-m", "pipeline", *(places.get(word, word) for word in line.split())]
            for name, line in COMMANDS.items()
        }
        commands["app, first results shown"] = ["-c", _APP, str(store)]
        for name, words in commands.items():
            if name.startswith(chosen.only or ""):
                cost = run([sys.executable, *words], chosen.limit)
                print(
                    f"{name:<34} {cost.seconds:8.1f} s {cost.processor_seconds:8.1f} s "
                    f"{cost.peak_mib:8.0f} MiB"
                    + (f"   exit code {cost.code}" if cost.code else ""),
                    flush=True,
                )


if __name__ == "__main__":
    main()
