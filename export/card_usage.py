"""How a model card says that its bundle is run: commands, and Python that works as it stands."""

import json
from collections.abc import Iterator
from textwrap import dedent

from prune.packed_weights import PACKED_WEIGHTS
from runtime.bundle import HOST_ONLY, Bundle
from speech.errors import BadInput

#: The key of `prune.structure.shapes`, which would bring torch along.
SHAPES = "secateur_shapes"


def usage(bundle: Bundle, repository: str) -> Iterator[str]:
    """Paragraphs of Markdown; `repository` is where the hub has the bundle."""
    folder = repository.rpartition("/")[2]
    yield "Get the files, as files and not as links into a cache:"
    yield _block("sh", f"hf download {repository} --local-dir {folder}")
    yield from _with_secateur(bundle, folder)
    yield from _with_onnxruntime(bundle, folder)
    yield from _with_pytorch(bundle, folder)


def _with_secateur(bundle: Bundle, folder: str) -> Iterator[str]:
    yield "### With Secateur"
    yield (
        "Its runtime needs onnxruntime and numpy, no torch. `CORPUS` is a folder of clips and "
        "texts, or a corpus that `secateur eval --help` names."
    )
    yield _block("sh", f"secateur eval {folder} --corpus CORPUS")
    needed = f"Path({json.dumps(folder)}), on_device=True"
    yield _block(
        "python",
        f"""
        from pathlib import Path
        from runtime.bundle import Bundle
        from runtime.recognizer import open_recognizer
        from speech.audio import read_audio

        recognizer = open_recognizer(Bundle.open({needed}))
        print(recognizer.transcribe(read_audio(Path("clip.wav"))).text)
        """,
    )


def _with_onnxruntime(bundle: Bundle, folder: str) -> Iterator[str]:
    yield "### With plain onnxruntime"
    if bundle.manifest.weights:
        yield (
            "These graphs hold no weights: they lie packed beside them, and Secateur's runtime "
            "puts them back as it loads. Plain onnxruntime alone does not open them."
        )
        return
    window = bundle.manifest.features.get("chunk_length")
    limit = f" and at most {window} s long" if bundle.manifest.family == "whisper" else ""
    yield f"`clip.wav` is mono, at 16 kHz{limit}."
    code = _whisper_code if bundle.manifest.family == "whisper" else _ctc_code
    yield _block("python", code(bundle, folder))


def _ctc_code(bundle: Bundle, folder: str) -> str:
    manifest = bundle.manifest
    normalised = manifest.features.get("do_normalize", True) is True
    to_unit = "samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)"
    return f"""
        import json
        from itertools import groupby
        import numpy as np
        import onnxruntime
        import soundfile

        samples, _ = soundfile.read("clip.wav", dtype="float32")
        {to_unit if normalised else "# this model takes the samples as they are"}
        session = onnxruntime.InferenceSession({_place(folder, manifest.graphs["model"])})
        (logits,) = session.run(None, {{"input_values": samples[None]}})
        rules = json.load(open({_place(folder, "bundle.json")}))["decoding"]
        vocabulary = json.load(open({_place(folder, manifest.tokenizer)}))
        symbols = {{token: symbol for symbol, token in vocabulary.items()}}
        tokens = [token for token, _ in groupby(logits[0].argmax(-1)) if token != rules["blank"]]
        text = "".join(symbols.get(token, rules["unknown"]) for token in tokens)
        print(text.replace(rules["delimiter"], " ").strip())
        """


def _whisper_code(bundle: Bundle, folder: str) -> str:
    """What `runtime.whisper` does, without its checks, for a clip no longer than the window."""
    graphs, tokenizer = bundle.manifest.graphs, bundle.manifest.tokenizer
    return f"""
        import json
        import numpy as np
        import onnxruntime
        import soundfile
        from tokenizers import Tokenizer
        from transformers import WhisperFeatureExtractor

        bundle = json.load(open({_place(folder, "bundle.json")}))
        rules = bundle["decoding"]
        encoder = onnxruntime.InferenceSession({_place(folder, graphs["encoder"])})
        decoder = onnxruntime.InferenceSession({_place(folder, graphs["decoder"])})

        samples, _ = soundfile.read("clip.wav", dtype="float32")
        extractor = WhisperFeatureExtractor(**bundle["features"])
        features = extractor(samples, sampling_rate=16000, return_tensors="np").input_features
        emitted = encoder.run(None, {{"input_features": features.astype(np.float32)}})
        heard = {{output.name: value for output, value in zip(encoder.get_outputs(), emitted)}}
        past = {{
            given.name: np.zeros([*given.shape[:2], 0, given.shape[3]], np.float32)
            for given in decoder.get_inputs()
            if given.name.startswith("past_")
        }}
        tokens = given = rules["prefix"]
        while len(tokens) < rules["max_length"]:
            logits, *grown = decoder.run(None, {{"tokens": np.array([given]), **past, **heard}})
            past = {{f"past_{{o.name}}": x for o, x in zip(decoder.get_outputs()[1:], grown)}}
            logits[0, rules["suppress"]] = -np.inf
            if tokens == rules["prefix"]:
                logits[0, rules["begin_suppress"]] = -np.inf
            given = [int(logits[0].argmax())]
            if given[0] in rules["end"]:
                break
            tokens = tokens + given
        print(Tokenizer.from_file({_place(folder, tokenizer)}).decode(tokens).strip())
        """


def _with_pytorch(bundle: Bundle, folder: str) -> Iterator[str]:
    if not (bundle.folder / HOST_ONLY).is_dir():
        return
    yield "### With PyTorch"
    checkpoint = f"{folder}/{HOST_ONLY}"
    packed = (bundle.folder / HOST_ONLY / PACKED_WEIGHTS).exists()
    if _is_uneven(bundle):
        yield (
            "Its layers were cut to different sizes, which `from_pretrained` does not know of: "
            "Secateur opens it."
        )
        yield _block(
            "python",
            f"""
            from prune.checkpoint import open_checkpoint

            checkpoint = open_checkpoint({json.dumps(checkpoint)})
            model, processor = checkpoint.model, checkpoint.processor
            """,
        )
        return
    if packed:
        yield "Its weights are packed: zeros take one bit each. This unpacks them, bit for bit:"
        checkpoint = f"{folder}-pytorch"
        yield _block("sh", f"secateur load {folder} -o {checkpoint}")
    kind = "AutoModelForSpeechSeq2Seq" if bundle.manifest.family == "whisper" else "AutoModelForCTC"
    yield _block(
        "python",
        f"""
        from transformers import {kind}, AutoProcessor

        model = {kind}.from_pretrained({json.dumps(checkpoint)})
        processor = AutoProcessor.from_pretrained({json.dumps(checkpoint)})
        """,
    )


def _is_uneven(bundle: Bundle) -> bool:
    path = bundle.folder / HOST_ONLY / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: export the bundle again.") from error
    return isinstance(config, dict) and config.get(SHAPES) is not None


def _place(folder: str, path: str) -> str:
    return json.dumps(f"{folder}/{path}")


def _block(language: str, code: str) -> str:
    return f"```{language}\n{dedent(code).strip()}\n```"
