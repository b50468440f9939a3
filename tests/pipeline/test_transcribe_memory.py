"""However long a recording is, `secateur transcribe` holds a piece of it at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.bundle import Bundle
from tests.export.exported import demo, noise, sew
from tests.pipeline.test_transcribe_command import with_little_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RATE = 44_100

#: The command line, and after it on standard error the most memory that the process had, in kB.
#: (What getrusage gives begins with the memory of the process that forked.)
WITH_ITS_PEAK = """
import sys
from pipeline.cli import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def stereo(path: Path, minutes: int) -> Path:
    """Ten seconds of noise in every minute, and silence that takes no room on the disk."""
    burst = np.repeat(noise(0, 10.0), 3)[: 10 * RATE]
    soundfile.write(path, np.stack([burst, burst / 2], axis=1), RATE, subtype="PCM_16")
    data = path.read_bytes()
    header, sound = bytearray(data[:44]), data[44:]
    size = minutes * 60 * RATE * 4
    header[4:8], header[40:44] = (36 + size).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        for minute in range(minutes):
            file.seek(44 + minute * 60 * RATE * 4)
            file.write(sound)
        file.truncate(44 + size)
    return path


def peak(bundle: Bundle, path: Path) -> int:
    """MB that the process needs to transcribe all of it."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            WITH_ITS_PEAK,
            "transcribe",
            str(bundle.folder),
            str(path),
            "--json",
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    minutes = record["audio_seconds"] / 60
    assert minutes == int(minutes)
    assert record["tokens"] >= minutes, "it was not transcribed"
    return int(done.stderr.split()[-1]) // 1024


def test_ten_minutes_of_stereo(tmp_path: Path) -> None:
    """As they were read once, they took 600 MB."""
    assert peak(sew()[1], stereo(tmp_path / "talk.wav", 10)) < 200


@pytest.mark.long
def test_two_hours_of_stereo(tmp_path: Path) -> None:
    assert peak(demo("demo-whisper"), stereo(tmp_path / "meeting.wav", 120)) < 250


def test_an_hour_where_its_samples_would_not_fit_into_memory(tmp_path: Path) -> None:
    hour = np.zeros(3600 * 16_000, np.int16)
    hour[-32_000:] = noise(0, 2.0) * 2**15
    path = tmp_path / "hour.wav"
    soundfile.write(path, hour, 16_000, "PCM_16")
    done = with_little_memory(200, str(sew()[1].folder), str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_memory_that_runs_out_costs_one_file(tmp_path: Path) -> None:
    bundle, long, short = sew()[1], tmp_path / "long.wav", tmp_path / "short.wav"
    soundfile.write(long, np.tile(noise(0, 60.0), 60), 16_000, "PCM_16")
    soundfile.write(short, noise(0, 2.0), 16_000, "PCM_16")
    words = [str(bundle.folder), str(long), str(short), "--window", "3600"]
    done = with_little_memory(200, *words)
    assert done.returncode == 2
    assert done.stdout.startswith(f"{short}: ")
    assert len(done.stderr.splitlines()) == 1
    assert f"{long}" in done.stderr
    assert "emory ran out" in done.stderr
