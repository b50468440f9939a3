"""One recogniser in a process of its own, which transcribes the same clip as often as it is told.

`python -m benchmarks.contender BUNDLE CLIP.npy` is ours (`--no-arena` after it: without
onnxruntime's); `benchmarks.peers` has the others. On
standard output it says {"import_bytes"} when its libraries are loaded and the model is ready. For
every line that it is sent it listens once and says {"seconds", "tokens"}, and {"peak_bytes"} in the
end.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.agent.memory import read_memory

#: Samples in, the count of tokens out.
Listen = Callable[[NDArray[np.float32]], int]

#: What ours imports to transcribe a sound file.
LIBRARIES = ("runtime.archive", "runtime.recognizer", "speech.audio", "soundfile", "soxr")


def serve(libraries: Sequence[str], load: Callable[[], Listen], clip: Path) -> None:
    """Until standard input ends. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**record: float | None) -> None:
        print(json.dumps(record), file=answers, flush=True)

    for name in libraries:
        importlib.import_module(name)
    imported = read_memory().peak_bytes
    samples, listen = np.load(clip), load()
    say(import_bytes=imported)
    for _ in sys.stdin:
        began = time.perf_counter()
        tokens = listen(samples)
        say(seconds=time.perf_counter() - began, tokens=tokens)
    say(peak_bytes=read_memory().peak_bytes)


def main(bundle: Path, clip: Path, *, arena: bool) -> None:
    def loaded() -> Listen:
        from runtime.bundle import Bundle
        from runtime.recognizer import open_recognizer
        from runtime.settings import Settings

        recognizer = open_recognizer(Bundle.open(bundle, on_device=True), Settings(arena=arena))
        return lambda samples: len(recognizer.transcribe(samples).tokens)

    serve(LIBRARIES, loaded, clip)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), arena="--no-arena" not in sys.argv)
