"""The spoken material: a pool of dry utterances to train on, and finished clips for `assets/`."""

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import Pool as Processes
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from demo.acoustics import RATE, record
from demo.grammar import sentence
from demo.voices import TEST_VARIANTS, TRAINING_VARIANTS, random_voice, speak

#: The window of demo-whisper; no utterance is longer than this less the margins around it.
WINDOW_SECONDS = 3.0
LONGEST_UTTERANCE = 2.7

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pool:
    """Dry utterances, one after another in a single array of 16-bit samples."""

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def utterance(self, i: int) -> NDArray[np.float32]:
        dry = self.samples[self.starts[i] : self.starts[i + 1]]
        return dry.astype(np.float32) / 32768

    def seconds(self, i: int) -> float:
        return float(self.starts[i + 1] - self.starts[i]) / RATE

    @cached_property
    def _shortest_first(self) -> NDArray[np.intp]:
        return np.argsort(np.diff(self.starts), kind="stable")

    def of_like_length(self, size: int, rng: np.random.Generator) -> list[int]:
        """Random utterances out of the twentieth of the pool around a random length."""
        width = max(size, len(self) // 20)
        first = rng.integers(0, len(self) - width + 1)
        return rng.choice(self._shortest_first[first : first + width], size).tolist()


def _utterance(job: tuple[int, tuple[str, ...]]) -> tuple[NDArray[np.float32], str, str]:
    """A random sentence in a random voice that fits the window (seeded)."""
    seed, variants = job
    r = random.Random(seed)
    while True:
        text, voice = sentence(r), random_voice(r, variants)
        samples = speak(text, voice)
        if len(samples) <= LONGEST_UTTERANCE * RATE:
            return samples, text, voice.name


def build_pool(path: Path, count: int, seed: int, progress: Progress) -> Pool:
    """Speak `count` sentences with the training voices into one file; reuse it when it is there."""
    if not path.exists():
        utterances, texts = [], []
        jobs = [(seed * 1_000_003 + i, TRAINING_VARIANTS) for i in range(count)]
        with Processes() as processes:
            for i, (samples, text, _) in enumerate(processes.imap(_utterance, jobs, 32)):
                utterances.append((samples * 32767).astype(np.int16))
                texts.append(text)
                progress(i + 1, count)
        starts = np.cumsum([0, *map(len, utterances)])
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            np.savez(file, samples=np.concatenate(utterances), starts=starts, texts=texts)
        beside.rename(path)
    arrays = np.load(path)
    return Pool(arrays["samples"], arrays["starts"], arrays["texts"].tolist())


def write_clips(folder: Path, count: int, seed: int, *, unheard: bool) -> None:
    """FLAC clips in the AudioFolder layout (`metadata.jsonl`: file_name, text, voice).

    `unheard` takes the voices that training never hears.
    """
    folder.mkdir(parents=True, exist_ok=True)
    variants = TEST_VARIANTS if unheard else TRAINING_VARIANTS
    lines = []
    for i in range(count):
        job_seed = seed * 1_000_003 + i
        dry, text, voice = _utterance((job_seed, variants))
        clip = record(dry, np.random.default_rng(job_seed))
        name = f"{i:03d}.flac"
        soundfile.write(folder / name, clip, RATE, subtype="PCM_16", compression_level=1.0)
        lines.append(json.dumps({"file_name": name, "text": text, "voice": voice}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")


def main() -> None:
    """`python -m demo.clips FOLDER`: as many more test clips as a fine difference asks for."""
    parser = argparse.ArgumentParser(description=str(main.__doc__))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument(
        "--seed", type=int, default=21, help="That of the bundled test clips is 11."
    )
    args = parser.parse_args()
    write_clips(args.folder, args.count, args.seed, unheard=True)


if __name__ == "__main__":
    main()
