"""The model card: what it claims, what it leaves out, and that the Python in it works."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml
from huggingface_hub import ModelCard

from export.card import card
from export.card_usage import SHAPES
from prune.structure.shapes import KEY
from runtime.bundle import Bundle, Sparsity
from runtime.recognizer import open_recognizer
from runtime.rules import WhisperRules
from speech.audio import read_audio
from tests.bench.conftest import write_tiny_bundle
from tests.export.exported import noise, sew, whisper

ORIGIN = {
    "model": "someone/sew-tiny",
    "model_from": "hub",
    "seed": 7,
    "versions": {"secateur": "0.1.0", "torch": "2.13.0"},
    "recipe": {
        "corpus": {
            "evaluate": "librispeech:test-clean",
            "calibrate": "demo:calibration",
            "calibration_clips": 128,
        }
    },
    "lessons": [{"steps": 300}, {"steps": 250}],
}


@pytest.fixture
def tiny(tmp_path: Path) -> Bundle:
    """Pruned to 70 %, heard at 5.8 %, with a checkpoint whose layers are as they were."""
    folder = write_tiny_bundle(tmp_path / "tiny", "tiny-70")
    (folder / "pytorch" / "config.json").write_text("{}")
    bundle = Bundle.open(folder)
    return changed(bundle, method="obs", provenance=ORIGIN)


def changed(bundle: Bundle, **changes: Any) -> Bundle:
    return replace(bundle, manifest=replace(bundle.manifest, **changes))


def head(bundle: Bundle, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card(bundle, **given).split("---\n")[1])
    return found


def test_the_head_is_what_the_hub_reads(tiny: Bundle) -> None:
    data = head(tiny, license="apache-2.0")
    (index,) = data.pop("model-index")
    assert data == {
        "library_name": "secateur",
        "pipeline_tag": "automatic-speech-recognition",
        "base_model": "someone/sew-tiny",
        "license": "apache-2.0",
        "tags": ["pruned", "onnx", "sew", "obs"],
    }
    assert index["name"] == "tiny-70"
    (result,) = index["results"]
    assert result["dataset"] == {
        "type": "openslr/librispeech_asr",
        "name": "librispeech:test-clean (20 clips)",
        "config": "clean",
        "split": "test",
    }
    (metric,) = result["metrics"]
    assert (metric["type"], metric["value"]) == ("wer", 5.8)
    assert metric["args"] == {"normalizer": "basic"}
    (parsed,) = ModelCard(card(tiny)).data.eval_results
    assert parsed.metric_value == 5.8


def test_what_a_bundle_does_not_say_is_left_out(tiny: Bundle) -> None:
    bare = changed(
        tiny, provenance={}, score=None, method="dense", sparsity=Sparsity(None, 0, 0, {})
    )
    assert head(bare).keys() == {"library_name", "pipeline_tag", "tags"}
    assert head(bare)["tags"] == ["onnx", "sew", "dense"]
    text = card(bare)
    assert "Nothing was cut" in text and "Nobody has measured it" in text
    for claim in ("Seed", "Made from", "asked for", "Zeros alone", "`None`", "sparsity.png"):
        assert claim not in text
    unnamed = changed(tiny, provenance={"model": "someone/sew-tiny", "model_from": "hub"})
    assert "model-index" not in head(unnamed)
    assert "| not recorded | **5.80** | 4.60 to 7.10 | 2.10 | 20 | 103 | basic |" in card(unnamed)


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ({"model": "demo-sew", "model_from": "bundled"}, "demo-sew"),
        ({"model": "/home/me/secret/sew", "model_from": "folder"}, "sew"),
        ({"model": "secret/sew", "model_from": "folder"}, "sew"),
        ({"model": "secret/sew"}, "sew"),
    ],
)
def test_a_folder_is_no_base_model_and_its_place_is_not_told(
    tiny: Bundle, origin: dict[str, str], shown: str
) -> None:
    bundle = changed(tiny, provenance=origin)
    assert "base_model" not in head(bundle)
    text = card(bundle)
    assert f"cut from `{shown}`" in text and "secret" not in text


def test_it_says_in_words_what_was_done(tiny: Bundle) -> None:
    text = card(changed(tiny, method="iobs"))
    for row in (
        "| Method | `iobs`: obs_search in steps, each fine-tuned |",
        "| Listened to | 128 clips of demo:calibration |",
        "| Fine-tuned | 2 times |",
        "| Sparsity asked for | 70.0 % of the prunable weights |",
        "| Sparsity achieved | 70.1 % of the prunable weights |",
        "| Of all weights | 60.0 % |",
        "| Made from | [someone/sew-tiny](https://huggingface.co/someone/sew-tiny) |",
        "| Seed | 7 |",
        f"| SHA-256 of `bundle.json` | `{tiny.sha256}` |",
    ):
        assert row in text
    assert "3 replaced, 1 put in, 2 left out" in text
    size = next(file.size for file in tiny.manifest.files if file.path == "model.onnx")
    assert f"| `model.onnx` | {size:,} bytes | yes |" in text
    assert "| `pytorch/model.safetensors` | 1,000 bytes | no |" in text


def test_only_shapes_that_shrank_are_said_to_help(tiny: Bundle) -> None:
    packed = changed(tiny, weights={"model": "model.weights"}, precision="int8")
    assert "Zeros alone buy no speed" in card(tiny)
    assert "zeros are kept off the disk" in card(packed)
    shrunk = card(changed(tiny, method="obs_structured"))
    assert "Zeros alone" not in shrunk and "layers have really shrunk" in shrunk


def test_it_names_what_opens_it_and_nothing_that_does_not(tiny: Bundle) -> None:
    packed = changed(tiny, weights={"model": "model.weights"})
    assert "InferenceSession" not in card(packed) and "does not open them" in card(packed)
    checkpoint = tiny.folder / "pytorch"
    assert 'AutoModelForCTC.from_pretrained("x/pytorch")' in card(tiny, repository="me/x")
    (checkpoint / "model.safetensors").rename(checkpoint / "model.packed.safetensors")
    text = card(tiny, repository="me/x")
    assert "secateur load x -o x-pytorch" in text and 'from_pretrained("x-pytorch")' in text
    assert SHAPES == KEY
    (checkpoint / "config.json").write_text(json.dumps({KEY: {"encoder.layers.0.attention": 1}}))
    text = card(tiny, repository="me/x")
    assert 'open_checkpoint("x/pytorch")' in text and ".from_pretrained" not in text
    checkpoint.rename(tiny.folder / "elsewhere")
    assert "With PyTorch" not in card(tiny)


def test_what_a_bundle_calls_itself_stays_text(tiny: Bundle) -> None:
    name = 'x: [y]\n---\n# <img src="x"> | `no`'
    odd = changed(tiny, name=name, method="`m`\n| a |", provenance={"seed": "|\n|", "recipe": 3})
    text = card(odd)
    data = ModelCard(text).data
    assert data.tags[-1] == "`m`\n| a |"
    body = text.split("\n---\n\n", 2)[-1]
    assert body.startswith("# x: ") and "\n# " not in body and not re.search(r"[^\\]<img", body)
    assert "| Method | `m a` |" in text
    assert r"| Seed | \| \| |" in text


def spoken(prefix: tuple[int, ...]) -> WhisperRules:
    return WhisperRules(prefix, suppress=(), begin_suppress=(), end=(0,), max_length=9)


def test_multilingual_whisper_is_known_by_its_prefix(tiny: Bundle) -> None:
    tokens = [{"id": 5, "content": "<|startoftranscript|>"}, {"id": 6, "content": "<|de|>"}]
    tiny.tokenizer.write_text(json.dumps({"added_tokens": tokens}))
    graphs = {"encoder": "model.onnx", "decoder": "model.onnx"}
    told = changed(tiny, family="whisper", graphs=graphs, decoding=spoken((5, 6)))
    assert head(told)["language"] == "de"
    assert "language" not in head(changed(told, decoding=spoken((5,))))


@pytest.mark.parametrize("family", [whisper, sew])
def test_the_python_in_it_hears_what_the_bundle_hears(
    family: Callable[[], tuple[Any, Bundle]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each block as it stands, where `hf download` would have left the bundle."""
    bundle = family()[1]
    soundfile.write(tmp_path / "clip.wav", noise(3, 1.5), 16_000)
    (tmp_path / "cut").symlink_to(bundle.folder)
    monkeypatch.chdir(tmp_path)
    clip = read_audio(tmp_path / "clip.wav")
    expected = open_recognizer(bundle).transcribe(clip).text
    assert expected
    blocks = re.findall(r"```python\n(.*?)```", card(bundle, repository="me/cut"), re.DOTALL)
    assert len(blocks) == 3
    spaces: list[dict[str, Any]] = [{} for _ in blocks]
    for block, space in zip(blocks, spaces, strict=True):
        exec(block, space)
    assert capsys.readouterr().out.splitlines() == [expected, expected]
    assert spaces[-1]["model"].config.model_type == bundle.manifest.architecture
    assert spaces[-1]["processor"].feature_extractor.sampling_rate == 16_000
