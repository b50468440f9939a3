"""Random weights in the shapes of published models, with the demo models' tokenizers."""

from typing import Any

import torch

from prune import cpu_torchaudio
from prune.checkpoint import Checkpoint, open_checkpoint

#: Width, layers a side and heads.
_WHISPER = {
    "whisper-tiny": (384, 4, 6),
    "whisper-base": (512, 6, 8),
    "whisper-small": (768, 12, 12),
}

#: Tokens with a task: the tokenizer's.
_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")

SHAPES = (*_WHISPER, "sew-tiny", "sew-d-tiny", "wav2vec2-base")


def random_checkpoint(shape: str, *, vocabulary: int = 51865, tokens: int = 32) -> Checkpoint:
    """Weights as the shape's initialiser draws them.

    `vocabulary` and the `tokens` that it says of a clip are Whisper's: a random one never ends.
    """
    cpu_torchaudio.allow_import()
    torch.manual_seed(0)
    if shape in _WHISPER:
        return _whisper(shape, vocabulary, tokens)
    return {"sew-tiny": _sew, "sew-d-tiny": _sew_d, "wav2vec2-base": _wav2vec2}[shape]()


def _whisper(shape: str, vocabulary: int, tokens: int) -> Checkpoint:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    width, layers, heads = _WHISPER[shape]
    demo = open_checkpoint("demo-whisper")
    config = WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        **{key: getattr(demo.model.config, key) for key in _TOKENS},
    )
    model = WhisperForConditionalGeneration(config).eval()
    model.generation_config = demo.model.generation_config
    model.generation_config.max_new_tokens = tokens
    demo.processor.feature_extractor = WhisperFeatureExtractor()
    return Checkpoint(model, demo.processor, "whisper", f"random {shape}")


def _sew() -> Checkpoint:
    """transformers' default is called sew-tiny and is more than twice its size."""
    from transformers import SEWConfig, SEWForCTC

    sizes = {"hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 2048}
    return _ctc(SEWForCTC, SEWConfig, "sew-tiny", **sizes)


def _sew_d() -> Checkpoint:
    """As asapp/sew-d-tiny-100k."""
    from transformers import SEWDConfig, SEWDForCTC

    sizes = {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}
    return _ctc(SEWDForCTC, SEWDConfig, "sew-d-tiny", **sizes)


def _wav2vec2() -> Checkpoint:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    return _ctc(Wav2Vec2ForCTC, Wav2Vec2Config, "wav2vec2-base")


def _ctc(model: Any, config: Any, shape: str, **sizes: int) -> Checkpoint:
    demo = open_checkpoint("demo-sew")
    known = demo.model.config
    settings = config(vocab_size=known.vocab_size, pad_token_id=known.pad_token_id, **sizes)
    return Checkpoint(model(settings).eval(), demo.processor, "ctc", f"random {shape}")
