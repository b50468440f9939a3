"""Programs that do what our runtime does, each made ready and run in the environment of the peers.

`python -m benchmarks.peers make NAME CHECKPOINT FOLDER` converts, and
`python -m benchmarks.peers run NAME FOLDER CLIP.npy TOKENS` transcribes (`benchmarks.contender`).
All use one thread, greedy search without timestamps, and no second try at another temperature.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import Listen, serve

Floats = NDArray[np.float32]

#: Start, English, transcribe, no timestamps.
_PREFIX = (50_258, 50_259, 50_359, 50_363)


class Peer(Protocol):
    def make(self, checkpoint: Path, folder: Path) -> None:
        """Convert into an empty folder."""

    #: What it imports; the time and memory of that is its own affair.
    libraries: tuple[str, ...]

    def load(self, folder: Path, tokens: int) -> Listen: ...


class CTranslate2:
    """With our features: it has none of its own."""

    libraries: tuple[str, ...] = ("ctranslate2", "speech.features")

    def make(self, checkpoint: Path, folder: Path) -> None:
        from ctranslate2.converters import TransformersConverter

        copied = ["tokenizer.json", "preprocessor_config.json"]
        converter = TransformersConverter(str(checkpoint), copy_files=copied)
        converter.convert(str(folder), quantization="int8", force=True)

    def load(self, folder: Path, tokens: int) -> Listen:
        import ctranslate2

        from speech.features import LogMel

        features = LogMel()
        model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", intra_threads=1
        )

        def listen(samples: Floats) -> int:
            mel = ctranslate2.StorageView.from_array(features(samples)[None])
            (found,) = model.generate(
                mel,
                [list(_PREFIX)],
                beam_size=1,
                max_length=2 * tokens,  # it takes half of it for the prompt
                suppress_blank=False,
                suppress_tokens=[],
            )
            return len(found.sequences_ids[0])

        return listen


class FasterWhisper(CTranslate2):
    """CTranslate2 again, with features and rules of its own."""

    libraries = ("faster_whisper",)

    def load(self, folder: Path, tokens: int) -> Listen:
        import faster_whisper

        model = faster_whisper.WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=1
        )
        # Language and task only where it finds the vocabulary of a multilingual model.
        prefix = len(_PREFIX) if model.model.is_multilingual else 2

        def listen(samples: Floats) -> int:
            segments, _ = model.transcribe(
                samples,
                language="en",
                beam_size=1,
                temperature=0.0,
                compression_ratio_threshold=None,
                log_prob_threshold=None,
                no_speech_threshold=None,
                condition_on_previous_text=False,
                suppress_blank=False,
                suppress_tokens=[],
                without_timestamps=True,
                max_new_tokens=2 * tokens - prefix,  # half of the sum is what it decodes
            )
            return sum(len(segment.tokens) for segment in segments)

        return listen


class WhisperCpp:
    """float16, as its models are published."""

    libraries: tuple[str, ...] = ("pywhispercpp.model",)

    def make(self, checkpoint: Path, folder: Path) -> None:
        from benchmarks.ggml import write_ggml

        write_ggml(checkpoint, folder / "model.bin")

    def load(self, folder: Path, tokens: int) -> Listen:
        import _pywhispercpp
        from pywhispercpp.model import Model

        model = Model(
            str(folder / "model.bin"),
            n_threads=1,
            language="en",
            max_tokens=tokens - 1,  # it stops after one more
            single_segment=True,
            no_timestamps=True,
            suppress_blank=False,
            temperature_inc=0.0,
            print_progress=False,
        )

        def listen(samples: Floats) -> int:
            context, count = model._ctx, 0
            model.transcribe(samples)
            for segment in range(_pywhispercpp.whisper_full_n_segments(context)):
                for i in range(_pywhispercpp.whisper_full_n_tokens(context, segment)):
                    token = _pywhispercpp.whisper_full_get_token_id(context, segment, i)
                    count += token < _PREFIX[0] - 1
            return count

        return listen


class Optimum:
    """Its own export: an fp32 encoder and a merged decoder, driven by transformers' `generate`."""

    libraries: tuple[str, ...] = ("optimum.onnxruntime", "transformers")

    def make(self, checkpoint: Path, folder: Path) -> None:
        from optimum.exporters.onnx import main_export

        task = "automatic-speech-recognition-with-past"
        main_export(str(checkpoint), output=folder, task=task, do_validation=False)

    def load(self, folder: Path, tokens: int) -> Listen:
        import onnxruntime
        import torch
        from optimum.onnxruntime import ORTModelForSpeechSeq2Seq
        from transformers import WhisperFeatureExtractor

        torch.set_num_threads(1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model: Any = ORTModelForSpeechSeq2Seq.from_pretrained(
            folder, session_options=options, provider="CPUExecutionProvider"
        )
        features = WhisperFeatureExtractor.from_pretrained(folder)

        def listen(samples: Floats) -> int:
            mel = features(samples, sampling_rate=16_000, return_tensors="pt").input_features
            said = model.generate(
                mel,
                language="en",
                task="transcribe",
                num_beams=1,
                do_sample=False,
                max_new_tokens=tokens,
                return_timestamps=False,
            )
            return sum(int(token) < _PREFIX[0] - 1 for token in said[0])

        return listen


@dataclass(frozen=True)
class Entry:
    """A peer, and the package that it comes from."""

    peer: Peer
    package: str
    precision: str


PEERS = {
    "faster-whisper": Entry(FasterWhisper(), "faster-whisper", "int8"),
    "CTranslate2": Entry(CTranslate2(), "ctranslate2", "int8"),
    "whisper.cpp": Entry(WhisperCpp(), "pywhispercpp", "fp16"),
    "optimum": Entry(Optimum(), "optimum-onnx", "fp32"),
}


def main(action: str, name: str, *arguments: str) -> None:
    peer = PEERS[name].peer
    if action == "make":
        checkpoint, folder = map(Path, arguments)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        peer.make(checkpoint, folder)
    else:
        folder, clip, tokens = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
        serve(peer.libraries, lambda: peer.load(folder, tokens), clip)


if __name__ == "__main__":
    main(*sys.argv[1:])
