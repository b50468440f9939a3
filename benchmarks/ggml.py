"""whisper.cpp's file of a Whisper checkpoint: sizes, mel filters, tokens, tensors."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import pre_tokenizers

from speech.features import LogMel, mel_filters

_MAGIC = 0x67676D6C
_FLOAT32, _FLOAT16 = 0, 1

#: Names of layers in a checkpoint, and in such a file; the first that fits counts.
_NAMES = {
    "embed_tokens": "token_embedding",
    "embed_positions.weight": "positional_embedding",
    "layers.": "blocks.",
    "self_attn_layer_norm": "attn_ln",
    "self_attn": "attn",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "encoder_attn": "cross_attn",
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "out_proj": "out",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "final_layer_norm": "mlp_ln",
}


def write_ggml(checkpoint: Path, path: Path) -> None:
    """Matrices are float16, as published models are; all else is float32."""
    config = json.loads((checkpoint / "config.json").read_text())
    with path.open("wb") as file:
        _write_sizes(config, file)
        filters = mel_filters(config["num_mel_bins"], LogMel.n_fft, LogMel.rate).T
        file.write(struct.pack("2i", *filters.shape) + filters.tobytes())
        words = list(_words(checkpoint / "tokenizer.json"))
        file.write(struct.pack("i", len(words)))
        for word in words:
            file.write(struct.pack("i", len(word)) + word)
        for name, weight in load_file(checkpoint / "model.safetensors").items():
            if name != "proj_out.weight":
                _write_tensor(name, weight, file)


def _write_sizes(config: dict[str, int], file: BinaryIO) -> None:
    keys = (
        "vocab_size", "max_source_positions", "d_model", "encoder_attention_heads",
        "encoder_layers", "max_target_positions", "d_model", "decoder_attention_heads",
        "decoder_layers", "num_mel_bins",
    )  # fmt: skip
    file.write(struct.pack("12i", _MAGIC, *(config[key] for key in keys), _FLOAT16))


def _words(tokenizer: Path) -> Iterator[bytes]:
    """The bytes of every token of text, by number; the program knows the others itself."""
    model = json.loads(tokenizer.read_text())["model"]
    letters = _bytes_by_letter()
    specials = {"<|endoftext|>"}
    for word, _ in sorted(model["vocab"].items(), key=lambda item: item[1]):
        if word not in specials:
            yield bytes(letters[letter] for letter in word)


def _bytes_by_letter() -> dict[str, int]:
    """Byte-level BPE writes a byte that cannot be printed as a letter from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    letters |= {chr(256 + i): byte for i, byte in enumerate(rest)}
    assert set(letters) == set(pre_tokenizers.ByteLevel.alphabet())
    return letters


def _write_tensor(name: str, weight: NDArray[np.float32], file: BinaryIO) -> None:
    name = name.removeprefix("model.")
    stem = ".".join(name.split(".")[:-1])
    if stem in ("encoder.layer_norm", "decoder.layer_norm"):
        name = name.replace("layer_norm", "ln_post" if stem.startswith("encoder") else "ln")
    for ours, theirs in _NAMES.items():
        name = name.replace(ours, theirs)
    if "conv" in name and name.endswith("bias"):
        weight = weight[:, None]
    is_small = weight.ndim < 2 or "positional" in name or name.endswith("bias")
    weight = weight.astype(np.float32 if is_small else np.float16)
    kind = _FLOAT32 if is_small else _FLOAT16
    file.write(struct.pack("3i", weight.ndim, len(name), kind))
    file.write(struct.pack(f"{weight.ndim}i", *reversed(weight.shape)))
    file.write(name.encode() + np.ascontiguousarray(weight).tobytes())
