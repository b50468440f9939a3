"""A process of its own, `KIND SUBTYPE FIRST COUNT`: damaged sound gives samples or BadInput.

libsndfile is C: what it does with such a file may end the process that reads it.
"""

import faulthandler
import resource
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from speech.audio import RATE, decode_audio, read_audio
from speech.errors import BadInput
from tests.mutations import Rng, scrambled

#: Bytes that all cases together may take.
MEMORY = 400 << 20

#: What a header may claim: nothing, one, the largest, negative and just large numbers.
CLAIMS = (0, 1, -1, 2**7, 2**15 - 1, 2**16, 10**9, 2**31 - 1, 2**31, 2**60, 2**63 - 1, -(2**63))

#: What cannot have two channels.
MONO = {"GSM610", "G721_32", "PCM_S8", "DPCM_16", "SDS"}


def written(kind: str, subtype: str) -> bytes:
    """Half a second, with a title where the format has one."""
    file, channels = BytesIO(), 1 if MONO & {kind, subtype} else 2
    noise = np.random.default_rng(0).normal(0, 0.1, (RATE // 2, channels))
    with soundfile.SoundFile(file, "w", RATE, channels, subtype, format=kind) as sound:
        if kind in ("WAV", "AIFF", "CAF", "FLAC", "OGG", "MP3"):
            sound.title = "a title"
        sound.write(noise)
    return file.getvalue()


def with_claims(data: bytes, rng: Rng) -> bytes:
    """Some fields of the header hold other numbers."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        width, order = int(rng.choice([1, 2, 4, 8])), "big" if rng.integers(2) else "little"
        place = int(rng.integers(0, 160)) // min(width, 2) * min(width, 2)
        claim = CLAIMS[rng.integers(len(CLAIMS))] % 256**width
        damaged[place : place + width] = claim.to_bytes(width, order)
    return bytes(damaged)


def main(kind: str, subtype: str, first: int, count: int, folder: Path) -> None:
    data = written(kind, subtype)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    answers = {"samples": 0, "refused": 0}
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        damaged = data if rng.integers(3) == 0 else scrambled(data, rng)
        if damaged is data or rng.integers(3) == 0:
            damaged = with_claims(damaged, rng)
        try:
            if seed % 2:
                samples = decode_audio(damaged, "memo")
            else:
                (folder / "memo").write_bytes(damaged)
                samples = read_audio(folder / "memo")
            assert samples.dtype == np.float32 and samples.ndim == 1, seed
            assert np.isfinite(samples).all(), seed
            answers["samples"] += 1
        except BadInput as refused:
            assert "memo " in str(refused) and "\n" not in str(refused), (seed, refused)
            answers["refused"] += 1
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)
            raise
    print(answers["samples"], answers["refused"])


if __name__ == "__main__":
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as place:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(place))
