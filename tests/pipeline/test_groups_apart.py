"""A store with two models on two corpora: nothing is compared across them, whoever shows it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import matplotlib.backends.backend_agg  # noqa: F401 - copies of this process then have it
import pytest

from bench.agent.measurement import Measurement
from bench.report_page import Grid
from bench.results import write_results
from bench.sources import Findings
from bench.store.store import Store
from pipeline.report_rows import groups_of, results_of
from pipeline.report_winners import winners
from runtime.bundle import Bundle
from tests.bench.conftest import write_tiny_bundle
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.tui.measured import make_store, measurement


def on(
    found: Measurement, model: str, corpus: str, *, timed: str = "", clip_set: str = "c" * 12
) -> Measurement:
    """Scored on a corpus and timed on four clips of it, or of another."""
    assert found.variant
    digits = f"{len(corpus):012}"
    score = {**(found.variant.score or {}), "corpus": corpus, "corpus_set": digits, "clips": 64,
             "clip_set": "a" * 12, "words": 900, "normalizer": "english"}  # fmt: skip
    return replace(
        found,
        variant=replace(found.variant, model=model, score=score if corpus else found.variant.score),
        corpus=timed or corpus,
        corpus_set="0" * 12 if timed else digits if corpus else "",
        clip_set=clip_set,
        clips=4,
    )


#: whisper-tiny.en on LibriSpeech beside demo bundles, which make fewer errors on easier speech.
REAL = [
    on(measurement("tiny-dense", "dense", 0.0, 0.046, 60.0), "whisper-tiny.en", "librispeech"),
    on(measurement("tiny-obs-50", "obs", 0.5, 0.060, 61.0), "whisper-tiny.en", "librispeech"),
]
DEMO = [
    on(measurement("demo-dense", "dense", 0.0, 0.010, 9.0), "demo-whisper", "demo:test"),
    on(measurement("demo-obs-50", "obs", 0.5, 0.100, 8.0), "demo-whisper", "demo:test"),
]


def pi_lines(found: list[Measurement]) -> tuple[list[str], list[list[str]]]:
    findings = Findings(found, {}, {})
    grid = winners(results_of(findings), findings)[0]
    assert isinstance(grid, Grid)
    return list(grid.heads), [[*line] for line in grid.lines if line[0] == "Raspberry Pi 5"]


def test_each_model_has_a_recommendation_of_its_own() -> None:
    heads, lines = pi_lines([*REAL, *DEMO])
    assert heads[:2] == ["device", "of"]
    assert [(line[1], line[-2]) for line in lines] == [
        ("whisper-tiny.en, librispeech", "tiny-dense"),
        ("demo-whisper, demo:test", "demo-dense"),
    ]
    heads, _ = pi_lines(REAL)
    assert "of" not in heads  # nothing to tell apart


def test_the_loss_is_against_the_dense_model_on_the_same_speech() -> None:
    """Of the same model on easier speech the dense one makes fewer errors: that is no loss."""
    easy = [on(one, "whisper-tiny.en", "demo:test") for one in DEMO[:1]]
    alone = [one for one in REAL if one.name == "tiny-obs-50"]
    _, lines = pi_lines([*easy, *alone])
    why = {line[1]: line[-1] for line in lines}["whisper-tiny.en, librispeech"]
    assert "Whether it keeps the budget of WER loss is not known." in why
    _, [line] = pi_lines(REAL)
    assert "WER loss" not in line[-1]


def test_what_nobody_noted_the_corpus_of_is_a_group_of_its_own() -> None:
    old = on(measurement("tiny-mp-30", "mp_global", 0.3, 0.001, 1.0), "whisper-tiny.en", "")
    _, lines = pi_lines([*REAL, replace(old, corpus="")])
    assert [(line[1], line[-2]) for line in lines] == [
        ("whisper-tiny.en, librispeech", "tiny-dense"),
        ("whisper-tiny.en, unknown corpus", "tiny-mp-30"),
    ]


def test_what_was_timed_on_other_clips_is_no_rival() -> None:
    """Shorter clips make any variant fast."""
    quick = measurement("tiny-wanda-50", "wanda", 0.5, 0.046, 5.0)
    quick = on(quick, "whisper-tiny.en", "librispeech", timed="demo:test", clip_set="d" * 12)
    _, lines = pi_lines([*REAL, quick])
    assert [line[-2] for line in lines] == ["tiny-dense", "tiny-wanda-50"]
    assert lines[1][1] == (
        "whisper-tiny.en, librispeech, timed on 4 clips of demo:test (dddddddddddd)"
    )
    assert "(OTHER_CLIPS)" in lines[1][-1]


def test_a_report_has_a_section_for_each_group() -> None:
    twice = [*REAL, *(on(one, "whisper-tiny.en", "demo:test") for one in DEMO)]
    groups = groups_of(results_of(Findings([*twice, *DEMO], {}, {})))
    assert [group.title for group in groups] == [
        "whisper-tiny.en, librispeech on pi",
        "whisper-tiny.en, demo:test on pi",
        "demo-whisper on pi",
    ]
    assert [len(group.results) for group in groups] == [2, 2, 2]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    quick = on(
        measurement("tiny-dense", "dense", 0.0, 0.046, 9.0, at="2026-05-01"),
        "whisper-tiny.en", "librispeech", timed="demo:test", clip_set="d" * 12,
    )  # fmt: skip
    return make_store(tmp_path / "s.sqlite", [*REAL, *DEMO, quick])


def test_the_table_says_which_rows_may_be_compared(store: Path) -> None:
    done = secateur("results", str(store))
    assert done.returncode == 0, done.stderr
    lines, whole = done.stdout.splitlines(), " ".join(done.stdout.split())
    assert "group" in done.stdout
    assert "Rows of different groups cannot be compared:" in done.stdout
    for name in (
        "1: whisper-tiny.en, librispeech, timed on 4 clips of librispeech (cccccccccccc)",
        "2: demo-whisper, demo:test",
        "3: whisper-tiny.en, librispeech, timed on 4 clips of demo:test (dddddddddddd)",
    ):
        assert name in done.stdout
    marked = [line for line in lines if "OTHER_CLIPS" in line and "tiny-dense" in line]
    assert len(marked) == 1 and marked[0].split()[0] == "3"
    assert "timed on another corpus than the host's WER is of" in whole
    alone = secateur("results", str(store), "--method", "obs", "--markdown")
    assert "| group |" in alone.stdout and "- 1: whisper-tiny.en, librispeech" in alone.stdout


def test_other_programs_get_the_speech_of_each_row(store: Path) -> None:
    found = json.loads(secateur("results", str(store), "--json").stdout)
    [marked] = [row for row in found if "OTHER_CLIPS" in row["verdicts"]]
    assert (marked["corpus"], marked["timed_corpus"]) == ("librispeech", "demo:test")
    assert marked["clips"] == f"64 clips ({'a' * 12})"
    table = csv.DictReader(StringIO(secateur("results", str(store), "--csv").stdout))
    assert {row["timed_clips"] for row in table} == {
        f"4 clips ({'c' * 12})",
        f"4 clips ({'d' * 12})",
    }


def test_a_later_look_at_other_clips_replaces_nothing(store: Path) -> None:
    found = json.loads(secateur("results", str(store), "--json").stdout)
    assert [row["name"] for row in found].count("tiny-dense") == 2
    later = replace(REAL[0], measured_at="2027-01-01", job="later")
    with Store.at(store) as opened:
        opened.add_results([later], "pi")
    found = json.loads(secateur("results", str(store), "--json").stdout)
    dates = [row["measured_at"][:4] for row in found if row["name"] == "tiny-dense"]
    assert sorted(dates) == ["2026", "2027"]


def test_a_plot_joins_no_points_of_different_speech(tmp_path: Path) -> None:
    """One model on two corpora is two lines of each method, and so is an unknown corpus."""
    both = [*REAL, *(on(one, "whisper-tiny.en", "demo:test") for one in DEMO)]
    path = tmp_path / "results.jsonl"
    write_results(path, both)
    found = json.loads(secateur("plot", str(path), "--json").stdout)
    assert {line["mark"] for line in found["lines"]} == {"librispeech", "demo:test"}
    assert all(len(line["points"]) == 2 for line in found["lines"])
    old = on(measurement("tiny-obs-70", "obs", 0.7, 0.001, 1.0), "whisper-tiny.en", "")
    write_results(path, [*REAL, replace(old, corpus="")])
    found = json.loads(secateur("plot", str(path), "--json").stdout)
    marks = [(line["mark"], len(line["points"])) for line in found["lines"]]
    assert marks == [("librispeech", 2), ("unknown corpus", 1)]


def test_models_that_share_the_last_part_of_their_names_are_two(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_results(path, [on(one, f"run{at}/final", "demo:test") for at, one in enumerate(REAL)])
    found = json.loads(secateur("plot", str(path), "--json").stdout)
    assert [line["mark"] for line in found["lines"]] == ["run1/final"]
    assert [line["mark"] for line in found["controls"]] == ["run0/final"]


def test_latencies_on_other_clips_are_another_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    other = [on(one, "m", "demo:test", clip_set="d" * 12) for one in DEMO[1:]]
    write_results(path, [*(on(one, "m", "demo:test") for one in DEMO[:1]), *other])
    latency = json.loads(secateur("plot", str(path), "--y", "latency", "--json").stdout)
    assert [len(line["points"]) for line in latency["lines"]] == [1]
    wer = json.loads(secateur("plot", str(path), "--json").stdout)
    assert [len(line["points"]) for line in wer["lines"]] == [2]  # of the host, on the same clips


def test_the_folder_of_a_run_stands_for_its_results(tmp_path: Path) -> None:
    """And for its bundles, wherever they were when they were measured."""
    folder = tmp_path / "run"
    bundle = Bundle.open(write_tiny_bundle(folder / "tiny", "tiny"))
    found = replace(measurement("tiny", "magnitude", 0.7, 0.05, 9.0), bundle_sha256=bundle.sha256)
    write_results(folder / "results.jsonl", [found])
    [row] = json.loads(secateur("results", str(folder), "--json").stdout)
    assert (row["name"], row["precision"]) == ("tiny", "fp32")
    page = tmp_path / "page.html"
    done = secateur("report", str(folder), "-o", str(page))
    assert done.returncode == 0, done.stderr
    assert "tiny" in page.read_text()
    assert json.loads(secateur("plot", str(folder), "--json").stdout)["lines"]
    stored = tmp_path / "data"
    make_store(stored / "results.sqlite", [found])
    assert len(json.loads(secateur("results", str(stored), "--json").stdout)) == 1
    assert secateur("results", "--import", str(folder)).returncode == 0
    assert_one_sentence(secateur("results", str(folder / "tiny")), "has neither a results.jsonl")
