"""The bundled models and clips: good enough to show something, small enough to hurt."""

import json
from pathlib import Path

import pytest
import torch

from prune.checkpoint import open_checkpoint
from prune.listen import transcribe
from prune.options import Options
from prune.schedule import prune
from speech.assets import assets_folder
from speech.corpora import open_corpus
from speech.scoring import Score, score

#: The most a dense model may get wrong on the test clips.
LIMITS = {"demo-whisper": 0.05, "demo-sew": 0.08}


def scored(model: str, method: str = "mp_global", sparsity: float = 0.0, **options: float) -> Score:
    torch.set_num_threads(1)
    corpus = open_corpus("demo:test")
    checkpoint = open_checkpoint(model)
    speech = open_corpus("demo:calibration", limit=64)
    prune(checkpoint, method, sparsity, speech, options=Options(**options))
    heard = transcribe(checkpoint, (clip.samples() for clip in corpus.clips), batch=100)
    return score([clip.text for clip in corpus.clips], heard, normalizer=corpus.normalizer)


@pytest.mark.parametrize("model", LIMITS)
def test_dense_it_understands_and_at_80_percent_it_no_longer_does(model: str) -> None:
    dense, pruned = scored(model), scored(model, sparsity=0.8)
    assert dense.clips == 200
    assert dense.wer <= LIMITS[model]
    assert pruned.wer >= 4 * dense.wer
    assert pruned.wer > dense.wer_high


@pytest.mark.long
@pytest.mark.parametrize("model", LIMITS)
def test_obs_adds_a_quarter_of_the_errors_of_magnitude_pruning_at_most(model: str) -> None:
    dense, magnitude, obs = scored(model), scored(model, sparsity=0.7), scored(model, "obs", 0.7)
    assert obs.wer - dense.wer <= (magnitude.wer - dense.wer) / 4


@pytest.mark.long
def test_demo_whisper_does_without_half_of_its_neurons() -> None:
    dense, halved = scored("demo-whisper"), scored("demo-whisper", "obs_structured", ffn=0.5)
    assert halved.wer - dense.wer <= 0.01


@pytest.mark.parametrize("model", LIMITS)
def test_it_has_one_to_three_million_parameters(model: str) -> None:
    count = sum(p.numel() for p in open_checkpoint(model).model.parameters())
    assert 1_000_000 <= count <= 3_000_000


def test_test_voices_were_never_heard_in_training_or_calibration() -> None:
    def variants(part: str) -> set[str]:
        lines = (assets_folder() / "clips" / part / "metadata.jsonl").read_text().splitlines()
        return {json.loads(line)["voice"].split("+")[1] for line in lines}

    from demo.voices import TEST_VARIANTS, TRAINING_VARIANTS

    assert variants("test") <= set(TEST_VARIANTS)
    assert variants("calibration") <= set(TRAINING_VARIANTS)
    assert not set(TEST_VARIANTS) & set(TRAINING_VARIANTS)


def test_all_assets_stay_under_25_megabytes() -> None:
    files = [path for path in assets_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 25_000_000
    assert {Path(p).parts[0] for p in (f.relative_to(assets_folder()) for f in files)} == {
        "clips",
        "demo-whisper",
        "demo-sew",
    }
