"""`secateur recipe`: what a recipe will do, new ones, imported ones, and the page about them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recipe import read_recipe
from pipeline.recipe.faults import keys, section_of
from pipeline.recipe.reference import described, reference
from pipeline.recipe.schema import Recipe
from pipeline.recipe.toml_text import spelt
from tests.pipeline.command_line import assert_one_sentence, secateur

ROOT = Path(__file__).parents[2]

#: A configuration with every section, some of whose keys a recipe has nothing for.
CONFIG: dict[str, Any] = {
    "model": {"name": "openai/whisper-base", "cache_dir": "cache"},
    "pruning": {
        "method": "magnitude",
        "sparsity": 0.4,
        "target_modules": ["encoder.layers"],
        "apply_outlier_weighting": True,
        "outlier_hyper_lambda": 0.1,
        "outlier_hyper_m": 7,
        "pruning_pattern": "unstructured",
    },
    "evaluation": {
        "datasets": [
            {"name": "librispeech", "split": "test", "subset": "other", "max_samples": 5},
            {"name": "tedlium"},
        ],
        "metrics": ["wer", "bleu"],
    },
    "optimization": {"quantization": {"enabled": True, "bits": 8, "method": "dynamic"}},
    "output": {"dir": "cut", "log_to_tensorboard": True, "export_onnx": True},
    "hardware": {"device": "mps", "cpu_threads": 4},
}


def said(*words: str) -> str:
    done = secateur("recipe", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_explain_says_what_each_bundle_is_made_from() -> None:
    record = json.loads(said("explain", str(ROOT / "recipes" / "pi-zero-2w.toml"), "--json"))
    made = {bundle["name"]: bundle for bundle in record["bundles"]}
    cut = "whisper-tiny.en-obs_structured_finetune-heads25-ffn50"
    assert made[cut]["made_from"] == "openai/whisper-tiny.en"
    assert made[f"{cut}-mixed"]["made_from"] == cut
    assert "25 % of the heads and 50 % of the neurons" in made[cut]["how"]
    assert "then fine-tuned for 1000 steps" in made[cut]["how"]
    assert record["lessons"]["methods"] == ["dense_finetune", "obs_structured_finetune"]
    text = said("explain", str(ROOT / "recipes" / "sew-tiny.toml"))
    assert "sew-tiny makes 42 bundles in bundles/sew-tiny." in text
    cut = "52.2 % of the weights cut in 7 steps on the way to 65.1 % without training"
    assert f"mp_repeat-52.2  {cut}" in text
    assert "of it also int8" in text


def test_a_new_recipe_is_good_and_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "my study.toml"
    words = ("new", "--model", "openai/whisper-tiny", "--corpus", "librispeech:test-clean")
    said(*words, "-o", str(path))
    recipe = read_recipe(path)
    assert (recipe.name, recipe.models) == ("my-study", ["openai/whisper-tiny"])
    assert recipe.corpus.evaluate == "librispeech:test-clean"
    assert recipe.corpus.calibrate == "librispeech:dev-clean"
    assert "# " in path.read_text()
    before = path.read_text()
    assert_one_sentence(secateur("recipe", *words, "-o", str(path)), "my study.toml", "exists")
    assert path.read_text() == before
    assert 'name = "other"' in said("new", "other")
    bad = secateur("recipe", "new", "--model", "demo-swe", "-o", str(tmp_path / "bad.toml"))
    assert_one_sentence(bad, "demo-swe", "did you mean 'demo-sew'?")
    assert not (tmp_path / "bad.toml").exists()


def imported(tmp_path: Path, config: object) -> Any:
    (tmp_path / "config.json").write_text(json.dumps(config))
    out = tmp_path / "out.toml"
    return secateur("recipe", "import", str(tmp_path / "config.json"), "-o", str(out))


def test_an_import_keeps_what_it_can_and_names_what_it_cannot(tmp_path: Path) -> None:
    done = imported(tmp_path, CONFIG)
    assert done.returncode == 0, done.stderr
    recipe = read_recipe(tmp_path / "out.toml")
    assert (recipe.models, recipe.output) == (["openai/whisper-base"], "cut")
    assert (recipe.prune.methods, recipe.prune.sparsities) == (["owl_mp"], [0.0, 0.4])
    assert (recipe.prune.owl_lambda, recipe.prune.owl_m) == (0.1, 7)
    assert recipe.prune.layers == ["encoder.layers"]
    assert (recipe.corpus.evaluate, recipe.corpus.limit) == ("librispeech:test-other", 5)
    assert (recipe.export.precisions, recipe.measure.threads) == (["fp32", "int8"], 4)
    left = [line.partition(": ")[2] for line in done.stderr.splitlines() if "Left" in line]
    assert [line.partition(" = ")[0] for line in left] == [
        *("model.cache_dir", "evaluation.datasets.1.name", "evaluation.metrics"),
        *("output.log_to_tensorboard", "hardware.device"),
    ]
    assert '["bleu"]' in left[2]
    assert all(f"#   {line.rstrip('.')}" in (tmp_path / "out.toml").read_text() for line in left)


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("pruning", "method", "magnitud", "did you mean 'magnitude'?"),
        ("pruning", "method", "taylor", "goes with mp_local, wanda, obs, not with taylor"),
        ("pruning", "sparsity", 40, "prune.sparsities.1 = 40.0: it must be at most 1 (did you"),
        ("pruning", "sparsity", ["most"], "pruning.sparsity"),
        ("pruning", "target_modules", "encoder", 'pruning.target_modules = "encoder"'),
        ("model", "name", "whisper-base", "did you mean 'openai/whisper-base'?"),
        ("optimization", "quantization", {"enabled": True, "bits": 7}, "bits = 7 .* try 8"),
    ],
)
def test_a_bad_configuration_is_one_sentence_and_no_file(
    tmp_path: Path, section: str, key: str, value: object, sentence: str
) -> None:
    config = {**CONFIG, section: {**CONFIG[section], key: value}}
    done = imported(tmp_path, config)
    assert_one_sentence(done, "config.json", *sentence.split(" .* "))
    assert not (tmp_path / "out.toml").exists()


def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path: Path) -> None:
    assert_one_sentence(imported(tmp_path, {"models": []}), "no section 'model'")
    assert_one_sentence(secateur("recipe", "import", str(tmp_path)), "cannot be read as JSON")


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.booleans() | st.integers(-9, 9))
def test_values_are_spelt_as_toml_reads_them(value: object) -> None:
    nested = {"list": [value, 0.25], "table": {"a.b": value}}
    text = "\n".join(f"{key} = {spelt(each)}" for key, each in nested.items())
    assert tomllib.loads(text) == nested


def test_the_page_about_recipes_is_up_to_date_and_describes_every_key() -> None:
    assert (ROOT / "docs" / "recipes.md").read_text() == reference(), (
        "write it anew: secateur recipe reference -o docs/recipes.md"
    )
    sections = [Recipe, *(inner for _, field in keys() if (inner := section_of(field)))]
    for section in sections:
        for name, text in described(section).items():
            assert text or section_of(section.model_fields[name]), f"{section.__name__}.{name}"
