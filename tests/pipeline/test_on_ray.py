"""`secateur run --executor ray`: a real cluster of this machine, and what is lost on the way."""

import os
import secrets
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.events import Built, Event, Progress, Refused, Warned
from pipeline.executors.here import here
from pipeline.executors.work import Order
from pipeline.plan import cells, fingerprints
from pipeline.recipe import Recipe, read_recipe
from pipeline.spoken import scored_on
from pipeline.tasks import Task, tasks
from runtime.bundle import Bundle
from speech.errors import BadInput
from tests.pipeline.command_line import assert_one_sentence, fresh_secateur
from tests.pipeline.conftest import WriteRecipe

pytestmark = [pytest.mark.ray, pytest.mark.long]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else left in the home
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


LESSON = """
[prune]
methods = ["mp_finetune_global"]
sparsities = [0.2]
[prune.fine_tuning]
steps = 10
batch = 2
check_every = 5
held_out = 0.34
"""


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> Recipe:
    return read_recipe(write_recipe(["sew"], LESSON))


def changed(recipe: Recipe, section: str, **values: object) -> Recipe:
    inner = getattr(recipe, section).model_copy(update=values)
    return recipe.model_copy(update={section: inner})


def to_do(recipe: Recipe) -> list[Task]:
    marks = fingerprints(recipe, scored_on(recipe))
    return tasks(marks, marks)


def hashes(recipe: Recipe) -> dict[str, str]:
    return {
        cell.name: Bundle.open(Path(recipe.output) / cell.name, check_hashes=True).sha256
        for cell in cells(recipe)
    }


def test_bundles_are_those_of_this_process_though_a_worker_is_killed(recipe: Recipe) -> None:
    from pipeline.executors.on_ray import on_ray

    recipe = changed(recipe, "export", precisions=["fp32", "fp16"])
    here(to_do(recipe), Order(recipe, "cpu", threads=1), lambda _: None)
    alone = hashes(recipe)
    Path(recipe.output).rename(f"{recipe.output}-alone")
    heard: list[Event] = []
    killed: list[int] = []

    def hear(event: Event) -> None:
        heard.append(event)
        if isinstance(event, Progress) and "fine-tuning" in event.label and not killed:
            killed.append(kill_a_worker())

    on_ray(to_do(recipe), Order(recipe, "cpu", threads=1), hear)
    assert killed and hashes(recipe) == alone
    begun = Counter(e.label.split(":")[0] for e in heard if is_begun(e))
    assert sorted(begun.values()) == [1, 2], begun
    again = [e.about for e in heard if isinstance(e, Warned)]
    assert again == [name for name, times in begun.items() if times == 2]
    assert sorted(e.bundle for e in heard if isinstance(e, Built)) == sorted(alone)
    assert not any(isinstance(event, Refused) for event in heard)


def is_begun(event: Event) -> bool:
    return isinstance(event, Progress) and ": begun on" in event.label


def kill_a_worker() -> int:
    """The busiest of those that are at a task."""
    found = psutil.process_iter(["cmdline"])  # of one that has just ended it is None
    workers = [p for p in found if "ray::make" in "".join((p.info["cmdline"] or [])[:1])]
    mine = {p.pid for p in psutil.Process().children(recursive=True)}
    busiest = max((p for p in workers if p.pid in mine), key=lambda p: sum(p.cpu_times()[:2]))
    busiest.send_signal(signal.SIGKILL)
    return busiest.pid


def test_one_made_from_a_bundle_that_is_there_is_made_alone(recipe: Recipe) -> None:
    from pipeline.executors.on_ray import on_ray

    before_it = folders_of_runs()
    recipe = changed(recipe, "prune", methods=["mp_global"], sparsities=[0.5])
    on_ray(to_do(recipe), Order(recipe, "cpu", threads=1), lambda _: None)
    before = hashes(recipe)
    recipe = changed(recipe, "export", precisions=["fp32", "fp16"])
    marks = fingerprints(recipe, scored_on(recipe))
    heard: list[Event] = []
    new = [cell for cell in marks if cell.precision == "fp16"]
    on_ray(tasks(marks, new), Order(recipe, "cpu", threads=1), heard.append)
    built = Bundle.open(Path(recipe.output) / new[0].name)
    assert built.manifest.provenance["parent"] == before[new[0].in_fp32.name]
    assert [e.bundle for e in heard if isinstance(e, Built)] == [new[0].name]
    provenance = built.manifest.provenance
    assert provenance["model"] == recipe.models[0] and provenance["recipe"] == recipe.model_dump()
    assert folders_of_runs() <= before_it, "nodes keep nothing"


def folders_of_runs() -> set[Path]:
    return {*Path(tempfile.gettempdir()).glob("secateur-*/output")}


def test_what_a_node_cannot_take_is_one_sentence_in_the_users_words(recipe: Recipe) -> None:
    from pipeline.executors.on_ray import on_ray

    broken = Path(recipe.output).with_name("broken")
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    recipe = recipe.model_copy(update={"models": [str(broken)]})
    with pytest.raises(BadInput) as refused:
        on_ray(to_do(recipe), Order(recipe, "cpu", threads=1), lambda _: None)
    assert str(broken) in str(refused.value) and "secateur-" not in str(refused.value)
    with pytest.raises(BadInput, match="GPU"):
        on_ray(to_do(recipe), Order(recipe, "cuda", threads=1), lambda _: None)
    with pytest.raises(BadInput, match="9 processors"):
        on_ray(to_do(recipe), Order(recipe, "cpu", threads=9), lambda _: None)


def test_without_ray_one_sentence_says_what_to_install(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ModuleNotFoundError(name='ray')")
    words = ("run", str(tmp_path / "recipe.toml"), "--executor", "ray")
    environment = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    done = fresh_secateur(*words, PYTHONPATH=environment)
    assert_one_sentence(done, "--executor ray needs ray", "secateur[ray]")


def test_an_address_where_no_cluster_is_gives_one_sentence(recipe: Recipe, tmp_path: Path) -> None:
    words = ("run", str(tmp_path / "recipe.toml"), "--executor", "ray", "--ray-address")
    done = fresh_secateur(*words, "127.0.0.1:9")
    assert_one_sentence(done, "no Ray cluster to be reached at 127.0.0.1:9", "ray start --head")
