"""What importing `speech` costs a small device."""

import json
import subprocess
import sys

import pytest

_IMPORT = "import speech.audio, speech.features, speech.scoring, speech.corpora"
_HEAVY = ["torch", "transformers", "optimum", "datasets", "pooch", "jiwer", "whisper_normalizer"]


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_loads_nothing_heavy():
    loaded = json.loads(
        _python(f"{_IMPORT}\nimport sys, json; print(json.dumps(list(sys.modules)))")
    )
    assert not {name.split(".")[0] for name in loaded} & set(_HEAVY)


def test_reading_and_scoring_load_no_torch():
    work = (
        f"{_IMPORT}\nimport sys\n"
        "clip = speech.corpora.open_corpus('demo', limit=1).clips[0]\n"
        "speech.features.LogMel(window_seconds=4)(clip.samples())\n"
        "speech.scoring.score([clip.text], [clip.text], normalizer='english')\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    assert _python(work).strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_importing_stays_close_to_what_numpy_alone_takes():
    peak = "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    ours = int(_python(f"{_IMPORT}\n{peak}"))
    numpy_alone = int(_python(f"import numpy\n{peak}"))
    assert ours - numpy_alone < 5_000  # KiB
