"""A device has neither torch nor transformers, and little memory."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
from speech.errors import BadInput
from tests.export.exported import noise, sew, whisper

ABSENT = (
    "torch", "torchaudio", "transformers", "tokenizers", "optimum", "onnx", "onnxscript",
    "pydantic",
)  # fmt: skip

LISTEN = """
import json, pathlib, sys
for name in json.loads(sys.argv[3]):
    sys.modules[name] = None
import numpy as np
from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
recognizer = open_recognizer(Bundle.open(pathlib.Path(sys.argv[1]), on_device=True))
print(json.dumps(recognizer.transcribe(np.load(sys.argv[2])).tokens))
"""


@pytest.mark.parametrize("family", [whisper, sew])
def test_it_listens_without_host_libraries(family: Any, tmp_path: Path) -> None:
    bundle, clip = family()[1], noise(5, 2.0)
    np.save(tmp_path / "clip.npy", clip)
    arguments = [str(bundle.folder), str(tmp_path / "clip.npy"), json.dumps(ABSENT)]
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, *arguments], capture_output=True, text=True, check=True
    )
    assert tuple(json.loads(done.stdout)) == open_recognizer(bundle).transcribe(clip).tokens
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["onnx/encoder.onnx", "tokenizer.json"])
def test_a_broken_file_is_named(name: str, tmp_path: Path) -> None:
    bundle = whisper()[1]
    folder = tmp_path / "broken"
    shutil.copytree(bundle.folder, folder)
    (folder / name).write_bytes(b"\0" * (folder / name).stat().st_size)
    with pytest.raises(BadInput, match=name):
        open_recognizer(Bundle.open(folder))
