"""The selected result in words and bars, section by section; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from bench.agent.measurement import Measurement
from bench.report import device_wer_with_interval, number, wer_with_interval
from bench.rows import ESTIMATED, MEBIBYTE, OTHER_CLIPS, Row
from runtime.bundle import Manifest
from tui.bars import bar
from tui.glyphs import glyph_of, is_unfinished, structure_of
from tui.source.records import Computed, Detail
from tui.tradeoffs.axes import LATENCY, MEMORY, RTF, SIZE, Axis, finite

#: What stands before a section's lines where several are side by side.
Section = tuple[str, Text]
_FACTS = ("model", "cpu", "cores", "architecture", "memory_mb", "system", "governor", "python",
          "onnxruntime")  # fmt: skip
_BAR = 9
_BAR_STYLE = "#56B4E9"


@dataclass(frozen=True)
class Told:
    """All that is known of the selected row."""

    row: Row
    excesses: Sequence[str] = ()
    warning: str | None = None
    detail: Detail | None = None
    computed: Computed | None = None


def headline(row: Row) -> Text:
    parts = [row.family, f"{row.method} ({structure_of(row.method)})" if row.method else ""]
    parts += [row.device, row.precision, row.settings]
    parts += [f"{row.threads} threads" if row.threads and row.threads > 1 else ""]
    about = " · ".join(part for part in parts if part)
    return Text.assemble(f"{glyph_of(row)} ", (row.name, "bold"), f"  {about}")


def alarms(told: Told) -> list[Text]:
    """What a reader must not miss, each with a sign before it."""
    row = told.row
    found = []
    if row.problem:
        found.append(Text.assemble(("✗ ", "bold"), row.problem))
    elif is_unfinished(row):
        found.append(Text("… Its journal ends before anything of it was measured."))
    if ESTIMATED in row.verdicts:
        found.append(Text("○ ESTIMATED: nobody measured it; it may be far off."))
    if told.excesses:
        found.append(Text.assemble(("✗ over budget: ", "bold"), "; ".join(told.excesses)))
    if OTHER_CLIPS in row.verdicts:
        found.append(
            Text.assemble(
                ("! ", "bold"),
                f"Timed on {row.timed_clips} of {row.timed_corpus or 'an unknown corpus'}, and the "
                f"WER is of {row.clips} of {row.corpus or 'an unknown corpus'}: times and device "
                "WER are of other speech.",
            )
        )
    if told.warning:
        found.append(Text.assemble(("! ", "bold"), told.warning))
    return found


def brief(row: Row) -> Text:
    """Two lines for where there is no room for more."""
    hears = _listed(
        ("WER ", wer_with_interval(row) if finite(row.wer) is not None else "", " %"),
        ("CER ", number(finite(row.cer), 1), " %"),
        ("zeros ", number(finite(row.achieved_percent), 1), " %"),
    )
    costs = _listed(
        ("", _with_interval(LATENCY, row, 1), f" ms × {row.samples}" if row.samples else " ms"),
        ("RTF ", number(RTF.value(row), 4), ""),
        ("peak ", number(MEMORY.value(row), 0), " MiB"),
        ("", number(SIZE.value(row), 2), " MiB"),
    )
    verdicts = ", ".join(row.verdicts)
    return Text(f"{hears}{'  ' + verdicts if verdicts else ''}\n{costs}")


def sections(told: Told) -> list[Section]:
    """Those that have something to say."""
    found: list[Section] = [("numbers", _numbers(told))]
    detail = told.detail
    if detail:
        measurement, manifest = detail.measurement, detail.manifest
        found += [
            ("time by phase", _phases(measurement)),
            ("memory by stage", _memory(measurement)),
            ("zeros by layer", _layers(manifest)),
            ("where", _environment(measurement)),
            ("provenance", _provenance(measurement, manifest, detail)),
        ]
    return [(title, text) for title, text in found if text.plain.strip()]


def _numbers(told: Told) -> Text:
    row = told.row
    pairs = [
        ("WER", f"{wer_with_interval(row)} %" if finite(row.wer) is not None else ""),
        ("CER", _unit(row.cer, 1, "%")),
        (
            "WER there",
            f"{device_wer_with_interval(row)} %" if finite(row.device_wer) is not None else "",
        ),
        ("zeros", _unit(row.achieved_percent, 1, "% of prunable weights")),
        ("", _unit(row.model_percent, 1, "% of all weights")),
        ("median", _latency(row)),
        ("p90", _unit(row.p90_ms, 1, "ms")),
        ("p95", _unit(row.p95_ms, 1, "ms")),
        ("RTF", number(RTF.value(row), 4)),
        ("load, first", _pair(row.load_ms, row.first_ms)),
        ("peak", _unit(row.memory_mib, 1, "MiB")),
        ("size", _unit(row.size_mib, 2, "MiB")),
        ("computes", _operations(told.computed)),
        ("energy", _unit(row.joules_per_clip, 2, "J a clip")),
        ("power", _unit(row.watts, 2, "W")),
        ("verdict", ", ".join(row.verdicts)),
    ]
    return _pairs(pairs)


def _operations(found: Computed | None) -> str:
    if found is None:
        return ""
    told = f"{found.giga:.3g} billion operations a clip"
    if found.dense_giga:
        gone = 100 * (1 - found.giga / found.dense_giga)
        told += f", {abs(gone):.0f} % {'less' if gone >= 0 else 'more'} than dense"
    return told


def _phases(measurement: Measurement) -> Text:
    medians = measurement.phase_medians
    longest = max(medians.values(), default=0.0)
    return _bars((name, seconds / longest, f"{1000 * seconds:.1f} ms")
                 for name, seconds in medians.items() if longest > 0)  # fmt: skip


def _memory(measurement: Measurement) -> Text:
    peaks = {
        stage.replace("_", " "): reading.peak_bytes / MEBIBYTE
        for stage, reading in measurement.memory.items()
        if reading.peak_bytes
    }
    most = max(peaks.values(), default=1.0)
    return _bars((name, peak / most, f"{peak:.0f} MiB") for name, peak in peaks.items())


def _layers(manifest: Manifest | None) -> Text:
    layers: Mapping[str, float] = manifest.sparsity.layers if manifest else {}
    return _bars((_short(name), share, f"{100 * share:.0f} %") for name, share in layers.items())


def _short(layer: str) -> str:
    """Without the words that every layer's name has."""
    kept = [part for part in layer.split(".") if part not in ("model", "layers")]
    return ".".join(kept)


def _environment(measurement: Measurement) -> Text:
    facts = measurement.environment
    pairs = [("device", str(facts.get("device") or ""))]
    pairs += [(key.replace("_", " "), _told(facts.get(key))) for key in _FACTS]
    conditions = measurement.conditions
    if conditions:
        clocks = (conditions.clock_mhz_at_least, conditions.clock_mhz_at_most)
        heats = (conditions.temperature_at_start, conditions.temperature_at_most)
        pairs += [
            ("clock", _range(clocks, "MHz")),
            ("temperature", _range(heats, "°C")),
            ("load at most", number(conditions.load_at_most, 2)),
        ]
    return _pairs(pairs)


def _provenance(measurement: Measurement, manifest: Manifest | None, detail: Detail) -> Text:
    found = manifest.provenance if manifest else {}
    recipe = found.get("recipe")
    versions = found.get("versions")
    pairs = [
        ("model", str(found.get("model") or "")),
        ("recipe", str(recipe.get("name") or "") if isinstance(recipe, Mapping) else ""),
        ("seed", "" if found.get("seed") is None else str(found["seed"])),
        ("made with", _versions(versions)),
        ("bundle", (measurement.bundle_sha256 or "")[:16]),
        ("lies in", str(detail.bundle or "")),
        ("measured", measurement.measured_at),
        ("job", measurement.job or ""),
        ("case", measurement.case or ""),
    ]
    return _pairs(pairs)


def _versions(versions: object) -> str:
    if not isinstance(versions, Mapping):
        return ""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _pairs(pairs: Iterable[tuple[str, str]]) -> Text:
    told = [(name, value) for name, value in pairs if value.strip()]
    text = Text()
    for name, value in told:
        text.append(f"{name:<12}", "dim").append(f"{value}\n")
    return text


def _bars(lines: Iterable[tuple[str, float, str]]) -> Text:
    known = list(lines)
    width = max((len(name) for name, _, _ in known), default=0)
    text = Text(no_wrap=True, overflow="ellipsis")
    for name, share, value in known:
        text.append(f"{name:<{width}} ", "dim").append(bar(share, _BAR), _BAR_STYLE).append(
            f" {value}\n"
        )
    return text


def _latency(row: Row) -> str:
    told = _with_interval(LATENCY, row, 1)
    return f"{told} ms × {row.samples}" if told and row.samples else f"{told} ms" if told else ""


def _with_interval(axis: Axis, row: Row, digits: int) -> str:
    value, interval = axis.value(row), axis.interval(row)
    if value is None:
        return ""
    ends = f" [{interval[0]:.{digits}f}–{interval[1]:.{digits}f}]" if interval else ""
    return f"{value:.{digits}f}{ends}"


def _unit(value: float | None, digits: int, unit: str) -> str:
    known = finite(value)
    return "" if known is None else f"{known:.{digits}f} {unit}"


def _pair(one: float | None, other: float | None) -> str:
    first, second = finite(one), finite(other)
    return "" if first is None or second is None else f"{first:.0f}, {second:.1f} ms"


def _range(ends: Sequence[float | None], unit: str) -> str:
    known = [end for end in ends if end is not None]
    if not known:
        return ""
    low, high = f"{min(known):g}", f"{max(known):g}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _told(value: object) -> str:
    return (
        ""
        if value is None
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )


def _listed(*facts: tuple[str, str, str]) -> str:
    """What was measured, each with the words before and after it; the rest is left out."""
    return " · ".join(f"{before}{value}{after}" for before, value, after in facts if value)
