"""A report of very many results: what it shows, what it says that it leaves out."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.estimates import machine_of
from bench.groups import group_of
from bench.rows import Row
from bench.sources import open_selection
from bench.store.summaries import Filter
from benchmarks.large_store import write_store
from pipeline import report_choice
from pipeline.plots.slides import COSTS, front
from pipeline.report import report_blocks, write_report
from pipeline.report_choice import SHOWN_GROUPS, SHOWN_RESULTS, choose
from pipeline.report_rows import groups_of, results_of
from pipeline.report_table import table
from pipeline.report_winners import Answer, measured_on
from tests.bench.store.test_rows import asked
from tests.tui.measured import make_store, measurement, some


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 results of four models on three devices, 25 of each method and precision."""
    place = tmp_path_factory.mktemp("large") / "results.sqlite"
    write_store(place, bundles=500, devices=3)
    return place


def told(answer: Answer) -> tuple[object, ...]:
    """All of it; of the rows that it names their names, as not every column of them is read."""
    names = [row.name for row in answer.named]
    return answer.board, answer.device, answer.group, answer.cells, names


def test_all_that_fits_is_there_in_its_order(tmp_path: Path) -> None:
    store = make_store(tmp_path / "results.sqlite", some())
    with open_selection([store], chosen=Filter()) as selection:
        found = choose(selection)
        wanted = selection.findings(one.number for one in selection.rows())
    assert found.findings == wanted and found.left_out == ""
    assert len(wanted.measurements) == 12


def test_what_to_take_is_chosen_among_all_and_shown_with_what_no_other_beats(large: Path) -> None:
    with open_selection([large], chosen=Filter()) as selection:
        found = choose(selection)
        every = list(selection.rows())
        answers = [
            answer
            for device in selection.devices()
            for own in [[one for one in every if one.row.device == device]]
            for answer in measured_on(
                machine_of(selection.whole(own[0].number)), (one.row for one in own)
            )
        ]
    assert found.answers is not None and len(answers) == 12
    assert list(map(told, found.answers)) == list(map(told, answers))
    groups: dict[object, list[Row]] = {}
    for one in every:
        groups.setdefault((one.row.device, group_of(one.row)), []).append(one.row)
    shown: dict[object, set[str]] = {}
    for result in results_of(found.findings):
        shown.setdefault((result.row.device, group_of(result.row)), set()).add(result.row.name)
    assert len(shown) == SHOWN_GROUPS < len(groups) == 12
    assert len(found.findings.measurements) == SHOWN_GROUPS * SHOWN_RESULTS
    for key, names in shown.items():
        best = {row.name for cost in COSTS for row in front(groups[key], cost)}
        recommended = {row.name for one in answers for row in one.named
                       if (row.device, one.group) == key}  # fmt: skip
        assert best | recommended <= names
        assert any("-dense-" in name for name in names)
        assert groups[key][-1].name in names, "the newest is there, too"


def test_the_page_is_small_and_says_what_is_not_on_it(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_choice, "SHOWN_GROUPS", 1)
    with open_selection([large], chosen=Filter()) as selection:
        found, count = choose(selection), selection.count()
    [path] = write_report("Many", report_blocks(found), tmp_path / "report.html")
    page = html.unescape(path.read_text())
    assert (
        f"There are {count:,} results, too many for one page. Pictures and tables show 60" in page
    )
    assert re.search(
        r"Groups that are left out: 11, such as \S+, .* on device-0 \(125 results", page
    )
    assert "--device, --family or --method; `secateur results --csv` has every row" in page
    assert page.count("data:image/png") == 5
    assert page.count("measured on device-") == 12, "what to take is there for every group"
    assert len(re.findall("<tr>", page)) < 250 and path.stat().st_size < 1_500_000


def test_a_result_that_cannot_be_read_is_left_out_of_the_report(tmp_path: Path) -> None:
    store = make_store(tmp_path / "results.sqlite", some())
    asked(store, "UPDATE cases SET measurement = '{' WHERE id IN (1, 5)")
    with open_selection([store], chosen=Filter()) as selection:
        found = choose(selection).findings
    assert len(found.measurements) == 10
    assert len(found.problems) == 2
    assert all("results.sqlite, job" in problem for problem in found.problems)


def test_work_grows_with_the_results_and_not_with_their_square(tmp_path: Path) -> None:
    measured = [
        measurement(f"net-{method}-{at}", method, at / 1000, 0.05, 40, at=f"2026-01-01T{at:05}")
        for at in range(200)
        for method in ("dense", "obs", "imp_local")
    ]
    store = make_store(tmp_path / "results.sqlite", measured)
    with open_selection([store], chosen=Filter()) as selection:
        [group] = groups_of(results_of(choose(selection).findings))
    calls = []
    counted = replace(group, mark=lambda row: calls.append(row) or group.mark(row))  # type: ignore[func-returns-value]
    table(counted)
    assert len(counted.results) == 600
    assert len(calls) < 20 * len(counted.results)
