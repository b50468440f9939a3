"""What a run makes of a bundle that has been damaged since it was written: no other bundle."""

from pathlib import Path

import pytest

from runtime.bundle import Bundle
from tests.pipeline.command_line import secateur
from tests.pipeline.conftest import WriteRecipe

NAME = "sew-mp_global-50"

QUICK = """
prune.methods = ["mp_global"]
prune.sparsities = [0.5]
measure.clips = 1
measure.samples = 1
"""


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> Path:
    """With its bundle, measured, whose graph has another operator than it should."""
    path = write_recipe(["sew"], QUICK)
    done = secateur("run", str(path))
    assert done.returncode == 0, done.stderr
    graph = path.parent / "out" / NAME / "onnx" / "model.onnx"
    graph.write_bytes(graph.read_bytes().replace(b"Conv", b"Cony"))
    return path


def test_a_graph_that_is_none_any_more_is_made_anew(recipe: Path) -> None:
    with (recipe.parent / "out" / NAME / "onnx" / "model.onnx").open("r+b") as graph:
        graph.write(bytes(64))
    done = secateur("run", str(recipe))
    assert done.returncode == 0, done.stderr
    assert "1 bundle built" in done.stdout


def test_a_bundle_that_cannot_be_measured_is_no_success(recipe: Path) -> None:
    (recipe.parent / "out" / "results.jsonl").unlink()
    done = secateur("run", str(recipe))
    assert done.returncode == 2, done.stderr
    assert f"{NAME} could not be measured on this: onnxruntime cannot open" in done.stderr
    assert f"Not measured, for reasons given above: {NAME} on this." in done.stderr.splitlines()[-1]
    assert "0 bundles built, 0 measured" in done.stdout
    mended = secateur("run", str(recipe), "--only", NAME, "--force")
    assert mended.returncode == 0, mended.stderr
    assert "1 bundle built, 1 measured" in mended.stdout


def test_nothing_is_made_from_a_damaged_bundle(recipe: Path) -> None:
    output = recipe.parent / "out"
    recipe.write_text(recipe.read_text() + 'export.precisions = ["fp32", "int8"]\n')
    done = secateur("run", str(recipe))
    assert done.returncode == 2, done.stderr
    assert f"{NAME}-int8 could not be made: onnx/model.onnx of the bundle" in done.stderr
    assert f"has changed since the bundle was written: --only '{NAME}-int8' --force" in done.stderr
    assert not (output / f"{NAME}-int8").exists()

    mended = secateur("run", str(recipe), "--only", f"{NAME}-int8", "--force")
    assert mended.returncode == 0, mended.stderr
    for name in (NAME, f"{NAME}-int8"):
        Bundle.open(output / name, check_hashes=True)
