"""A published Whisper on LibriSpeech: sane as it is, refused with files of another model."""

import json
import shutil
from pathlib import Path

import pytest

from prune import training_plan
from prune.learning import lesson
from speech.assets import bundled_model
from tests.pipeline.command_line import assert_one_sentence, killed_once, secateur

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture
def odd(whisper_tiny: Path, tmp_path: Path) -> Path:
    """To be damaged; the large file of weights is not copied."""
    folder = tmp_path / "odd"
    shutil.copytree(whisper_tiny, folder, ignore=shutil.ignore_patterns("model.safetensors"))
    (folder / "model.safetensors").symlink_to(whisper_tiny / "model.safetensors")
    return folder


def other_tokenizer(folder: Path) -> None:
    demo = bundled_model("demo-whisper")
    assert demo
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(demo / file, folder / file)


def multilingual_tokenizer(folder: Path) -> None:
    """The special tokens of OpenAI's multilingual models have numbers that are one higher."""
    content = json.loads((folder / "tokenizer.json").read_text())
    for token in content["added_tokens"]:
        token["id"] += 1
    del content["model"]["vocab"]["<|endoftext|>"]
    (folder / "tokenizer.json").write_text(json.dumps(content))


def fewer_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"encoder_layers": 2}))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (other_tokenizer, "the tokenizer is another model's"),
        (multilingual_tokenizer, "the tokenizer is another model's"),
        (fewer_layers, "says encoder_layers = 2, and model.safetensors has 4"),
    ],
    ids=["no tokenizer", "the demo's tokenizer", "a multilingual tokenizer", "fewer layers"],
)
def test_files_of_another_model_are_refused(
    odd: Path, shared: Path, tmp_path: Path, damage: object, sentence: str
) -> None:
    damage(odd)  # type: ignore[operator]
    speech, recipe = str(shared / "librispeech-dev"), tmp_path / "recipe.toml"
    recipe.write_text(
        f'name = "t"\noutput = "{tmp_path / "out"}"\nmodels = ["{odd}"]\n'
        f'corpus.evaluate = "{speech}"\nprune.methods = ["mp_global"]\nprune.sparsities = [0.3]\n'
    )
    for words in (
        ["recipe", "check", str(recipe)],
        ["run", str(recipe)],
        ["eval", str(odd), "--corpus", speech, "--limit", "2"],
    ):
        assert_one_sentence(secateur(*words), str(odd), sentence)
    assert not (tmp_path / "out").exists()


def test_a_whole_checkpoint_is_good_and_understands(
    whisper_tiny: Path, shared: Path, tmp_path: Path
) -> None:
    """4.6 % of the words of 100 of these clips are wrong."""
    speech, recipe = str(shared / "librispeech-dev"), tmp_path / "recipe.toml"
    recipe.write_text(
        f'name = "t"\noutput = "{tmp_path / "out"}"\nmodels = ["{whisper_tiny}"]\n'
        f'corpus.evaluate = "{speech}"\nprune.methods = ["mp_global"]\nprune.sparsities = [0.3]\n'
    )
    done = secateur("recipe", "check", str(recipe))
    assert done.returncode == 0, done.stderr
    done = secateur(
        "eval", str(whisper_tiny), "--corpus", speech, "--limit", "20",
        "--normalizer", "english", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 0.01 < json.loads(done.stdout)["wer"] < 0.08


def test_a_fine_tuning_that_is_killed_resumes(
    whisper_tiny: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between its looks at held-out clips, after a save by time."""
    monkeypatch.setattr(lesson, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(lesson, "_SAVE_SHARE", 1e9)
    words = ["prune", str(whisper_tiny), "--method", "mp_finetune_local", "--sparsity", "0.3"]
    words += ["--steps", "3", "--batch", "1", "--no-teacher", "--clips", "4"]
    words += ["--corpus", str(shared / "librispeech-train")]
    state, saves = tmp_path / ".cut.work" / training_plan.LESSON_STATE, set[int]()

    def saved_twice() -> bool:
        if state.exists():
            saves.add(state.stat().st_mtime_ns)
        return len(saves) > 1

    killed_once(saved_twice, *words, "-o", str(tmp_path / "cut"))
    assert state.exists() and not (tmp_path / "cut").exists()
    for name in ("cut", "whole"):
        done = secateur(*words, "-o", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    for file in ("model.safetensors", "pruning.json"):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
