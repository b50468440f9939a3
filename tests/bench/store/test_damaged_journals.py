"""A journal that is damaged, or a lie, costs itself a line and nobody else anything."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.agent.measurement import Measurement
from bench.results import read_results, write_results
from bench.sources import read_sources
from bench.store import folding
from bench.store.intake import take_in
from bench.store.store import Store
from speech.errors import BadInput
from tests.bench.store.journals import small_job, write_folder
from tests.pipeline.command_line import secateur

Table = dict[str, Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What the devices `bad` and `good` have sent, and both are sound as yet."""
    for device, cases in (("bad", ("a", "b")), ("good", ("c", "d"))):
        job, events = small_job(*cases)
        write_folder(tmp_path / "data" / "jobs" / device / job.id, job, events)
    return tmp_path / "data"


def journal_of(data: Path, device: str = "bad") -> Path:
    [journal] = data.glob(f"jobs/{device}/*/journal.jsonl")
    return journal


def taken_in(place: Path, data: Path) -> tuple[dict[str, list[Measurement]], list[str]]:
    """Measurements by device, and what was said."""
    said: list[str] = []
    with Store.at(place) as store:
        take_in(store, data, said.append)
        measured = store.measurements()
    by_device: dict[str, list[Measurement]] = {"bad": [], "good": []}
    for one in measured:
        by_device[str(one.environment["device"])].append(one)
    return by_device, said


def change_line(journal: Path, kind: str, change: Callable[[Table], Any]) -> int:
    """Change the first line of this kind; gives its number."""
    lines = journal.read_text().split("\n")
    number = next(n for n, line in enumerate(lines) if f'"kind": "{kind}"' in line)
    table = json.loads(lines[number])
    lines[number] = json.dumps(change(table) or table)
    journal.write_text("\n".join(lines))
    return number + 1


def setting(**values: Any) -> Callable[[Table], Any]:
    return lambda table: {**table, **values}


DEEP: Any = []
for _ in range(50):
    DEEP = [DEEP]

DAMAGE: dict[str, tuple[str, Callable[[Table], Any], str]] = {
    "no length": ("sample", setting(audio_seconds=0), "audio_seconds must be between 1e-05"),
    "no such clip": ("sample", setting(clip=99), "clip must be below 2, got 99"),
    "a clip before the first": ("sample", setting(clip=-1), "clip must be between 0"),
    "400 digits": ("sample", setting(seconds=10**400), "seconds is too large"),
    "400 digits of a whole number": ("sample", setting(tokens=10**400), "tokens is too large"),
    "half a character": ("transcript", setting(text="\ud800"), "text is no valid Unicode text"),
    "half a character in the stamp": ("reading", setting(boot="\udfff"), "boot is no valid"),
    "negative seconds": ("sample", setting(seconds=-1.5), "seconds must be between 0 and"),
    "negative phase": ("sample", setting(phases={"encode": -1}), "phases.encode must be between"),
    "negative load": ("phase", setting(seconds=-1), "seconds must be between 0 and"),
    "negative bytes": (
        "phase",
        setting(memory={"peak_bytes": -5, "pss_bytes": None, "swap_bytes": None}),
        "memory.peak_bytes must be between 0 and",
    ),
    "no number": ("sample", setting(seconds=float("nan")), "seconds must be a finite number"),
    "sums to no number": ("sample", setting(seconds=1e308), "seconds is too large"),
    "divides to no number": ("sample", setting(seconds=1e-300), "seconds must be 0 or at least"),
    "more than a machine has": ("reading", setting(watts=1e9), "watts must be between 0 and"),
    "no such case": ("sample", setting(case="zzz"), "case must be one of the job's, got 'zzz'"),
    "back in time": ("sample", setting(mono=1.0), "mono must not go back, got 1.0"),
    "nested": ("reading", setting(kind="newer", facts=DEEP), "newer.facts.* is nested too deeply"),
    "a list": ("sample", lambda table: [table], "it is not an object with a 'kind'"),
    "a long name": ("sample", setting(case="c" * 5000), "case must have 0 to 500 characters"),
    "a wrong type": ("sample", setting(turn="0"), "turn must be int, got '0'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_is_left_out_with_one_sentence(
    place: Path, data: Path, tmp_path: Path, damage: str
) -> None:
    kind, change, complaint = DAMAGE[damage]
    whole, said = taken_in(tmp_path / "before.sqlite", data)
    assert said == []
    journal = journal_of(data)
    number = change_line(journal, kind, change)
    found, said = taken_in(place, data)
    [sentence] = said
    assert sentence.startswith(f"{journal}, line {number}: ")
    assert complaint.split(".*")[0] in sentence
    assert complaint.split(".*")[-1] in sentence
    assert len(sentence) < 500
    assert found["good"] == whole["good"]
    assert [one.case for one in found["bad"]] == ["a", "b"]
    assert found["bad"][1] == whole["bad"][1]
    lost = kind == "sample"
    assert len(found["bad"][0].samples) == len(whole["bad"][0].samples) - lost


def test_a_damaged_line_is_told_of_each_time_and_mended_by_a_whole_copy(
    place: Path, data: Path
) -> None:
    journal = journal_of(data)
    sound = journal.read_text()
    change_line(journal, "sample", setting(seconds=-1))
    first, _ = taken_in(place, data)
    again, said = taken_in(place, data)
    assert again == first
    assert len(said) == 1
    journal.write_text(sound)
    mended, said = taken_in(place, data)
    assert said == []
    assert len(mended["bad"][0].samples) == len(first["bad"][0].samples) + 1


def test_a_journal_goes_on_after_a_damaged_line(place: Path, data: Path) -> None:
    """Lines that were imported keep their numbers, whatever is missing among them."""
    journal = journal_of(data)
    change_line(journal, "sample", setting(seconds=-1))
    whole = journal.read_text()
    for end in (12, 20, 31):
        journal.write_text("".join(whole.splitlines(keepends=True)[:end]))
        taken_in(place, data)
    journal.write_text(whole)
    found, _ = taken_in(place, data)
    with Store.at(place.with_name("at-once.sqlite")) as store:
        take_in(store, data, lambda line: None)
        assert store.measurements() == [*found["bad"], *found["good"]]


@pytest.mark.parametrize("times", [2, 5])
def test_replayed_lines_count_once(place: Path, data: Path, tmp_path: Path, times: int) -> None:
    whole, _ = taken_in(tmp_path / "before.sqlite", data)
    journal = journal_of(data)
    text = journal.read_text()
    journal.write_text(text * times)
    found, said = taken_in(place, data)
    assert found == whole
    assert f"line {text.count(chr(10)) + 1}: repeats line 1;" in said[0]
    assert "more lines are left out" in said[-1]
    assert len(said) == 4


def test_turns_that_are_told_again_with_other_times_count_once(
    place: Path, data: Path, tmp_path: Path
) -> None:
    whole, _ = taken_in(tmp_path / "before.sqlite", data)
    journal = journal_of(data)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    replayed = [{**line, "mono": line["mono"] + 1e6} for line in lines if "turn" in line]
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in [*lines[:-1], *replayed]))
    found, said = taken_in(place, data)
    assert [one.samples for one in found["bad"]] == [one.samples for one in whole["bad"]]
    assert "turn 0 began in line 2 already" in said[0]


def test_a_line_without_end_is_not_held(place: Path, data: Path) -> None:
    journal = journal_of(data)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:5], "x" * (5 << 20), "\n", *lines[5:]]))
    found, said = taken_in(place, data)
    assert "line 6: has more than 4194304 bytes" in said[0]
    assert len(found["bad"][0].samples) == 8


def test_a_job_of_another_kind_costs_only_itself(place: Path, data: Path) -> None:
    [job] = data.glob("jobs/bad/*/job.json")
    table = json.loads(job.read_text())
    for change in (
        {"plan": {**table["plan"], "budget_seconds": -1}},
        {"cases": DEEP},
        {"seed": 10**400},
        {"host": "\ud800"},
    ):
        job.write_text(json.dumps({**table, **change}))
        found, said = taken_in(place, data)
        assert len(found["good"]) == 2
        assert found["bad"] == []
        assert len(said) == 1
        assert f"{next(iter(change))}" in said[0]


def test_a_store_with_what_older_versions_took_in_is_folded_anew(place: Path, data: Path) -> None:
    """They took negative seconds for measurements."""
    taken_in(place, data)
    with closing(sqlite3.connect(place)) as sql, sql:
        old = "UPDATE lines SET text = replace(text, '\"seconds\": 1.2,', '\"seconds\": -1.2,')"
        sql.execute(old)
        sql.execute("UPDATE jobs SET fold = ?", (folding.FOLD - 1,))
    with Store.at(place) as store:
        found = store.measurements()
        assert all(sample.seconds > 0 for one in found for sample in one.samples)
        assert "seconds must be between 0 and" in store.problems[0]
        assert f"{place}, job " in store.problems[0]


@pytest.mark.parametrize(
    "text", ["", "{}", "[" * 10**5, '{"name": "\\ud800"}', b"\xff", 10**5, '{"threads": NaN}']
)
def test_a_damaged_row_of_the_store_costs_only_itself(
    place: Path, data: Path, text: str | bytes | int
) -> None:
    taken_in(place, data)
    with closing(sqlite3.connect(place)) as sql, sql:
        sql.execute("UPDATE cases SET measurement = ? WHERE name = 'a'", (text,))
        sql.execute("INSERT INTO bundles VALUES ('0', ?)", (text,))
    found = read_sources([place])
    assert [one.case for one in found.measurements] == ["b", "c", "d"]
    [sentence] = found.problems
    assert f"{place}, job " in sentence
    assert "of bad, case a: " in sentence


def test_a_damaged_line_of_a_results_file_costs_only_itself(place: Path, data: Path) -> None:
    measured, _ = taken_in(place, data)
    file = place.with_name("results.jsonl")
    write_results(file, [*measured["bad"], *measured["good"]])
    lines = file.read_text().splitlines()
    for damage in ({"load_seconds": -1}, {"error": "\ud800"}, {"score": {"wer": "x"}}):
        changed = json.dumps({**json.loads(lines[1]), **damage})
        file.write_text("\n".join([lines[0], changed, *lines[2:]]))
        found = read_sources([file])
        assert [one.case for one in found.measurements] == ["a", "c", "d"]
        [sentence] = found.problems
        assert sentence.startswith(f"{file}, line 2: {next(iter(damage))}")
        with pytest.raises(BadInput, match="line 2"):
            read_results(file)  # whoever writes it anew must not lose what it cannot read
    file.write_bytes(b"\xff\n" * 5)
    with pytest.raises(BadInput, match=r"line 1: it is not UTF-8 text: name a results\.jsonl"):
        read_sources([file])


def test_the_commands_show_the_others_and_say_what_is_left_out(
    place: Path, data: Path, tmp_path: Path
) -> None:
    journal = journal_of(data)
    change_line(journal, "sample", setting(audio_seconds=0))
    change_line(journal, "transcript", setting(text="\ud800"))
    at = {"SECATEUR_DATA": str(data), "SECATEUR_STORE": str(place)}
    done = secateur("results", "--json", **at)
    assert done.returncode == 0, done.stderr
    assert [row["device"] for row in json.loads(done.stdout)] == ["bad", "bad", "good", "good"]
    assert done.stderr.count(f"{journal}, line") == 2
    page = tmp_path / "page.md"
    done = secateur("report", "-o", str(page), **at)
    assert done.returncode == 0, done.stderr
    assert "good" in page.read_text()
    assert "Traceback" not in done.stderr


def test_figures_that_make_no_sense_together_fail_their_case_alone(
    place: Path, tmp_path: Path
) -> None:
    """Each line is possible; a rate of 10¹⁷ tokens a second is not."""
    job, events = small_job()
    phases = {"prefill": 1e-10, "decode": 0.0}
    changed = [
        replace(line, event=replace(line.event, phases=phases, tokens=10_000_000))
        if line.event.kind == "sample" and line.event.case == "a"  # type: ignore[union-attr]
        else line
        for line in events
    ]
    with Store.at(place) as store:
        store.add_folder(write_folder(tmp_path / "job", job, changed), "pi")
        failed, sound = store.measurements()
    assert "makes no figures (tokens_per_second is too large" in str(failed.error)
    assert (failed.samples, failed.latency) == ((), None)
    assert sound.error is None
