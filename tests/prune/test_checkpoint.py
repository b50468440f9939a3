"""Opening checkpoints: what works, and one sentence for what does not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.listen import transcribe
from speech.errors import BadInput
from speech.pauses import cut_at_pauses


def test_half_precision_is_widened_and_nothing_else_changes(
    tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    tiny_whisper.model.half().save_pretrained(tmp_path)
    tiny_whisper.processor.save_pretrained(tmp_path)
    opened = open_checkpoint(str(tmp_path))
    for name, value in opened.model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, tiny_whisper.model.state_dict()[name].float()), name


def test_what_only_training_hears_is_the_same_each_time_it_is_missing(
    tiny_wav2vec2: Checkpoint, tmp_path: Path
) -> None:
    """A run that resumes compares the model with the one it began with."""
    folder = tmp_path / "older"
    shutil.copytree(tiny_wav2vec2.source, folder)
    weights = load_file(folder / "model.safetensors")
    assert weights.pop("wav2vec2.masked_spec_embed").any()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    opened = [open_checkpoint(str(folder)).model.wav2vec2.masked_spec_embed for _ in range(2)]
    assert torch.equal(opened[0], opened[1])


def test_transcripts_are_those_of_the_models_own_generate(tiny_whisper: Checkpoint) -> None:
    rng = np.random.default_rng(3)
    clips = [rng.standard_normal(n).astype(np.float32) / 5 for n in (8000, 20000, 64000, 31000)]
    processor, model = tiny_whisper.processor, tiny_whisper.model
    expected = []
    for clip in clips:
        features = processor(clip, sampling_rate=16_000, return_tensors="pt").input_features
        tokens = model.generate(features)
        expected.append(processor.batch_decode(tokens, skip_special_tokens=True)[0].strip())
    assert len(set(expected)) > 1
    assert transcribe(tiny_whisper, clips, batch=3) == expected


def test_ctc_transcripts_are_those_of_the_processor(tiny_sew: Checkpoint) -> None:
    rng = np.random.default_rng(3)
    clips = [rng.standard_normal(n).astype(np.float32) / 5 for n in (8000, 20000, 31000)]
    processor, model = tiny_sew.processor, tiny_sew.model
    expected = []
    for clip in clips:
        values = processor(clip, sampling_rate=16_000, return_tensors="pt").input_values
        with torch.no_grad():
            ids = model(values).logits.argmax(-1)
        expected.append(processor.batch_decode(ids)[0].strip())
    assert transcribe(tiny_sew, clips) == expected


def test_audio_longer_than_the_window_is_heard_window_by_window(tiny_whisper: Checkpoint) -> None:
    long = np.random.default_rng(0).standard_normal(3 * 64_000).astype(np.float32) / 5
    pieces = cut_at_pauses(long, 64_000)
    assert len(pieces) > 2
    parts = transcribe(tiny_whisper, pieces)
    assert transcribe(tiny_whisper, [long]) == [" ".join(filter(None, parts))]


Break = Callable[[Path], None]


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _config_not_json(folder: Path) -> None:
    (folder / "config.json").write_text("{ nonsense")


def _another_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "hubert"}))


def _unheard_of_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "murmur"}))


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _some_weights_missing(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.decoder.layers.0.fc1.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _a_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.encoder.layers.0.fc1.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "processor_config.json"):
        (folder / name).unlink(missing_ok=True)


def _setting(file: str, **settings: object) -> Break:
    def change(folder: Path) -> None:
        told = json.loads((folder / file).read_text())
        part = told.get("feature_extractor", told)
        part |= settings
        (folder / file).write_text(json.dumps(told))

    return change


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_setting("config.json", activation_function="gelluu"), "json asks for 'gelluu', which"),
        (_setting("processor_config.json", sampling_rate=8000), "'sampling_rate' is 8000, and all"),
        (_setting("processor_config.json", hop_length=0), "has no tokenizer or feature extractor"),
        (_setting("processor_config.json", hop_length=-1), "'hop_length' is -1: mend that"),
        (_setting("processor_config.json", feature_size=128), "128 bands, and the model takes 80"),
        (_setting("processor_config.json", chunk_length=30), "give 3000 frames, and the model"),
        (_no_config, "has no config.json"),
        (_config_not_json, "is not a configuration that transformers knows: it is not JSON"),
        (_another_architecture, "is a 'hubert' model; Secateur knows"),
        (_unheard_of_architecture, "its model_type is 'murmur'; Secateur knows"),
        (_no_weights, "its weights do not load"),
        (_cut_weights, "its weights do not load"),
        (_some_weights_missing, r"lacks 1 weights .* model\.decoder\.layers\.0\.fc1\.weight"),
        (_a_nan, r"NaN or infinite weights in model\.encoder\.layers\.0\.fc1\.weight"),
        (_no_tokenizer, r"has no tokenizer\.json"),
    ],
)
def test_a_broken_checkpoint_gives_one_sentence(
    tiny_whisper: Checkpoint, tmp_path: Path, damage: Break, sentence: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny_whisper.source, folder)
    damage(folder)
    with pytest.raises(BadInput, match=sentence) as caught:
        open_checkpoint(str(folder))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name of the model is empty"):
        open_checkpoint("")
    with pytest.raises(BadInput, match="does not exist"):
        open_checkpoint(str(tmp_path / "nothing"))
    file = tmp_path / "model.bin"
    file.touch()
    with pytest.raises(BadInput, match="is a file"):
        open_checkpoint(str(file))
