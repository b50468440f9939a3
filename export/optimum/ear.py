"""optimum's own classes as a judge of an export: in their environment they must hear the same."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.optimum import listener
from export.optimum.expected import Expected
from export.parity import ExportError
from speech.errors import BadInput

_MAKE_ONE = "`make optimum` sets one up in .venv-optimum"


def refuse_no_python(python: Path) -> None:
    """Raise where there is nothing to run."""
    if not (python.is_file() and os.access(python, os.X_OK)):
        raise BadInput(f"{python} is not the Python of an environment with optimum: {_MAKE_ONE}.")


def check_ear(
    python: Path,
    folder: Path,
    clips: Sequence[NDArray[np.float32]],
    expected: Sequence[Expected],
    choice: Mapping[str, str],
) -> str:
    """The version of optimum whose classes chose the same tokens and texts for all clips."""
    answer = _listen(python, folder, clips, choice)
    for i, (clip, heard) in enumerate(zip(expected, answer["heard"], strict=True)):
        where = f"clip {i + 1} of {len(expected)}"
        if heard["tokens"] != clip.choices or heard["text"] != clip.text:
            raise ExportError(
                f"optimum hears {heard['text']!r} in {where} and PyTorch {clip.text!r}: "
                "this export cannot be trusted, please report it."
            )
    version: str = answer["optimum"]
    return version


def _listen(
    python: Path, folder: Path, clips: Sequence[NDArray[np.float32]], choice: Mapping[str, str]
) -> Any:
    refuse_no_python(python)
    with tempfile.TemporaryDirectory(prefix="secateur-") as place:
        sounds, answer = Path(place) / "clips.npz", Path(place) / "answer.json"
        np.savez(sounds, *clips)
        script = str(Path(listener.__file__))
        words = [str(folder), str(sounds), str(answer), json.dumps(dict(choice))]
        done = subprocess.run(
            [str(python.absolute()), "-I", script, *words],
            capture_output=True,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        if done.returncode == 0:
            return json.loads(answer.read_text())
    last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    if done.returncode == listener.NO_OPTIMUM:
        raise BadInput(f"{python} cannot import optimum ({last}): {_MAKE_ONE}.")
    raise ExportError(
        f"optimum cannot listen with this export ({last}): it cannot be trusted, please report it."
    )
