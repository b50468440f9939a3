"""Each kind of mistake in a recipe is one sentence: the key, the value, the nearest valid one."""

import re
from pathlib import Path

import pytest

from pipeline.recipe import read_recipe
from pipeline.recipe.check import findings
from pipeline.recipe.models import COMPONENTS, FAMILIES
from pipeline.recipe.reading import BadRecipe
from prune.checkpoint import FAMILIES as OPENED
from prune.checkpoint import open_checkpoint
from prune.families.layers import COMPONENTS as PARTS
from prune.families.layers import component, prunable_layers
from speech.errors import BadInput
from tests.noise import write_noise
from tests.pipeline.command_line import fresh_secateur, secateur

GOOD = """
name = "trial"
models = ["demo-sew"]
[corpus]
evaluate = "demo:test"
[prune]
methods = ["mp_global"]
sparsities = [0.0, 0.5]
[export]
precisions = ["fp32"]
[measure]
clips = 8
"""

#: What is written instead of what, and how the sentence begins and ends.
KINDS = {
    "no device": ("clips = 8", "devices = []", r"measure.devices = \[\]: .*empty, such as devices"),
    "too many threads": (
        "clips = 8",
        "threads = 100000",
        r"threads = 100000: .*at most 256, so 256",
    ),
    "unknown key": ('name = "trial"', 'name = "t"\nsed = 1', r"unknown key 'sed' .*mean 'seeds'"),
    "key elsewhere": ('name = "trial"', 'name = "t"\nmethods = []', r"'methods' .*'prune.methods'"),
    "unknown section": ("[measure]", "[mesure]", r"unknown key 'mesure' .*mean 'measure'"),
    "key missing": ("sparsities = [0.0, 0.5]", "", r"'prune.sparsities' .*: add sparsities = \[0"),
    "section missing": (GOOD[GOOD.index("[prune]") :], "", r"'prune' is missing: add a section"),
    "text for a list": ('["demo-sew"]', '"demo-sew"', r"models = 'demo-sew': .*\[\"demo-sew\"\]"),
    "number for a list": ("[0.0, 0.5]", "0.5", r"prune.sparsities = 0.5: .*mean \[0.5\]"),
    "text for a number": ("[0.0, 0.5]", '["50 %"]', r"sparsities.0 = '50 %': .*mean 0.5"),
    "text for a whole": ("clips = 8", 'clips = "8"', r"measure.clips = '8': .*mean 8\?"),
    "fraction for a whole": ("clips = 8", "clips = 7.9", r"measure.clips = 7.9: .*mean 8\?"),
    "number for text": ('"trial"', "7", r"name = 7: .*mean \"7\""),
    "text for a switch": ("[export]", '[export]\npacked = "yes"', r"packed = 'yes': .*mean true"),
    "value for a section": ("[0.0, 0.5]", "[0.5]\nfine_tuning = 3", r"_tuning = 3: .*a section"),
    "empty list": ("[0.0, 0.5]", "[]", r"sparsities = \[\]: .*empty, such as"),
    "share in per cent": ("[0.0, 0.5]", "[50]", r"sparsities.0 = 50: .*at most 1 .*mean 0.5"),
    "share below nothing": ("[0.0, 0.5]", "[-0.1]", r"sparsities.0 = -0.1: .*so 0 is the nearest"),
    "not a number": ("[0.0, 0.5]", "[nan]", r"sparsities.0 = nan: it must be a finite number"),
    "sparsity twice": ("[0.0, 0.5]", "[0.5, 0.5]", r"0.5, 0.5\]: 50 % is listed more than once"),
    "unknown method": ("mp_global", "mp_globl", r"'mp_globl'.*did you mean 'mp_global'"),
    "method twice": ('["mp_global"]', '["obs", "obs"]', r"methods = .*: obs is listed more than"),
    "option of no use": ("[0.0, 0.5]", "[0.5]\nheads = 0.5", r"no use for heads, .*leave it out"),
    "option missing": ("mp_global", "obs_profile", r"obs_profile .*add shares, such as"),
    "all heads": ('["mp_global"]', '["obs_structured"]\nheads = 1.0', r"heads = 1.0: .*below 1"),
    "pattern": ('["mp_global"]', "['nm_obs']\npattern = '4:2'", r"pattern = '4:2': .*'2:4'"),
    "fine-tuning": ("[export]", "[prune.fine_tuning]\nsteps = 0\n[export]", r"steps = 0 .*least 1"),
    "name for a folder": ('"trial"', '"my trial"', r"name = 'my trial': .*mean 'my-trial'"),
    "unknown precision": ('["fp32"]', '["int9"]', r"'int9' is no precision .*mean 'int"),
    "unknown choice": ("[export]", "[export]\npytorch = 'pack'", r"pytorch = 'pack': .*'packed'\?"),
    "nothing to compress": ("[export]", "[export]\nzstd = 3", r"export: zstd .*nothing here is"),
    "too much zstd": ("[export]", "[export]\nzstd = 20", r"export.zstd = 20: .*19 is the nearest"),
    "nothing to lose": ("[export]", "[export]\nmost_lost = 0.1", r"most_lost is for precisions"),
    "model twice": ('["demo-sew"]', '["demo-sew", "demo-sew"]', r"demo-sew is listed more than"),
    "same bundles": ('["demo-sew"]', '["a/b", "c/b"]', r"'a/b' and 'c/b' would both write"),
    "normalizer": ("[prune]", "normalizer = 'basik'\n[prune]", r"'basik': .*did you mean 'basic'"),
    "more than there are": ("[prune]", "limit = 4\n[prune]", r"clips = 8 .*limit = 4 .*at most 4"),
    "seed": ('name = "trial"', 'name = "t"\nseeds = [-1]', r"seeds.0 = -1: .*so 0 is the near"),
    "seed twice": ('name = "trial"', 'name = "t"\nseeds = [1, 1]', r"seeds = .*1 is listed more"),
    "revision of a folder": ("demo-sew", "demo-sew@main", r"demo-sew@main.*leave out what follo"),
    "lessons of nothing": ("[corpus]", "[corpus]\nlessons_limit = 5", r"add lessons"),
    "unknown model": ('"demo-sew"', '"demo-swe"', r"models.0 = 'demo-swe': .*mean 'demo-sew'"),
    "model of nobody": ('"demo-sew"', '"whisper-tny"', r"mean 'openai/whisper-tiny'"),
    "no such folder": ('"demo-sew"', '"./demo-sew"', r"models.0 = './demo-sew': .*no such folder"),
    "unknown corpus": ('"demo:test"', '"demo:tset"', r"evaluate = 'demo:tset': .*mean 'demo:test'"),
    "part of a corpus": ('"demo:test"', '"test-clean"', r"did you mean 'librispeech:test-clean'"),
    "missing corpus": ('"demo:test"', '"HERE/clisp"', r"evaluate = .*clisp': .*HERE/clips'"),
    "no corpus in it": (
        '"demo:test"',
        '"HERE/empty"',
        r"evaluate = .*empty': .*no layout .*metadata.json",
    ),
    "one graph": ('["fp32"]', '["mixed"]', r"\"mixed\"\]: .*demo-sew is one graph .*mean 'int8'"),
    "no decoder": (
        "[0.0, 0.5]",
        "[0.5]\nlayers = ['decoder.ffn']",
        r"layers.0 = 'decoder.ffn': de",
    ),
    "no such layer": ("[0.0, 0.5]", "[0.5]\nlayers = ['encodr.ffn']", r"mean 'encoder.ffn'"),
    "no such part": (
        'methods = ["mp_global"]',
        "methods = ['obs_profile']\nshares = { decoder = 0.5 }",
        r"prune.shares.decoder = 0.5: demo-sew has no such component",
    ),
    "all of every group": ('["mp_global"]', '["nm_obs"]', None),
    "told twice": ('["mp_global"]', '["obs_structured"]\nffn = 0.5', r"otherwise .*give \[0.0\]"),
    "not TOML": ('name = "trial"', "name = ", "is not TOML"),
}


def written(tmp_path: Path, before: str, after: str) -> Path:
    write_noise(tmp_path / "clips", (1,))
    (tmp_path / "empty").mkdir()
    path = tmp_path / "recipe.toml"
    assert before in GOOD
    path.write_text(GOOD.replace(before, after).replace("HERE", str(tmp_path)))
    return path


def sentences(path: Path) -> list[str]:
    """As `recipe check` has them."""
    try:
        return findings(read_recipe(path)).faults
    except BadRecipe as error:
        return error.sentences
    except BadInput as error:
        return [str(error)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_is_one_sentence_with_key_value_and_nearest(tmp_path: Path, kind: str) -> None:
    before, after, pattern = KINDS[kind]
    if kind == "all of every group":
        after, pattern = f"{after}\nsparsities = [0.99]", r"sparsities.0 = 0.99: .*mean 0.9\?"
        path = written(tmp_path, f"{before}\nsparsities = [0.0, 0.5]", after)
    else:
        path = written(tmp_path, before, after)
    assert pattern
    said = [line.replace(str(tmp_path), "HERE") for line in sentences(path)]
    assert any(re.search(pattern, line) for line in said), said
    assert all("\n" not in line and len(line) < 700 for line in said)


def test_without_a_mistake_there_is_nothing_to_say(tmp_path: Path) -> None:
    found = findings(read_recipe(written(tmp_path, "trial", "trial")))
    assert (found.faults, found.notes) == ([], [])


def test_what_is_valid_and_of_no_use_or_flattering_is_noted(tmp_path: Path) -> None:
    path = written(tmp_path, "[prune]", "calibrate = 'demo:test'\n[prune]")
    assert "changes nothing" in findings(read_recipe(path)).notes[0]
    path.write_text(path.read_text().replace("mp_global", "obs"))
    assert "scores will flatter" in findings(read_recipe(path)).notes[0]
    path.write_text(path.read_text().replace('"demo-sew"', '"owner/model"'))
    assert any("on the hub" in note for note in findings(read_recipe(path)).notes)


def test_check_says_every_fault_of_every_file_and_loads_no_torch(tmp_path: Path) -> None:
    good = written(tmp_path, "trial", "trial")
    bad = tmp_path / "bad.toml"
    bad.write_text(GOOD.replace("clips = 8", "clips = 0").replace("mp_global", "obz"))
    done = fresh_secateur("recipe", "check", str(good), str(bad), PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 2
    assert not re.search(r"\| +(torch|transformers|onnxruntime)$", done.stderr, re.MULTILINE)
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert len(said) == 2 and all(line.startswith(f"{bad}: ") for line in said)
    assert done.stdout == f"{good} is good: 2 bundles in bundles.\n"
    assert secateur("recipe", "check", str(good)).returncode == 0
    assert secateur("recipe", "check", str(tmp_path / "none.toml")).returncode == 2


def test_missing_and_unreadable_recipes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="is a folder"):
        read_recipe(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not TOML"):
        read_recipe(binary)


def test_what_check_knows_of_models_is_what_the_engine_knows(tiny_folders: dict[str, Path]) -> None:
    assert FAMILIES == OPENED
    assert {part for parts in COMPONENTS.values() for part in parts} == set(PARTS)
    for kind in ("whisper", "sew", "sew-d", "wav2vec2"):
        layers = prunable_layers(open_checkpoint(str(tiny_folders[kind])).model, tied=True)
        assert {component(name) for name in layers} <= set(COMPONENTS[kind]), kind
