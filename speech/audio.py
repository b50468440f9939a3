"""Sound files in, 16 kHz mono float32 out: the one form of audio everything else works on."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speech.errors import BadInput
from speech.rate import RATE as RATE
from speech.readable import refuse_unreachable
from speech.truncation import cut_short

Floats = NDArray[np.float32]

#: Of floating-point samples. Some programs write those of 32-bit integers, up to 2e9; the squares
#: of much larger ones have no place in a float32.
_LOUDEST = 1e10


def read_audio(path: Path) -> Floats:
    """The samples of a WAV, FLAC, OGG or MP3 file of any rate and channel count."""
    refuse_unreachable(path)
    if path.is_dir():
        raise BadInput(f"{path} is a folder, not a sound file; name a file inside it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist; check the name.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the file.") from error
    return decode_audio(data, str(path))


def decode_audio(data: bytes, name: str) -> Floats:
    """The same from the bytes of such a file; `name` is what a complaint calls it."""
    mono, rate = _mono(data, name)
    if len(mono) == 0:
        raise BadInput(f"{name} holds no sound at all (zero length); record or copy it again.")
    if not mono.any():
        raise BadInput(f"{name} is silent from beginning to end; leave it out or record it again.")
    return _resampled(mono, rate)


def _mono(data: bytes, name: str) -> tuple[Floats, int]:
    # Imported here: 3 MB that a process which only compares text should not pay.
    import soundfile

    if not data:
        raise BadInput(f"{name} is an empty file (0 bytes); copy it again.")
    try:
        # From memory, so that a name ending in .raw is not taken for a promise about the content.
        with soundfile.SoundFile(BytesIO(data)) as sound:
            promised, rate = sound.frames, sound.samplerate
            samples = sound.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        raise BadInput(
            f"{name} is not a sound file that can be read (WAV, FLAC, OGG or MP3), "
            "or it is corrupt or cut short; copy or convert it again."
        ) from None
    if cut_short(data, promised=promised, read=len(samples)):
        raise BadInput(f"{name} is cut short: its end is missing; copy or download it again.")
    _refuse_impossible(samples, name)
    mono: Floats = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return mono, rate


def _refuse_impossible(samples: Floats, name: str) -> None:
    """Before anything is computed with them, and without a copy of a long recording."""
    loudest = np.maximum(samples.max(initial=0), -samples.min(initial=0))
    if not np.isfinite(loudest):
        raise BadInput(f"{name} has samples that are NaN or infinite; export it again.")
    if loudest > _LOUDEST:
        raise BadInput(
            f"{name} has samples as large as {loudest:.0e}, and full scale is 1: it is damaged or "
            "was scaled by mistake; export it again."
        )


def _resampled(mono: Floats, rate: int) -> Floats:
    if rate == RATE:
        return np.ascontiguousarray(mono)
    import soxr  # Imported here: most corpora are at 16 kHz already and never need it.

    resampled: Floats = soxr.resample(mono, rate, RATE)
    return np.ascontiguousarray(resampled, dtype=np.float32)
