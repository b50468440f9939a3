"""Recipes: the shipped ones are good, and each kind of mistake is one sentence."""

from pathlib import Path

import pytest

from pipeline.recipe import read_recipe
from speech.errors import BadInput

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
        ("[prune]", "[measure]\nclips = 0\n[prune]", r"measure\.clips = 0"),
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


def test_missing_and_unreadable_recipes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="is a folder"):
        read_recipe(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not TOML"):
        read_recipe(binary)
