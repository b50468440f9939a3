"""Many speakers out of espeak-ng: accents, voice variants, speeds and pitches."""

import io
import random
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000

ACCENTS = (
    "en-us", "en-us-nyc", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan",
    "en-gb-x-gbcwmd", "en-029",
)  # fmt: skip

#: Heard in training and calibration.
TRAINING_VARIANTS = (
    "f1", "f2", "f4", "m1", "m2", "m3", "m5", "m6", "m7", "Alex", "Alicia", "Andy", "Annie",
    "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Marco", "Mario", "Michael", "Nguyen",
    "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "ed", "edward",
    "grandma", "grandpa", "iven", "iven3", "klatt", "klatt3", "linda", "max", "miguel", "norbert",
    "pablo", "pedro", "quincy", "robert", "sandro", "steph", "steph3", "travis", "zac",
)  # fmt: skip

#: Heard in the test clips only.
TEST_VARIANTS = (
    "f3", "f5", "m4", "m8", "Andrea", "Lee", "Mike", "david", "john", "michel", "paul", "rob",
    "shelby", "victor",
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    accent: str
    variant: str
    words_per_minute: int
    pitch: int

    @property
    def name(self) -> str:
        return f"{self.accent}+{self.variant}"


def random_voice(r: random.Random, variants: tuple[str, ...]) -> Voice:
    return Voice(r.choice(ACCENTS), r.choice(variants), r.randint(150, 215), r.randint(25, 75))


def espeak_missing() -> str | None:
    """The one sentence to show when nothing here can speak, else None."""
    if shutil.which("espeak-ng"):
        return None
    return (
        "espeak-ng is not installed and the demo clips are spoken by it: "
        "install it (Debian: apt-get install espeak-ng, macOS: brew install espeak-ng) "
        "and run `make demo-models` again."
    )


def speak(text: str, voice: Voice) -> NDArray[np.float32]:
    """16 kHz mono samples, silence trimmed at both ends, peak at 0.5."""
    command = ["espeak-ng", "--stdout", "-v", voice.name]
    command += ["-s", str(voice.words_per_minute), "-p", str(voice.pitch), text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(spoken), dtype="float32")
    samples = soxr.resample(samples, rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return (0.5 / np.abs(samples).max() * samples).astype(np.float32)
