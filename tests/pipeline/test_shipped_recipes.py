"""The recipes in recipes/: good by `recipe check`, and each runs to its end on random weights."""

from pathlib import Path

import pytest

from pipeline.events import Event
from pipeline.locked import LOCK
from pipeline.plan import CONTROL, cells
from pipeline.recipe import Recipe, read_recipe
from pipeline.recipe.check import findings
from pipeline.recipe.models import looked_up
from pipeline.run import Way, run
from prune.checkpoint import open_checkpoint
from prune.families.groups import blocks, stacks
from prune.methods import METHODS
from prune.structure.layers import drop_layers
from runtime.bundle import Bundle

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))

#: By recipe: the method that it is about, and the zeros that its deepest cut is to have.
ABOUT = {
    "pi-zero-2w": ("obs_structured", None),
    "sew-tiny": ("mp_repeat", 0.651),
    "wav2vec2-base": ("parp", 0.7),
    "whisper-large-v3-turbo": ("owl_mp", 0.5),
    "whisper-tiny": ("obs", 0.7),
}

#: The others are of bundled models, which tests/pipeline/test_run.py runs.
FROM_THE_HUB = [path for path in RECIPES if path.stem in ABOUT]

#: Of one recipe for each family a bundle in another precision too; measuring each takes a process.
ROUNDED = {"sew-tiny": "int8", "whisper-tiny": "mixed"}


@pytest.fixture(scope="module")
def shallow(
    tiny_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Each tiny checkpoint with one block a stack: what takes long is exporting, block by block."""
    folders = {}
    for kind in ("whisper", "whisper-multilingual", "sew", "wav2vec2"):
        folders[kind] = tmp_path_factory.mktemp("shallow") / kind
        checkpoint = open_checkpoint(str(tiny_folders[kind]))
        model = checkpoint.model
        drop_layers(model, [name for stack in stacks(model) for name in blocks(model, stack)[1:]])
        checkpoint.save(folders[kind])
    return folders


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_good_and_has_no_key_of_no_use(path: Path) -> None:
    found = findings(read_recipe(path))
    assert found.faults == []
    assert all("hub" in note or "is not here yet" in note for note in found.notes)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_holds_what_learns_against_a_model_that_learnt_as_long(path: Path) -> None:
    recipe = read_recipe(path)
    methods = {cell.method for cell in cells(recipe)}
    assert any(cell.sparsity == 0 for cell in cells(recipe))
    assert CONTROL in methods or not any(METHODS[m].fine_tunes for m in methods - {"dense"})


def tiny(recipe: Recipe, method: str, folders: dict[str, Path], output: Path) -> Recipe:
    """The recipe's deepest cut by one method alone, on random weights and a few clips."""
    name = recipe.models[-1]
    kind = looked_up(name).kind or ""
    multilingual = kind == "whisper" and not name.endswith(".en")
    training = {"steps": 2, "batch": 2, "accumulate": 1, "warm_up": 1, "check_every": 2}
    smaller: dict[str, dict[str, object]] = {
        "corpus": {
            "evaluate": "demo:test",
            "limit": 2,
            "calibrate": "demo:calibration",
            "calibration_clips": 3,
            "lessons": None,
        },
        "prune": {
            "methods": [method],
            "sparsities": recipe.prune.sparsities[-1:],
            "fine_tuning": recipe.prune.fine_tuning.model_copy(update=training),
        },
        "export": {"precisions": [ROUNDED.get(recipe.name, "fp32")], "most_lost": None},
        "measure": {"clips": 1, "samples": 1, "threads": 1},
    }
    parts = {key: getattr(recipe, key).model_copy(update=less) for key, less in smaller.items()}
    model = str(folders[f"{kind}-multilingual" if multilingual else kind])
    return recipe.model_copy(update={"output": str(output), "models": [model], **parts})


@pytest.mark.long
@pytest.mark.parametrize("path", FROM_THE_HUB, ids=lambda path: path.stem)
def test_a_shipped_recipe_runs_to_its_end(
    path: Path, shallow: dict[str, Path], tmp_path: Path
) -> None:
    method, zeros = ABOUT[path.stem]
    recipe = tiny(read_recipe(path), method, shallow, tmp_path / "out")
    said: list[Event] = []
    outcome = run(recipe, Way(device="cpu", workers=1, report=False), hear=said.append)
    assert outcome.missing == (), said
    assert {row.name for row in outcome.rows} == {cell.name for cell in cells(recipe)}
    assert all(row.latency_ms and row.wer is not None for row in outcome.rows)
    assert {path.name for path in (tmp_path / "out").glob(".*")} == {LOCK}, "half made"
    [cell] = [c for c in cells(recipe) if (c.method, c.precision) == (method, "fp32")]
    sparsity = Bundle.open(tmp_path / "out" / cell.name).manifest.sparsity
    lessons = Bundle.open(tmp_path / "out" / cell.name).manifest.provenance["lessons"]
    steps = sum(lesson["steps"] for lesson in lessons)
    assert steps >= 2 if METHODS[method].fine_tunes else steps == 0
    if zeros is None:
        assert 0.3 < sparsity.achieved < 0.6
    else:
        assert sparsity.achieved == pytest.approx(zeros, abs=0.01)
