"""Which bundles `secateur bench` measures on which clips, and what it says of clips that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.own_speech import own_speech
from pipeline.recipe import read_recipe
from pipeline.run import run
from runtime.bundle import MANIFEST, Bundle
from runtime.bundles_named import bundles_named
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput
from tests.bench.conftest import SCORE, write_tiny_bundle
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.conftest import WriteRecipe

QUICK = ("--samples", "1", "--device", "this")


@pytest.fixture(autouse=True)
def own_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A corpus of four clips of half a second."""
    return write_noise(tmp_path / "own", (0.5, 0.5, 0.5, 0.5), "flac")


def bundle(
    folder: Path,
    corpus: Corpus | None,
    evaluate: str = "",
    *,
    limit: int | None = None,
    clips: int = 2,
) -> Path:
    """Scored on a corpus, as a run of this version would have written it; or not saying on what."""
    write_tiny_bundle(folder, folder.name)
    manifest = json.loads((folder / MANIFEST).read_text())
    if evaluate:
        manifest["provenance"] = {
            "recipe": {"corpus": {"evaluate": evaluate, "split": None, "limit": limit},
                       "measure": {"clips": clips}, "seeds": [0]}
        }  # fmt: skip
    if corpus:
        manifest["score"] = {**SCORE, "corpus": corpus.name, "corpus_set": corpus.corpus_set,
                             "clip_set": corpus.clip_set, "normalizer": "none"}  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def measured(*words: str) -> tuple[list[dict[str, Any]], str]:
    done = secateur("bench", *words, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_bundle_is_measured_on_the_clips_that_its_recipe_times(own: Path, tmp_path: Path) -> None:
    corpus = open_corpus(str(own), limit=3)
    folder = bundle(tmp_path / "net", corpus, str(own), limit=3)
    [found], said = measured(str(folder))
    first = corpus.first(2)
    assert (found["corpus"], found["clips"], found["clip_set"]) == (own.name, 2, first.clip_set)
    assert [heard["clip"] for heard in found["transcripts"]] == [c.name for c in first.clips]
    assert found["score"]["normalizer"] == "none"  # as it was scored
    assert "OTHER_CLIPS" not in found["verdicts"] and "instead" not in said
    [more], _ = measured(str(folder), "--count", "3")
    assert (more["clips"], more["clip_set"]) == (3, corpus.clip_set)


def test_without_its_corpus_the_demo_is_taken_and_the_row_is_marked(
    own: Path, tmp_path: Path
) -> None:
    folder = bundle(tmp_path / "net", open_corpus(str(own)), str(tmp_path / "gone"))
    [found], said = measured(str(folder))
    assert found["corpus"] == "demo:test"
    assert "OTHER_CLIPS" in found["verdicts"]
    [sentence] = [line for line in said.splitlines() if line.startswith("secateur: ")]
    assert sentence.startswith(
        "secateur: net: own, on which it was evaluated, is not on this machine"
    )
    assert "clips of demo are taken instead" in sentence and "--clips" in sentence
    table = secateur("bench", str(folder), *QUICK)
    assert "OTHER_CLIPS" in table.stdout
    row = json.loads(secateur("results", "--json").stdout)[-1]
    assert (row["timed_corpus"], "OTHER_CLIPS" in row["verdicts"]) == ("demo:test", True)


@pytest.mark.parametrize("knows", [True, False])
def test_clips_that_somebody_names_are_taken_and_marked_where_they_are_others(
    own: Path, tmp_path: Path, knows: bool
) -> None:
    corpus = open_corpus("demo:test") if knows else None
    folder = bundle(tmp_path / "net", corpus)
    [found], _ = measured(str(folder), "--clips", str(own), "--count", "2")
    assert (found["corpus"], found["clips"]) == (own.name, 2)
    assert ("OTHER_CLIPS" in found["verdicts"]) is knows


def test_bundles_of_two_corpora_are_each_measured_on_their_own(own: Path, tmp_path: Path) -> None:
    one = bundle(tmp_path / "one", open_corpus(str(own)), str(own))
    two = bundle(tmp_path / "two", open_corpus("demo:test"), "demo:test", clips=1)
    found, said = measured(str(one), str(two))
    assert [(f["name"], f["corpus"], f["clips"]) for f in found] == [
        ("one", "own", 2), ("two", "demo:test", 1)
    ]  # fmt: skip
    assert len({f["job"] for f in found}) == 2
    assert not any("OTHER_CLIPS" in f["verdicts"] for f in found) and "instead" not in said
    table = secateur("bench", str(one), str(two), *QUICK)
    assert "Rows of different groups cannot be compared:" in table.stdout


def test_a_corpus_that_has_changed_is_not_passed_off_as_the_old_one(
    own: Path, tmp_path: Path
) -> None:
    folder = bundle(tmp_path / "net", open_corpus(str(own)), str(own))
    lines = (own / "metadata.jsonl").read_text().splitlines()
    (own / "metadata.jsonl").write_text("\n".join(lines[1:]))
    [found], said = measured(str(folder))
    assert found["corpus"] == "demo:test" and "has other clips now" in said


def test_nothing_is_fetched_and_no_disk_is_searched_for_a_default(tmp_path: Path) -> None:
    """What a manifest names may come from anywhere."""
    names = ("owner/name", "librispeech:test-clean", "/", str(Path.cwd().parent), "\0", "~nobody/x")
    folders = [bundle(tmp_path / f"b{at}", None, name) for at, name in enumerate(names)]
    [share], told = own_speech([Bundle.open(folder) for folder in folders])
    assert (share.corpus.name, [*share.bundles]) == ("demo:test", [*range(len(names))])
    assert sum("is not on this machine" in sentence for sentence in told) == len(told) - 1


@pytest.mark.parametrize(
    "recipe",
    [[], {"corpus": 3}, {"corpus": {"evaluate": 7}},
     {"corpus": {"evaluate": "demo:test", "limit": "x", "split": 4}, "seeds": "y", "measure": []}],
)  # fmt: skip
def test_a_manifest_that_no_recipe_wrote_breaks_nothing(tmp_path: Path, recipe: object) -> None:
    folder = write_tiny_bundle(tmp_path / "net", "net")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["provenance"] = {"recipe": recipe}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    [share], _ = own_speech([Bundle.open(folder)])
    assert share.corpus.name == "demo:test"


def test_a_folder_of_a_run_stands_for_its_bundles(own: Path, tmp_path: Path) -> None:
    """As does `FOLDER/*` of a shell, with all else that a run leaves there."""
    out = tmp_path / "out"
    for name in ("a", "b"):
        bundle(out / name, open_corpus(str(own)), str(own))
    (out / "report-pictures").mkdir()
    (out / ".measuring").mkdir()
    for name in ("results.jsonl", "report.html", "report.md"):
        (out / name).write_text("")
    both = [out / "a", out / "b"]
    assert bundles_named([out]) == both
    assert bundles_named(sorted(path for path in out.iterdir() if path.name[0] != ".")) == both
    assert bundles_named([out, out / "a"]) == both
    found, _ = measured(str(out))
    assert [one["name"] for one in found] == ["a", "b"]
    assert_one_sentence(secateur("bench", str(out / "report-pictures")), "There is no bundle in")
    stray = tmp_path / "stray"
    stray.mkdir()
    assert_one_sentence(secateur("bench", str(out / "a"), str(stray)), "stray is not a bundle")
    with pytest.raises(BadInput, match="There is no bundle in"):
        bundles_named([out / "report.md"])


def test_what_a_run_writes_says_what_was_scored_and_what_was_timed(
    write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    path = write_recipe(
        ["sew"],
        'prune = { methods = ["mp_global"], sparsities = [0.0] }\n'
        'export.precisions = ["fp32", "int8"]\nmeasure = { clips = 2, samples = 1, warm_up = 0 }\n',
    )
    outcome = run(read_recipe(path), hear=lambda event: None)
    corpus = open_corpus(str(tmp_path / "clips"))
    for name in (row.name for row in outcome.rows):
        manifest = Bundle.open(tmp_path / "out" / name).manifest
        assert manifest.score is not None
        told = [getattr(manifest.score, key) for key in ("corpus", "corpus_set", "clip_set")]
        assert told == [corpus.name, corpus.clip_set, corpus.clip_set]
    assert {row.timed_clips for row in outcome.rows} == {f"2 clips ({corpus.first(2).clip_set})"}
    assert not any("OTHER_CLIPS" in row.verdicts for row in outcome.rows)
    # away from the bundles, the file alone says it
    found = json.loads(secateur("results", str(outcome.results), "--json").stdout)
    assert {row["corpus"] for row in found} == {corpus.name} and all(row["model"] for row in found)
