"""Sound files in, 16 kHz mono float32 out: the one form of audio everything else works on."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from speech.errors import BadInput
from speech.opened_file import STANDARD_INPUT, opened_file, opened_standard_input
from speech.rate import RATE as RATE
from speech.sound_length import is_cut_short, with_length

Floats = NDArray[np.float32]
#: Takes the bytes that are done and all bytes.
Progress = Callable[[int, int], None]

#: Hz that a sound file may have. At 1 Hz a megabyte would be eleven days.
_RATES = range(1_000, 1_000_001)

#: Of floating-point samples. Some programs write those of 32-bit integers, up to 2e9; the squares
#: of much larger ones have no place in a float32.
_LOUDEST = 1e10

#: Hours of a clip, which is held in memory as a whole: 0.46 GB.
LONGEST_CLIP = 2

#: Channels cancel each other out when their mean has less power than this share of what the mean of
#: unrelated sounds has. Two equally loud ones do so when their correlation is below -0.9: one of
#: them has its poles swapped. Ordinary stereo is at 1 to 2.
_CANCELLED = 0.1

#: Samples of all channels up to which decoded sound is kept for the second pass: 16 MB.
_KEPT = 1 << 22

#: In a byte of a file. No codec has more (a FLAC frame of 65,535 takes 11 bytes), but where some
#: headers claim what the file lacks, libsndfile gives zeros.
_MOST_FRAMES = 8_192


class Sound:
    """A sound file that is known to be whole and audible, to be read in blocks.

    It is decoded once to find that out, before anybody works on its beginning, and once more for
    `blocks`; a short one is kept in between.
    """

    def __init__(self, file: BinaryIO, name: str, checked: Progress | None = None):
        self.name = name
        self.rate = 0
        #: The one channel that stands for all, counted from 0; None where their mean does.
        self.channel: int | None = None
        self._file = file
        self._frames = 0
        self._kept: list[Floats] | None = []
        try:
            self._file = with_length(file)
            self._check(checked)
        except OSError as error:
            raise BadInput(f"{name} cannot be read ({error.strerror}); check the file.") from error

    @property
    def seconds(self) -> float:
        return self._frames / self.rate

    def blocks(self) -> Iterator[Floats]:
        """Of any length, 16 kHz mono; together they are what resampling at once would give."""
        decoded = self._decoded() if self._kept is None else self._kept
        mono = (self._mixed(block) for block in decoded)
        return mono if self.rate == RATE else _resampled(mono, self.rate)

    def samples(self) -> Floats:
        """All of them at once."""
        if self.seconds > LONGEST_CLIP * 3600:
            raise BadInput(
                f"{self.name} has {self.seconds / 3600:.1f} hours of sound, and {LONGEST_CLIP} are "
                "the most that a clip may have; cut it into shorter files, or read it with "
                "`secateur transcribe`, which takes any length."
            )
        return np.concatenate([np.zeros(0, np.float32), *self.blocks()])

    def _check(self, checked: Progress | None) -> None:
        if not (size := self._file.seek(0, os.SEEK_END)):
            raise BadInput(f"{self.name} is an empty file (0 bytes); copy it again.")
        if is_cut_short(self._file):
            raise self._cut_short()
        loudest, energy, energy_of_mean = 0.0, np.zeros(1), 0.0
        for block in self._decoded():
            loudest = max(loudest, _loudest(block, self.name))
            self._frames += len(block)
            if block.shape[1] > 1:
                mean = block.mean(axis=1)
                energy = energy + np.einsum("ij,ij->j", block, block)
                energy_of_mean += float(np.einsum("i,i->", mean, mean))
            if self._kept is not None:
                self._kept.append(block)
            if self._frames * block.shape[1] > _KEPT:
                self._kept = None
            if checked:
                checked(self._file.tell(), size)
        if self._frames == 0:
            raise BadInput(f"{self.name} holds no sound (zero length); record or copy it again.")
        if loudest == 0:
            raise BadInput(
                f"{self.name} is silent from beginning to end; leave it out or record it again."
            )
        if energy_of_mean < _CANCELLED * energy.sum() / len(energy) ** 2:
            self.channel = int(energy.argmax())

    def _mixed(self, block: Floats) -> Floats:
        if block.shape[1] == 1 or self.channel is not None:
            return np.ascontiguousarray(block[:, self.channel or 0])
        mean: Floats = block.mean(axis=1)
        return mean

    def _decoded(self) -> Iterator[Floats]:
        """Blocks of all channels. Raises BadInput at the end, if not before, of a damaged file."""
        # Imported here: 3 MB that a process which only compares text should not pay.
        from speech.decoder import Decoder, DecodingError

        frames, size = 0, self._file.seek(0, os.SEEK_END)
        try:
            with closing(Decoder(self._file)) as decoder:
                self._take(decoder.rate)
                for block in decoder.blocks():
                    frames += len(block)
                    if frames > _MOST_FRAMES * size:
                        raise DecodingError
                    yield block
                if frames < decoder.fewest:
                    raise self._cut_short()
        except DecodingError:
            if not self.rate:
                raise BadInput(
                    f"{self.name} is not a sound file that can be read (WAV, FLAC, OGG, MP3 or "
                    "similar), or its beginning is damaged; copy or convert it again."
                ) from None
            raise BadInput(
                f"{self.name} is damaged or cut short: it cannot be decoded beyond "
                f"{frames / self.rate:.1f} s; copy or download it again."
            ) from None

    def _take(self, rate: int) -> None:
        if rate not in _RATES:
            raise BadInput(
                f"{self.name} has {rate} samples a second, and {_RATES[0]} to {_RATES[-1]} can be "
                "read: its header is damaged, or it is no recording; convert it again."
            )
        self.rate = rate

    def _cut_short(self) -> BadInput:
        return BadInput(f"{self.name} is cut short: its end is missing; copy or download it again.")


@contextmanager
def open_sound(path: Path, checked: Progress | None = None) -> Iterator[Sound]:
    """A WAV, FLAC, OGG or MP3 file, or another that libsndfile reads, of any rate and channels."""
    with opened_file(path) as file:
        yield Sound(file, str(path), checked)


@contextmanager
def open_standard_input(checked: Progress | None = None) -> Iterator[Sound]:
    with opened_standard_input() as file:
        yield Sound(file, STANDARD_INPUT, checked)


def read_audio(path: Path) -> Floats:
    """The samples of such a file, which may have two hours."""
    with open_sound(path) as sound:
        return sound.samples()


def decode_audio(data: bytes, name: str) -> Floats:
    """The same from the bytes of such a file; `name` is what a complaint calls it."""
    return Sound(BytesIO(data), name).samples()


def _loudest(block: Floats, name: str) -> float:
    """Its largest magnitude, without a copy; refused before anything is computed with it."""
    loudest = np.maximum(block.max(), -block.min())
    if not np.isfinite(loudest):
        raise BadInput(f"{name} has samples that are NaN or infinite; export it again.")
    if loudest > _LOUDEST:
        raise BadInput(
            f"{name} has samples as large as {loudest:.0e}, and full scale is 1: it is damaged or "
            "was scaled by mistake; export it again."
        )
    return float(loudest)


def _resampled(blocks: Iterator[Floats], rate: int) -> Iterator[Floats]:
    import soxr  # Imported here: most corpora are at 16 kHz already and never need it.

    stream = soxr.ResampleStream(rate, RATE, 1, dtype=np.float32)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
