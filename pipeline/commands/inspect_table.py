"""What is in a bundle, for people: what it is and where it comes from, its files, their sizes."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from bench.console import SafeConsole
from speech.printable import printable

#: Of a SHA-256, how many digits are shown.
_DIGITS = 16

#: What the sizes of a bundle are called, by their keys; the last four are of the weights alone.
_SIZES = {
    "on_disk": "on disk",
    "transfer": "sent, in zstd",
    "in_memory": "in memory, dense",
    "packed": "bitmask and values",
    "coo": "COO",
    "csr": "CSR",
    "gzip": "gzip",
}


def show(record: Mapping[str, Any]) -> None:
    console = SafeConsole(soft_wrap=True)
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, fact in _facts(record):
        facts.add_row(name, Text(printable(fact)))
    console.print(facts)
    console.print(_files(record))
    if record["sizes"]:
        console.print(_sizes(record["sizes"]))


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "name", record["name"]
    yield "model", f"{record['family']} ({record['architecture']}), {record['precision']}"
    yield "method", record["method"]
    yield "sparsity", _sparsity(record["sparsity"])
    yield "WER", _word_errors(record["score"])
    provenance = record["provenance"]
    if "model" in provenance:
        yield "made from", str(provenance["model"])
    if "parent" in provenance:
        yield "parent bundle", _digest(provenance["parent"])
    if "seed" in provenance:
        yield "seed", str(provenance["seed"])
    versions = provenance.get("versions")
    if isinstance(versions, Mapping):
        yield "made with", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "sha256", _digest(record["sha256"])
    if record["archive_bytes"] is not None:
        yield "packed", _size(record["archive_bytes"])


def _digest(digest: object) -> str:
    """Enough of it to tell bundles apart; all of it is in the JSON."""
    text = str(digest)
    return f"{text[:_DIGITS]}…" if len(text) > _DIGITS else text


def _sparsity(sparsity: Mapping[str, float | None]) -> str:
    shares = {key: "–" if s is None else f"{100 * s:.1f} %" for key, s in sparsity.items()}
    return (
        f"{shares['requested']} asked for, {shares['achieved']} of the prunable weights, "
        f"{shares['model']} of the model"
    )


def _word_errors(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "not measured"
    wer, low, high = (f"{100 * score[key]:.2f}" for key in ("wer", "wer_low", "wer_high"))
    return (
        f"{wer} % (95 %: {low} to {high}) on {score['clips']} clips, "
        f"normaliser {score['normalizer']}"
    )


def _files(record: Mapping[str, Any]) -> Table:
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=True)
    everything = "all that is here\nwhat a device needs"
    grid.add_column("file", everything, no_wrap=True)
    sizes = f"{_size(record['bytes'])}\n{_size(record['device_bytes'])}"
    grid.add_column("size", sizes, justify="right", no_wrap=True)
    grid.add_column("for a device", no_wrap=True)
    for file in record["files"]:
        use = "yes" if file["for_device"] else "no"
        note = use if file["here"] else f"{use}, left out"
        grid.add_row(Text(printable(file["path"])), _size(file["size"]), note)
    return grid


def _sizes(sizes: Mapping[str, Mapping[str, int]]) -> Table:
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    grid.add_column("weights", no_wrap=True)
    for part in sizes:
        grid.add_column(Text(printable(part)), justify="right", no_wrap=True)
    for key, name in _SIZES.items():
        grid.add_row(name, *(_size(size[key]) for size in sizes.values()))
    return grid


def _size(size: int) -> str:
    return f"{size / 2**20:,.2f} MiB" if size >= 100_000 else f"{size:,} bytes"
