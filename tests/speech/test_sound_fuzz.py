"""Damaged sound files of every kind: samples or one sentence; no crash, no hang, no gigabytes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

KINDS = [
    ("WAV", "PCM_16"), ("WAV", "GSM610"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"),
    ("RF64", "FLOAT"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AIFF", "IMA_ADPCM"),
    ("AU", "PCM_16"), ("AU", "G721_32"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
    ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
    ("NIST", "PCM_16"), ("SVX", "PCM_S8"), ("VOC", "PCM_16"), ("PAF", "PCM_16"),
]  # fmt: skip


def fuzzed(kind: str, subtype: str, count: int) -> None:
    words = [sys.executable, "-m", "tests.speech.fuzzed_sound", kind, subtype, "0", str(count)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=250)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    read, refused = map(int, done.stdout.split()[-2:])
    assert read + refused == count
    assert refused > count / 20


def test_some_damaged_files() -> None:
    fuzzed("WAV", "PCM_16", 100)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_two_thousand_damaged_files(kind: str, subtype: str) -> None:
    fuzzed(kind, subtype, 2_000 // len(KINDS))
