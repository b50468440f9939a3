"""`secateur run --tensorboard` and `--mlflow`, read back by their own readers."""

import json
import re
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Built, Event, Planned, Warned
from pipeline.logs import logging
from pipeline.recipe import Recipe
from speech.errors import BadInput

#: What a fine-tuning leaves in a bundle's provenance, twice.
LESSONS = [
    {"steps": 4, "best_step": 4, "held_out": [[0, 3.0], [2, 2.0], [4, 1.5]], "stopped": "finished"},
    {"steps": 2, "best_step": 0, "held_out": [[0, 2.5], [2, None]], "stopped": "diverged: NaN"},
]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    content: dict[str, Any] = {
        "name": "trial",
        "output": str(tmp_path / "out"),
        "models": ["demo-sew"],
        "prune": {"methods": ["imp_global"], "sparsities": [0.5]},
    }
    bundle(tmp_path / "out" / "sew-imp_global-50")
    return Recipe.model_validate(content)


def bundle(folder: Path) -> None:
    """No graph worth running, but whole as far as anybody looks who does not run it."""
    from export.manifest import write_manifest
    from runtime.bundle import Manifest, Sparsity
    from runtime.rules import CtcRules
    from speech.score import Score
    from tests.runtime.graphs import empty_graph

    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(empty_graph(bytes(3 << 19)))
    (folder / "vocab.json").write_text("{}")
    score = Score(0.25, 0.2, 0.3, 0.125, 1, 0, 0, 2, 4, "basic")
    provenance = {"model": "demo-sew", "seed": 3, "lessons": LESSONS}
    manifest = Manifest(
        name=folder.name,
        family="ctc",
        architecture="sew",
        method="imp_global",
        sparsity=Sparsity(requested=0.5, achieved=0.4375, model=0.4375, layers={}),
        score=score,
        provenance=provenance,
        features={},
        decoding=CtcRules(0, "|", "?", False, False, 400),
        precision="fp32",
        graphs={"model": "onnx/model.onnx"},
        weights={},
        tokenizer="vocab.json",
        files=(),
    )
    write_manifest(manifest, folder)


BUILT = Built("sew-imp_global-50", "43.8 % zeros, WER 25.0 %")
ASKED = {
    "model": "demo-sew",
    "method": "imp_global",
    "sparsity": 0.5,
    "seed": 3,
    "precision": "fp32",
}


def test_tensorboard_shows_what_a_bundle_is_and_how_it_learnt(
    recipe: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    heard: list[Event] = []
    with logging(heard.append, recipe, tensorboard=str(tmp_path / "runs")) as hear:
        hear(BUILT)
        hear(BUILT)  # forced: in place of the older one
    assert heard == [BUILT, BUILT]
    scalars, asked = shown(tmp_path / "runs" / BUILT.bundle)
    assert scalars["held_out_loss_1"] == [(0, 3.0), (2, 2.0), (4, 1.5)]
    assert scalars["held_out_loss_2"] == [(0, 2.5)]
    assert scalars["wer"] == [(0, 0.25)] and scalars["cer"] == [(0, 0.125)]
    assert scalars["sparsity"] == [(0, 0.4375)]
    assert scalars["size_mib"] == [(0, pytest.approx(1.5, abs=0.001))]
    assert asked == ASKED


def test_a_bundle_that_was_there_already_is_logged_too(recipe: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with logging(lambda _: None, recipe, tensorboard=str(tmp_path / "runs")) as hear:
        hear(Planned(1, to_build=(), done=(BUILT.bundle,)))
    assert shown(tmp_path / "runs" / BUILT.bundle)[1] == ASKED


@pytest.mark.parametrize(
    ("key", "damaged"),
    [
        ("provenance", {"lessons": [{"held_out": [[1]]}]}),
        ("provenance", {"lessons": 3}),
        ("provenance", {"seed": [3]}),
    ],
)
def test_what_is_damaged_is_said_and_keeps_no_other_from_the_log(
    key: str, damaged: object, recipe: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    bundle(tmp_path / "out" / "other")
    manifest = tmp_path / "out" / "other" / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {key: damaged}))
    heard: list[Event] = []
    planned = Planned(2, to_build=(), done=("other", BUILT.bundle))
    with logging(heard.append, recipe, tensorboard=str(tmp_path / "runs")) as hear:
        hear(planned)
    why = (
        f"not logged: {manifest}: '{key}' is not as a run writes it; --force makes the bundle anew."
    )
    assert heard == [planned, Warned("other", why)]
    assert [run.name for run in (tmp_path / "runs").iterdir()] == [BUILT.bundle]


def test_damage_is_said_once_though_there_are_two_logs(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "out" / BUILT.bundle / "bundle.json").write_text("{}")
    heard: list[Event] = []
    places = {"tensorboard": str(tmp_path / "runs"), "mlflow": (tmp_path / "store").as_uri()}
    with logging(heard.append, recipe, **places) as hear:
        hear(BUILT)
    assert [type(event) for event in heard] == [Built, Warned]


def shown(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], dict[str, Any]]:
    """Scalars by step, and hyperparameters, as TensorBoard itself finds them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = EventAccumulator(str(folder)).Reload()
    scalars = {
        tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }
    content = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    return scalars, {k: getattr(v, v.WhichOneof("kind")) for k, v in values.items()}


def test_mlflow_gets_a_run_a_bundle(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    with logging(lambda _: None, recipe, mlflow=uri) as hear:
        hear(BUILT)
        hear(Planned(1, to_build=(), done=(BUILT.bundle,)))
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("trial")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == BUILT.bundle and run.info.status == "FINISHED"
    assert run.data.params == {name: str(value) for name, value in ASKED.items()}
    assert run.data.metrics["wer"] == 0.25 and run.data.metrics["sparsity"] == 0.4375
    looks = client.get_metric_history(run.info.run_id, "held_out_loss_1")
    assert [(look.step, look.value) for look in looks] == [(0, 3.0), (2, 2.0), (4, 1.5)]


@pytest.mark.parametrize("place", ["http://127.0.0.1:9", "http://[::1", "a-file"])
def test_a_server_that_is_not_there_is_told_before_the_run(
    recipe: Recipe, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    with (
        pytest.raises(BadInput, match=rf"^MLflow at {re.escape(place)} cannot be written to: .+"),
        logging(lambda _: None, recipe, mlflow=place),
    ):
        pass


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_no_place_for_a_log(recipe: Recipe, name: str, empty: str) -> None:
    places = {name: empty}
    with (
        pytest.raises(BadInput, match=f"--{name} names no place: give it a"),
        logging(lambda _: None, recipe, **places),
    ):
        pass


def test_a_log_that_cannot_be_written_costs_no_bundle(recipe: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    heard: list[Event] = []
    with logging(heard.append, recipe, tensorboard=str(tmp_path / "runs")) as hear:
        (tmp_path / "runs").write_text(json.dumps("in the way"))
        hear(BUILT)
    assert heard[0] == BUILT
    assert isinstance(heard[1], Warned) and "not logged" in heard[1].said


def test_a_full_disk_is_one_sentence_and_leaves_the_older_log(
    recipe: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    runs, heard = tmp_path / "runs", list[Event]()
    with logging(heard.append, recipe, tensorboard=str(runs)) as hear:
        hear(BUILT)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            hear(BUILT)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(heard[2], Warned)
    assert heard[2].said.startswith("not logged: The disk is full, and ")
    assert shown(runs / BUILT.bundle)[1] == ASKED
    assert len([*(runs / BUILT.bundle).iterdir()]) == 1


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_package_is_one_sentence(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delitem(sys.modules, f"pipeline.logs.to_{name}", raising=False)
    for module in [m for m in sys.modules if m.split(".")[0] == name or m.endswith(name)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(BadInput, match=rf"--{name} needs .*secateur\[{name}\]"),
        logging(lambda _: None, recipe, **{name: str(tmp_path / "x")}),
    ):
        pass
