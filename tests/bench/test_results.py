"""Results on disk, the numbers made of them, and the tables they end in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.agent.latency import ENOUGH_FOR, quantile, summarise
from bench.agent.measurement import Heard, Measurement, Sample, Variant
from bench.agent.memory import MemoryReading, kilobyte_field
from bench.report import markdown, table
from bench.results import read_results, write_results
from bench.rows import Row, rows_from
from speech.errors import BadInput

SCORE = {"wer": 0.064, "wer_low": 0.051, "wer_high": 0.079, "cer": 0.025}
FULL = Measurement(
    bundle="/bundles/demo|obs",
    name="demo|obs-70",
    measured_at="2026-01-01T00:00:00+00:00",
    threads=2,
    variant=Variant("demo|obs-70", "whisper", "obs", 0.7, 0.7004, 0.62, SCORE),
    warm_up=1,
    import_seconds=0.2,
    load_seconds=0.1,
    first_seconds=0.05,
    samples=(Sample("0.flac", 0.04, 2.0, {"features": 0.01}), Sample("0.flac", 0.06, 2.0, {})),
    latency=summarise([0.04, 0.06]),
    phase_medians={"features": 0.01},
    real_time_factor=0.025,
    audio_seconds=2.0,
    memory={"at_end": MemoryReading(100 * 2**20, None)},
    transcripts=(Heard("0.flac", "ja – nein", "ja nein"),),
    device_bytes=2**20,
    bundle_bytes=2**21,
    environment={"python": "3.11", "load_average": [0.1, 0.2, 0.3], "governor": None},
)
FAILED = Measurement(
    "/bundles/x", "x", "2026-01-01T00:00:00+00:00", 2, error="Was killed (SIGKILL)."
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.jsonl"
    write_results(file, [FULL, FAILED])
    assert read_results(file) == [FULL, FAILED]
    write_results(file, [FAILED])
    assert read_results(file) == [FAILED]
    assert [path.name for path in file.parent.iterdir()] == ["results.jsonl"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write_results(file, [FULL])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_results(file, [replace(FULL, load_seconds=float("nan"))])
    assert read_results(file) == [FULL]


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("threads", "two", "threads must be int, got 'two'"),
        ("load_seconds", True, "load_seconds must be float, got True"),
        ("load_seconds", float("inf"), "load_seconds must be a finite number"),
        ("latency", {"count": 1}, "latency lacks the key 'median'"),
        ("samples", [{"clip": 3}], r"samples\[0\] lacks the key 'seconds'"),
        ("memory", {"at_end": {"peak_bytes": "x"}}, "memory.at_end"),
        ("variant", [], "variant is not an object"),
        ("speed", 3, "unknown key 'speed'"),
        ("environment", {"cpu": {}}, "environment.cpu"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    file = tmp_path / "results.jsonl"
    wrong = json.dumps({**json.loads(FULL.to_json()), key: value})
    file.write_text(f"{FULL.to_json()}\n\n{wrong}\n")
    with pytest.raises(BadInput, match=f"line 3: .*{complaint}"):
        read_results(file)


def test_quantiles_wait_for_enough_samples() -> None:
    for percent, enough in ENOUGH_FOR.items():
        assert quantile(range(enough - 1), percent) is None
        assert quantile(range(enough), percent) is not None
    assert quantile(range(1, 101), 90) == 90


def test_one_sample_has_no_deviation() -> None:
    assert summarise([0.5]).sd is None
    assert summarise([1.0, 3.0]).sd == pytest.approx(2**0.5)


def test_proc_fields_are_bytes() -> None:
    text = "Name:\tpython\nVmHWM:\t   48124 kB\nVmHWMx: 1 kB\n"
    assert kilobyte_field(text, "VmHWM") == 48124 * 1024
    assert kilobyte_field(text, "Pss") is None


def test_a_row_joins_the_manifest_with_the_measurement() -> None:
    row, failed = rows_from([FULL, FAILED])
    assert (row.requested_percent, row.wer, row.wer_low) == pytest.approx((70, 6.4, 5.1))
    assert (row.size_mib, row.latency_ms, row.memory_mib) == pytest.approx((1, 50, 100))
    assert failed == Row(
        name="x",
        problem="Was killed (SIGKILL).",
        threads=2,
        measured_at="2026-01-01T00:00:00+00:00",
    )


def test_a_leak_through_the_waterline_is_a_problem() -> None:
    [row] = rows_from([replace(FULL, loaded_forbidden=("torch",))])
    assert "torch was loaded" in str(row.problem)


def test_markdown_is_one_table_with_escaped_cells_and_reasons() -> None:
    text = markdown(rows_from([FULL, FAILED]))
    lines = text.splitlines()
    assert lines[2].startswith("| demo\\|obs-70 | obs | 70 / 70.0 | 6.4 [5.1–7.9] | 1.00 | 50.0")
    assert lines[3].startswith("| x |  |  |")
    assert "zeros alone make no dense runtime faster" in text
    assert "- x: Was killed (SIGKILL)." in text


def test_columns_that_tell_nothing_apart_are_left_out() -> None:
    [row] = rows_from([FULL])
    assert "threads" not in markdown([row])
    assert "| 1.5 [0.5–2.5] |" in markdown(
        [replace(row, device_wer=1.5, device_wer_low=0.5, device_wer_high=2.5)]
    )
    several = markdown(
        [
            replace(row, device="pi"),
            replace(row, threads=4, settings="spinning", verdicts=("NOISY",)),
        ]
    )
    heads = several.splitlines()[0]
    assert all(title in heads for title in ("device", "threads", "settings", "verdict"))
    assert "precision" not in heads
    assert "| NOISY |" in several


def test_settings_are_told_where_they_are_not_as_usual() -> None:
    settings = {"threads": 2, "spinning": True, "arena": False, "window": 5.0, "provider": "cpu"}
    [row] = rows_from([replace(FULL, settings=settings)])
    assert (row.threads, row.settings) == (2, "spinning, no arena, window 5.0")


def test_the_terminal_table_has_the_same_cells() -> None:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table(rows_from([FULL, FAILED])))
    said = captured.get()
    assert "6.4 [5.1–7.9]" in said
    assert "x: Was killed" in said
