"""`secateur prune`: a checkpoint that opens anywhere, or one sentence and nothing written."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from transformers import WhisperForConditionalGeneration

from prune.checkpoint import open_checkpoint
from prune.families.groups import groups
from prune.methods import METHODS
from tests.pipeline.command_line import assert_one_sentence, killed_once, secateur
from tests.pipeline.small_disk import small_disk

DEMO = "demo:calibration"


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


def test_the_summary_says_by_component_what_went(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    words = ["prune", str(tiny_folders["whisper"]), "--method", "obs", "--sparsity", "0.5"]
    words += ["--layers", "encoder.ffn,decoder.cross_attention", "--layers", "decoder.ffn"]
    done = secateur(*words, "--corpus", DEMO, "--clips", "4", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    table = {line[0]: line[1:] for line in lines if line[0].startswith(("encoder.", "decoder."))}
    assert table["encoder.ffn"][:2] == ["8,192", "50.00"]
    assert 0 < float(table["encoder.ffn"][2]) < 50
    assert table["encoder.attention"] == ["8,192", "0.00"]
    assert "weights of the 16 chosen layers are zero: 30.00 %" in done.stdout.splitlines()[-1]
    assert done.stdout.rstrip().endswith(f"written to {tmp_path / 'out'}.")
    assert done.stderr == "", "no progress bars in a pipe"


def test_damping_beyond_the_usual_and_a_divergence_are_told() -> None:
    from pipeline import prune_summary

    row = {"component": "encoder.ffn", "weights": 8, "left": 8, "zeros": 0.5, "error": None}
    lesson = {"steps": 20, "best_step": 10, "held_out": [[0, 2.0], [10, 1.0], [20, None]]}
    record = {
        "components": [row | {"damping": 0.1}],
        "damping": {"a.fc1": 0.1, "a.fc2": 0.01},
        "lessons": [lesson | {"stopped": "diverged: the loss was no number at step 20"}],
    }
    lines = " ".join(prune_summary._warnings(record))
    assert "Damped beyond the usual 0.01" in lines
    assert "1 layer, a.fc1" in lines
    assert "it diverged: the loss was no number at step 20; the weights of step 10" in lines


@pytest.mark.parametrize(
    "how",
    [
        ["--sparsity", "0.4"],
        ["--heads", "0.5", "--ffn", "0.25"],
        ["--blocks", "0.25"],
        ["--blocks", "0.25", "--sparsity", "0.4"],
    ],
)
def test_whole_heads_and_neurons_are_gone_from_the_folder(
    tiny_folders: dict[str, Path], tmp_path: Path, how: list[str]
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    words = ["--corpus", DEMO, "--clips", "4", "-o", str(out)]
    done = secateur(
        "prune", str(tiny_folders["whisper"]), "--method", "obs_structured", *how, *words
    )
    assert done.returncode == 0, done.stderr
    assert "removed or zero" in done.stdout
    record = json.loads((out / "pruning.json").read_text())
    assert ("before  after" in done.stdout) == bool(record["shapes"])
    assert record["requested"] == (0.4 if "--sparsity" in how else None)
    for name, (before, after) in record["shapes"].items():
        assert 0 < after < before, name
    assert len(record["dropped"]) == ("--blocks" in how)
    assert ("Dropped whole: model." in done.stdout) == ("--blocks" in how)
    was = (tiny_folders["whisper"] / "model.safetensors").stat().st_size
    assert (out / "model.safetensors").stat().st_size < was
    model = open_checkpoint(str(out)).model
    counts = [group.count for name, group in groups(model).items() if name.endswith("fc1")]
    named = [f"model.{side}.layers.{i}" for side in ("encoder", "decoder") for i in range(2)]
    stayed = [f"{name}.fc1" for name in named if name not in record["dropped"]]
    assert counts == [record["shapes"].get(name, [64, 64])[1] for name in stayed]
    done = secateur(
        "prune", str(out), "--method", "mp_local", "--sparsity", "0.5", "-o", str(again)
    )
    assert done.returncode == 0, done.stderr
    assert open_checkpoint(str(again)).model


def test_patterns_profiles_and_vocabulary(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    def pruned(name: str, *words: str) -> dict[str, Any]:
        model = str(tiny_folders["whisper"])
        place = ["--corpus", DEMO, "--clips", "3", "-o", str(tmp_path / name), "--json"]
        done = secateur("prune", model, *words, *place)
        assert done.returncode == 0, done.stderr
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    record = pruned("nm", "--method", "nm_obs", "--pattern", "1:4", "--precision", "float64")
    assert record["achieved"] == 0.75
    assert record["options"]["pattern"] == [1, 4]
    words = ["--method", "obs_profile", "--sparsity", "0.5", "--share", "encoder=0.6", "--quick"]
    record = pruned("profile", *words)
    shares = {row["component"]: row["zeros"] for row in record["components"]}
    assert shares["encoder.ffn"] == pytest.approx(0.6, abs=0.01)
    assert record["achieved"] == pytest.approx(0.5, abs=0.001)
    record = pruned("tied", "--method", "mp_global", "--sparsity", "0.5", "--tied")
    assert record["achieved"] == pytest.approx(0.5, abs=0.001)
    assert record["components"][-1]["component"] == "vocabulary"


def test_a_killed_fine_tuning_ends_where_it_would_have(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    words = ["prune", str(tiny_folders["sew"]), "--method", "imp_local", "--sparsity", "0.5"]
    words += ["--step", "0.25", "--steps", "80", "--batch", "2", "--corpus", DEMO, "--clips", "8"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = secateur(*words, "-o", str(whole))
    assert done.returncode == 0, done.stderr
    assert "Fine-tuning 2:" in done.stdout
    work = tmp_path / ".cut.work"
    killed_once(
        lambda: (work / "schedule.pt").exists() and (work / "lesson.pt").exists(),
        *words,
        *("-o", str(cut)),
    )
    assert not cut.exists()
    other = secateur(*words[:-1], "7", "-o", str(cut))
    assert_one_sentence(other, "schedule.pt", "delete it to start afresh")
    done = secateur(*words, "-o", str(cut))
    assert done.returncode == 0, done.stderr
    for name in ("model.safetensors", "pruning.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_a_state_folder_that_is_a_file_is_refused_before_any_work(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    words = ["prune", str(tiny_folders["whisper"]), "--method", "mp_finetune_local"]
    words += ["--sparsity", "0.5", "--steps", "1", "--corpus", DEMO, "--clips", "3"]
    (tmp_path / "state").touch()
    words += ["--work", str(tmp_path / "state")]
    done = secateur(*words, "-o", str(tmp_path / "out"))
    assert_one_sentence(done, "state cannot be written", "no folder")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    words = ["prune", str(tiny_folders["whisper"]), "--method", "mp_global", "--sparsity", "0.5"]
    with small_disk(place) as limit:
        done = secateur(*words, "-o", str(place / "out"), **limit)
        assert_one_sentence(done, str(place / "out"), "disk is full")
        assert list(place.iterdir()) == []
        words[3:4] = ["mp_finetune_local", "--steps", "2", "--corpus", DEMO, "--clips", "3"]
        done = secateur(*words, "-o", str(place / "out"), **limit)
        assert_one_sentence(done, str(place / ".out.work"), "disk is full")
        out, work = tmp_path / "out", place / "state"
        done = secateur(*words, "-o", str(out), "--work", str(work), **limit)
        assert_one_sentence(done, f"The disk is full, and {work}", "was not written")
        assert not out.exists()
        assert not [path for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("mp_globl --sparsity 0.5", ["mp_globl", "did you mean 'mp_global'"]),
        ("mp_global --sparsity 1.5", ["1.5", "between 0 and 1"]),
        ("mp_global --sparsity nan", ["nan", "between 0 and 1"]),
        ("mp_global", ["--sparsity"]),
        ("obs --sparsity 0.5", ["obs", "--corpus"]),
        ("obs --sparsity 0.5 --corpus dmeo", ["dmeo", "did you mean 'demo'"]),
        ("obs_structured --sparsity 0.99", ["0.99", "cannot be reached"]),
        ("mp_global --sparsity 0.5 --layers encodr.ffn", ["encodr.ffn", "'encoder.ffn'"]),
        ("obs_profile --sparsity 0.5 --share encodr=0.7", ["encodr", "did you mean 'encoder'"]),
        ("obs_profile --sparsity 0.5 --share encoder", ["encoder", "component=sparsity"]),
        ("obs_profile --sparsity 0.5 --share encoder=2", ["encoder", "2", "0 to 1"]),
        ("mp_local --sparsity 0.5 --steps 300", ["--steps", "fine-tune"]),
        ("mp_local --sparsity 0.5 --no-teacher", ["--no-teacher", "fine-tune"]),
        ("mp_local --sparsity 0.5 --lessons demo", ["--lessons", "fine-tune"]),
        ("mp_local --sparsity 0.5 --step 0.2", ["--step", "step by step"]),
        ("mp_local --sparsity 0.5 --pattern 2:4", ["--pattern", "nm_obs"]),
        ("mp_local --sparsity 0.5 --hutchinson 4", ["--hutchinson", "mp_trace"]),
        ("mp_trace --sparsity 0.5 --hutchinson -4", ["hutchinson -4", "1 or more"]),
        ("mp_local --sparsity 0.5 --heads 0.5", ["--heads", "obs_structured"]),
        ("obs_structured --sparsity 0.5 --layers encoder", ["--layers", "single layers"]),
        ("nm_obs --pattern 4:2", ["4:2", "2:4"]),
        ("nm_obs --pattern 2:4 --sparsity 0.7", ["0.7", "2:4", "0.5"]),
        ("nm_obs --sparsity 0.995", ["0.995", "n of m"]),
        ("obs_structured --heads 0.5 --sparsity 0.7", ["0.7", "leave it out"]),
        ("obs_structured --heads 1.5", ["heads 1.5"]),
        ("dense_finetune --sparsity 0.5", ["0.5", "cuts nothing"]),
        ("mp_finetune_local --sparsity 0.5 --steps 0", ["steps = 0", "at least 1"]),
        ("mp_finetune_local --sparsity 0.5 --rate nan", ["rate = nan"]),
        ("imp_local --sparsity 0.5 --step 0", ["step 0.0"]),
        ("mp_local --sparsity 0.5 --device gpu", ["'gpu'", "cuda, mps, cpu"]),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    tiny_folders: dict[str, Path], tmp_path: Path, words: str, fragments: list[str]
) -> None:
    model, out = str(tiny_folders["sew"]), tmp_path / "out"
    given = words.split()
    hears = {"obs", "dmeo"} & set(given) or given[0].startswith("mp_")
    heard = [] if hears and "finetune" not in given[0] else ["--corpus", DEMO, "--clips", "3"]
    done = secateur("prune", model, "-o", str(out), "--method", *given, *heard)
    assert_one_sentence(done, *fragments)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_or_impossible_place_is_left_alone(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    words = ["prune", str(tiny_folders["sew"]), "--method", "mp_global", "--sparsity", "0.5"]
    out = tmp_path / "out"
    shutil.copytree(tiny_folders["sew"], out)
    before = sorted(out.iterdir())
    assert_one_sentence(secateur(*words, "-o", str(out)), str(out), "not an empty folder")
    assert sorted(out.iterdir()) == before
    inside = out / "config.json" / "new"
    assert_one_sentence(secateur(*words, "-o", str(inside)), str(inside))
    assert list(tmp_path.iterdir()) == [out]


def test_silent_and_empty_corpora(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "metadata.jsonl").write_text("")
    words = ["prune", str(tiny_folders["sew"]), "--method", "obs", "--sparsity", "0.5"]
    words += ["--corpus", str(corpus), "-o", str(tmp_path / "out")]
    assert_one_sentence(secateur(*words), str(corpus))
    soundfile.write(corpus / "0.wav", np.zeros(16_000), 16_000)
    (corpus / "metadata.jsonl").write_text('{"file_name": "0.wav", "text": "on"}')
    assert_one_sentence(secateur(*words), "0.wav", "silent")
    assert list(tmp_path.iterdir()) == [corpus]


def test_the_methods_are_listed_with_what_they_are_made_of() -> None:
    lines = secateur("methods").stdout.splitlines()
    assert lines[0].split() == [
        "name", "score", "allocation", "structure", "schedule", "summary",
    ]  # fmt: skip
    assert any(line.split()[:4] == ["owl_wanda", "wanda", "owl", "unstructured"] for line in lines)
    known = json.loads(secateur("methods", "--json").stdout)
    assert known.keys() == METHODS.keys()
    assert known["iobs"]["fine_tunes"] is True
    assert known["iobs"]["schedule"] == "gradual"
