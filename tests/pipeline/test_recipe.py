"""Recipes: the shipped ones are good, and each kind of mistake is one sentence."""

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.plan import Cell, cells, fingerprint
from pipeline.recipe import Recipe, read_recipe
from pipeline.recipe_pruning import FineTuningSection, PruneSection
from prune.options import Options
from prune.training_plan import FineTuning
from speech.corpora import open_corpus
from speech.errors import BadInput
from tests.noise import write_noise

ROOT = Path(__file__).parents[2]

GOOD = """
name = "trial"
models = ["demo-sew"]
[prune]
methods = ["mp_global"]
sparsities = [0.0, 0.5]
"""


@pytest.mark.parametrize("path", sorted(ROOT.glob("recipes/*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_good(path: Path) -> None:
    assert read_recipe(path).models


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('name = "trial"', 'nam = "trial"', r"(unknown key 'nam' \(did you mean 'name'|'name' is)"),
        ("methods", "method", "'prune.methods' is missing|unknown key 'prune.method'"),
        ("mp_global", "mp_globl", "mp_globl.*did you mean 'mp_global'"),
        ("[0.0, 0.5]", "[0.0, 1.5]", r"prune\.sparsities\.1 = 1\.5: .*less than or equal to 1"),
        ("[0.0, 0.5]", "[-0.1]", r"prune\.sparsities\.0 = -0\.1"),
        ("[0.0, 0.5]", "[]", r"prune\.sparsities = \[\]"),
        ("[0.0, 0.5]", "0.5", r"prune\.sparsities = 0\.5"),
        ('["demo-sew"]', '"demo-sew"', r"models = 'demo-sew'"),
        ('name = "trial"', 'name = "a/b"', r"name = 'a/b'"),
        ('name = "trial"', 'name = "trial"\nseed = "one"', r"seed = 'one'"),
        ('name = "trial"', "name = ", "is not TOML"),
        ("[0.0, 0.5]", "[0.5]\n[prune.fine_tuning]\nstep = 9", "fine_tuning.step'.*'steps'"),
        ("[0.0, 0.5]", "[0.5]\n[prune.fine_tuning]\nrate = 'a'", r"fine_tuning\.rate = 'a'"),
        ("[0.0, 0.5]", "[0.5]\n[prune.fine_tuning]\nsteps = 0", "steps = 0 must be at least 1"),
        ("[0.0, 0.5]", "[0.5]\nstep = 0.0", r"prune\.step = 0\.0"),
        ("[0.0, 0.5]", "[0.5]\nheads = 0.5", r"prune: mp_global has no use for heads, .*leave it"),
        ("[0.0, 0.5]", "[0.5]\nheads = 2.0", r"prune\.heads = 2\.0: .*less than or equal to 1"),
        ("mp_global", "obs_profile", r"prune: obs_profile .*add shares"),
        ("[0.0, 0.5]", "[0.5]\npattern = '4:2'", r"prune: pattern '4:2' is not n:m"),
        ("[prune]", "[measure]\nclips = 0\n[prune]", r"measure\.clips = 0"),
        ("[prune]", "[export]\nprecisions = []\n[prune]", r"export\.precisions = \[\]: .*1 item"),
        ("[prune]", "[export]\npytorch = 'tiny'\n[prune]", r"export\.pytorch = 'tiny': .*'packed'"),
        ("[prune]", "[export]\nzstd = 20\n[prune]", r"export\.zstd = 20: .* 19"),
        ("[prune]", "[export]\nzstd = 3\n[prune]", r"export: .*nothing here is packed"),
        ("[prune]", "[measure]\nsample = 3\n[prune]", "'measure.sample'.*did you mean 'samples'"),
    ],
)
def test_a_mistake_is_one_sentence_with_key_value_and_nearest(
    tmp_path: Path, before: str, after: str, sentence: str
) -> None:
    path = tmp_path / "recipe.toml"
    assert before in GOOD
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(BadInput, match=sentence) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fine_tuning_is_set_as_the_engine_knows_it(tmp_path: Path) -> None:
    assert set(FineTuningSection.model_fields) == {f.name for f in fields(FineTuning)} - {"seed"}
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD + "[prune.fine_tuning]\nsteps = 7\nrate = 1e-4\n")
    plan = read_recipe(path).prune.fine_tuning.plan(seed=3)
    assert plan == FineTuning(steps=7, rate=1e-4, seed=3)


@pytest.mark.parametrize(
    ("methods", "sparsities", "names"),
    [
        (["mp_global", "obs"], [0.0, 0.5], ["dense", "mp_global-50", "obs-50"]),
        (["obs_finetune"], [0.5], ["dense_finetune", "obs_finetune-50"]),
        (["obs", "iobs"], [0.0, 0.5], ["dense", "dense_finetune", "obs-50", "iobs-50"]),
        (["iobs"], [0.0], ["dense"]),
        (["dense_finetune"], [0.5], ["dense_finetune"]),
        (["dense_finetune", "obs"], [0.0, 0.5], ["dense", "dense_finetune", "obs-50"]),
    ],
)
def test_a_fine_tuned_sweep_has_its_control(
    methods: list[str], sparsities: list[float], names: list[str]
) -> None:
    section = PruneSection(methods=methods, sparsities=sparsities)
    recipe = Recipe(name="trial", models=["a/demo-sew"], prune=section)
    assert [cell.name for cell in cells(recipe)] == [f"demo-sew-{name}" for name in names]


def test_a_bundle_is_made_again_when_what_it_holds_is_another(tmp_path: Path) -> None:
    corpus = open_corpus(str(write_noise(tmp_path / "clips", (1,))))

    def marks(export: str) -> list[str]:
        (tmp_path / "recipe.toml").write_text(f"{GOOD}[export]\nprecisions = ['int8']\n{export}")
        recipe = read_recipe(tmp_path / "recipe.toml")
        both = [Cell("demo-sew", "dense", 0, precision=how) for how in ("fp32", "int8")]
        return [fingerprint(cell, recipe, corpus) for cell in both]

    plain, packed, none = (marks(f"pytorch = '{how}'") for how in ("plain", "packed", "none"))
    assert marks("") == plain
    assert len({plain[0], packed[0], none[0]}) == 3
    assert marks("zstd = 3")[0] == plain[0] and marks("zstd = 3")[1] != plain[1]
    assert marks("zstd = 3\npytorch = 'packed'")[0] != packed[0]


def test_options_go_to_the_methods_that_have_a_use_for_them(tmp_path: Path) -> None:
    own = {"methods", "sparsities"}
    assert set(PruneSection.model_fields) - own == {f.name for f in fields(Options)} - {"seed"}
    corpus = open_corpus(str(write_noise(tmp_path / "clips", (1,))))

    def marks(**options: object) -> dict[str, str]:
        methods = ["obs", "nm_obs", "obs_structured"]
        section = PruneSection(methods=methods, sparsities=[0.5, 0.7], **options)
        recipe = Recipe(name="trial", models=["demo-sew"], prune=section)
        found = {cell.name: fingerprint(cell, recipe, corpus) for cell in cells(recipe)}
        return {name.removeprefix("demo-sew-"): mark for name, mark in found.items()}

    plain, special = marks(), marks(pattern="2:4", heads=0.25, ffn=0.5)
    assert set(plain) == {f"{m}-{s}" for m in ("obs", "nm_obs", "obs_structured") for s in (50, 70)}
    assert set(special) == {"obs-50", "obs-70", "nm_obs-50", "obs_structured-heads25-ffn50"}
    assert special["obs-50"] == plain["obs-50"]
    assert special["nm_obs-50"] != plain["nm_obs-50"]
    assert marks(layers=["*.fc1"])["obs-50"] != plain["obs-50"]


def test_missing_and_unreadable_recipes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="is a folder"):
        read_recipe(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not TOML"):
        read_recipe(binary)
