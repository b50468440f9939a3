"""What `export-optimum` writes, opened by optimum's own classes: `make test-optimum`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip(
    "optimum.onnxruntime", reason="optimum has an environment of its own: make test-optimum"
)

import onnx
from onnx import numpy_helper
from optimum.onnxruntime import ORTModelForCTC, ORTModelForSpeechSeq2Seq
from safetensors.numpy import load_file
from transformers import AutoProcessor

from speech.audio import RATE, Floats
from speech.corpora import open_corpus

ROOT = Path(__file__).parents[2]
HOST = ROOT / ".venv" / "bin"
CLIPS = [clip.samples() for clip in open_corpus("demo:test", limit=5).clips]


def on_the_host(*words: str) -> subprocess.CompletedProcess[str]:
    """In Secateur's own environment."""
    settings = {"OMP_NUM_THREADS": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    return subprocess.run(
        [str(HOST / words[0]), *words[1:]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **settings},
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    done = on_the_host("python", "-m", "tests.optimum.making", str(folder), sys.executable)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def said(made: Path) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((made / "said.json").read_text())
    return answers


@pytest.fixture(scope="session", params=["demo-whisper", "demo-sew"])
def exported(request: pytest.FixtureRequest, made: Path) -> Path:
    """The layout of a pruned bundle: Whisper's is written by the command line."""
    out = made / f"{request.param}-for-optimum"
    if not out.exists():
        done = on_the_host(
            "secateur", "export-optimum", str(made / request.param), str(out),
            "--python", sys.executable, "--json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        assert record["optimum"] == "2.1.0" and record["clips"] == 5
        assert record["largest_difference"] < 1e-3
    return out


def opened(folder: Path) -> tuple[Any, Any]:
    seq2seq = (folder / "generation_config.json").exists()
    kind: Any = ORTModelForSpeechSeq2Seq if seq2seq else ORTModelForCTC
    return kind.from_pretrained(folder), AutoProcessor.from_pretrained(folder)


def spectrograms(processor: Any, clips: list[Floats]) -> Any:
    return processor(clips, sampling_rate=RATE, return_tensors="pt").input_features


def test_a_pruned_bundle_is_heard_as_on_the_device(exported: Path, said: dict[str, Any]) -> None:
    model, processor = opened(exported)
    heard = []
    for clip in CLIPS:
        given = processor(clip, sampling_rate=RATE, return_tensors="pt")
        if isinstance(model, ORTModelForSpeechSeq2Seq):
            tokens = model.generate(given.input_features)[0]
        else:
            tokens = model(given.input_values).logits[0].argmax(-1)
        heard.append(processor.decode(tokens, skip_special_tokens="whisper" in exported.name))
    assert [text.strip() for text in heard] == said[exported.name.removesuffix("-for-optimum")]


def test_what_was_pruned_is_still_zero_and_nothing_is_stored_twice(
    exported: Path, made: Path
) -> None:
    bundle = made / exported.name.removesuffix("-for-optimum")
    weights = load_file(bundle / "pytorch" / "model.safetensors")
    stored: dict[str, Any] = {}
    for path in exported.glob("onnx/*.onnx"):
        for value in onnx.load(path).graph.initializer:
            stored[value.name] = numpy_helper.to_array(value)
    compared = zeros = 0
    for name, weight in weights.items():
        found = stored.get(name.removeprefix("model."), stored.get(f"model.{name}"))
        if weight.ndim == 2 and "embed" not in name and found is not None:
            assert np.array_equal(found, weight.T), name
            compared, zeros = compared + weight.size, zeros + int((weight == 0).sum())
    assert compared > 700_000
    assert 0.4 < zeros / compared < 0.6
    graphs = sum(path.stat().st_size for path in exported.glob("onnx/*.onnx"))
    assert graphs < 1.05 * sum(weight.nbytes for weight in weights.values())


def test_uneven_layers_that_no_transformers_can_build(made: Path, said: dict[str, Any]) -> None:
    """Two languages and random weights: clip by clip, in a batch, and with beams, which reorder
    the cache."""
    wanted = said["uneven"]
    assert wanted["optimum"] == said["sew"]["optimum"] == "2.1.0", "optimum itself has listened"
    model, processor = opened(made / "uneven")

    def heard(clips: list[Floats], **how: Any) -> list[list[int]]:
        tokens = model.generate(spectrograms(processor, clips), **wanted["choice"], **how)
        return [clip.tolist() for clip in tokens]

    alone = [heard([clip])[0] for clip in CLIPS]
    assert alone == wanted["tokens"]
    assert len({tuple(clip) for clip in alone}) > 1
    together = zip(heard(CLIPS), alone, strict=True)
    assert all(padded[: len(clip)] == clip for padded, clip in together)
    assert len(heard(CLIPS[:1], num_beams=3)[0]) > 2
    assert "<|de|>" in processor.tokenizer.all_special_tokens
