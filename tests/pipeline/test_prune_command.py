"""`secateur prune`: a checkpoint that opens anywhere, or one sentence and nothing written."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import WhisperForConditionalGeneration

from tests.pipeline.command_line import assert_one_sentence, secateur


@pytest.mark.parametrize("method", ["mp_global", "obs"])
def test_the_output_opens_with_from_pretrained(
    tiny_folders: dict[str, Path], tmp_path: Path, method: str
) -> None:
    out = tmp_path / "out"
    words = ["prune", str(tiny_folders["whisper"]), "--method", method, "--sparsity", "0.5"]
    words += ["--corpus", "demo:calibration", "--clips", "4", "-o", str(out), "--json"]
    done = secateur(*words)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record == json.loads((out / "pruning.json").read_text())
    assert record["achieved"] == pytest.approx(0.5, abs=0.001)
    model = WhisperForConditionalGeneration.from_pretrained(out)
    weight = model.model.encoder.layers[0].fc1.weight
    share = float((weight == 0).float().mean())
    assert share == pytest.approx(record["layers"]["model.encoder.layers.0.fc1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    heard = secateur("eval", str(out), "--corpus", "demo", "--limit", "2", "--json")
    assert json.loads(heard.stdout)["clips"] == 2


def test_same_seed_same_bits(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    weights = []
    for name in ("one", "two"):
        words = ["prune", str(tiny_folders["sew"]), "--method", "obs", "--sparsity", "0.6"]
        words += ["--corpus", "demo:calibration", "--clips", "3", "-o", str(tmp_path / name)]
        assert secateur(*words).returncode == 0
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_bad_input_is_one_sentence_and_leaves_nothing(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    model, out = str(tiny_folders["sew"]), tmp_path / "out"

    def pruned(*words: str) -> None:
        nonlocal done
        done = secateur("prune", model, "-o", str(out), *words)

    done = secateur("methods")
    pruned("--method", "mp_globl", "--sparsity", "0.5")
    assert_one_sentence(done, "mp_globl", "did you mean 'mp_global'")
    pruned("--method", "mp_global", "--sparsity", "1.5")
    assert_one_sentence(done, "1.5", "between 0 and 1")
    pruned("--method", "obs", "--sparsity", "0.5")
    assert_one_sentence(done, "obs", "--corpus")
    shutil.copytree(tiny_folders["sew"], out)
    before = sorted(out.iterdir())
    pruned("--method", "mp_global", "--sparsity", "0.5")
    assert_one_sentence(done, str(out), "not an empty folder")
    assert sorted(out.iterdir()) == before
    assert list(tmp_path.iterdir()) == [out]
