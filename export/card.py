"""A model card: what a bundle is, as a page of the hub. It claims nothing that the bundle does not.

Which zeros buy speed and which do not stands where the sparsity does, because readers expect it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import ModelCard

from export.card_metadata import UNCUT, base_model, corpus, found, front_matter
from export.card_usage import usage
from prune.methods import METHODS
from runtime.bundle import HOST_ONLY, MANIFEST, Bundle, Manifest

#: Stands where the hub's name of a bundle is not known yet.
UNNAMED = "OWNER/NAME"

_KINDS = {"whisper": "Whisper", "sew": "SEW", "sew-d": "SEW-D", "wav2vec2": "wav2vec 2.0"}

#: What each precision means, where that is not its name alone.
_PRECISIONS = {
    ("whisper", "int4"): "fp32 encoder, int4 decoder",
    ("whisper", "mixed"): "int8 encoder, int4 decoder",
    ("whisper", "fp16"): "fp16 in the files, fp32 in memory",
    ("ctc", "fp16"): "fp16 in the files, fp32 in memory",
}

Row = tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """One measurement of this very bundle; None where something was not measured."""

    machine: str
    threads: int
    #: Median over all samples.
    latency_ms: float | None
    real_time_factor: float | None
    #: Peak resident memory of the measuring process.
    memory_mib: float | None
    samples: int


def card(
    bundle: Bundle,
    *,
    repository: str = UNNAMED,
    license: str | None = None,
    measured: Sequence[Measured] = (),
    picture: str | None = None,
) -> str:
    """The card as Markdown with its YAML head.

    `license` is an identifier of the hub's, and `picture` the name of the file beside the card
    that shows the zeros of each layer.
    """
    manifest = bundle.manifest
    parts = [
        f"# {_plain(manifest.name)}",
        _first_words(manifest),
        "## What was done",
        _table(("", ""), _deeds(manifest)),
        *([f"![Zeros by layer]({picture})"] if picture else []),
        *_warnings(manifest),
        "## How well it hears",
        *_hearing(manifest),
        *_measurements(measured),
        "## Files",
        *_files(bundle),
        "## How to run it",
        *usage(bundle, repository),
        "## Where it comes from",
        _table(("", ""), _origins(bundle)),
    ]
    head = front_matter(bundle, license=license).to_yaml()
    return str(ModelCard(f"---\n{head}\n---\n\n" + "\n\n".join(parts) + "\n"))


def _first_words(manifest: Manifest) -> str:
    kind = _KINDS.get(manifest.architecture, manifest.architecture)
    what = f"A {_plain(kind)} model for speech recognition in ONNX, made by Secateur"
    source = _source(manifest)
    if _is_cut(manifest):
        gone = f"{_percent(manifest.sparsity.achieved)} of its prunable weights are gone"
        return f"{what}: {f'cut from {source}, ' if source else ''}{gone}."
    return f"{what}{f' from {source}' if source else ''}. Nothing was cut from it."


def _deeds(manifest: Manifest) -> Iterator[Row]:
    sparsity, method = manifest.sparsity, METHODS.get(manifest.method)
    told = f": {method.summary}" if method else ""
    yield "Method", f"{_code(manifest.method)}{told}"
    if method and _is_cut(manifest):
        yield (
            "Its four choices",
            f"score {method.score}, allocation {method.allocation}, "
            f"structure {method.structure}, schedule {method.schedule}",
        )
        yield from _lessons(manifest, fine_tunes=method.fine_tunes, listens=method.listens)
    if sparsity.requested is not None:
        yield "Sparsity asked for", f"{_percent(sparsity.requested)} of the prunable weights"
    yield "Sparsity achieved", f"{_percent(sparsity.achieved)} of the prunable weights"
    yield "Of all weights", _percent(sparsity.model)
    yield "Precision", _precision(manifest)


def _lessons(manifest: Manifest, *, fine_tunes: bool, listens: bool) -> Iterator[Row]:
    heard = found(manifest.provenance, "recipe", "corpus")
    if listens and isinstance(heard, Mapping) and "calibration_clips" in heard:
        clips, of = heard["calibration_clips"], heard.get("calibrate")
        yield "Listened to", f"{_plain(clips)} clips of {_plain(of)}"
    lessons = manifest.provenance.get("lessons")
    if fine_tunes and isinstance(lessons, list) and lessons:
        yield "Fine-tuned", "once" if len(lessons) == 1 else f"{len(lessons)} times"


def _precision(manifest: Manifest) -> str:
    name = manifest.precision
    return _PRECISIONS.get((manifest.family, name), name)


def _warnings(manifest: Manifest) -> Iterator[str]:
    if not _is_cut(manifest):
        return
    method = METHODS.get(manifest.method)
    if method and method.structure == "heads and neurons":
        yield (
            "Whole heads and neurons were cut out, so layers have really shrunk: every runtime "
            "has less to multiply and less to hold."
        )
        return
    text = (
        "**Zeros alone buy no speed.** The layers have kept their shapes, and a dense runtime such "
        "as onnxruntime multiplies zeros as it multiplies anything else: expect the latency and "
        "the memory of the unpruned model in the same precision."
    )
    if manifest.weights:
        text += " The files are smaller, because zeros are kept off the disk."
    yield f"> {text}"


def _hearing(manifest: Manifest) -> Iterator[str]:
    score = manifest.score
    if score is None:
        yield "Nobody has measured it."
        return
    heads = ("Corpus", "WER %", "95 % interval", "CER %", "Clips", "Words", "Normaliser")
    row = (
        _plain(corpus(manifest) or "not recorded"),
        f"**{100 * score.wer:.2f}**",
        f"{100 * score.wer_low:.2f} to {100 * score.wer_high:.2f}",
        f"{100 * score.cer:.2f}",
        f"{score.clips}",
        f"{score.words}",
        _plain(score.normalizer),
    )
    yield _table(heads, [row])
    yield (
        f"Wrong words: {score.substitutions} replaced, {score.insertions} put in, "
        f"{score.deletions} left out. The interval is a bootstrap over clips. Measured on the "
        "workstation that made the bundle."
    )


def _measurements(measured: Sequence[Measured]) -> Iterator[str]:
    if not measured:
        return
    yield "## How fast it is"
    heads = ("Machine", "Threads", "Latency, ms", "Real-time factor", "Peak memory, MiB", "Samples")
    rows = [
        (
            _plain(row.machine),
            f"{row.threads}",
            _number(row.latency_ms, 1),
            _number(row.real_time_factor, 4),
            _number(row.memory_mib, 1),
            f"{row.samples}",
        )
        for row in measured
    ]
    yield _table(heads, rows)
    yield "Latency is the median per clip."


def _files(bundle: Bundle) -> Iterator[str]:
    here = [file for file in bundle.manifest.files if (bundle.folder / file.path).exists()]
    needed = set(bundle.device_files)
    rows = [
        (_code(file.path), _size(file.size), "yes" if file in needed else "no") for file in here
    ]
    yield _table(("File", "Size", "Needed on a device"), rows)
    whole, on_device = (sum(file.size for file in files) for files in (here, needed))
    total = f"A device needs {_size(on_device)}"
    if whole != on_device:
        total += f" of {_size(whole)}; `{HOST_ONLY}/` is for further work on a workstation"
    yield f"{total}. `{MANIFEST}` holds the size and SHA-256 of each, and the rules of decoding."


def _origins(bundle: Bundle) -> Iterator[Row]:
    provenance = bundle.manifest.provenance
    if source := _source(bundle.manifest):
        yield "Made from", source
    if "seed" in provenance:
        yield "Seed", _plain(provenance["seed"])
    versions = provenance.get("versions")
    if isinstance(versions, Mapping):
        yield "Made with", ", ".join(f"{_plain(k)} {_plain(v)}" for k, v in versions.items())
    if "parent" in provenance:
        yield "Rounded from the bundle", _code(provenance["parent"])
    yield f"SHA-256 of `{MANIFEST}`", _code(bundle.sha256)


def _source(manifest: Manifest) -> str | None:
    """A link where it is the hub's; of a folder only its last part, the rest is nobody's affair."""
    if name := base_model(manifest):
        return f"[{name}](https://huggingface.co/{name})"
    source = manifest.provenance.get("model")
    return _code(source.rstrip("/").rpartition("/")[2]) if isinstance(source, str) else None


def _is_cut(manifest: Manifest) -> bool:
    return manifest.method not in UNCUT and manifest.sparsity.achieved > 0


def _table(heads: Row, rows: Iterable[Row]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _size(size: int) -> str:
    return f"{size / 2**20:,.2f} MiB" if size >= 100_000 else f"{size:,} bytes"


def _plain(value: object) -> str:
    """What a bundle says about itself as text and nothing else: no markup, one line."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", _line(value))


def _code(value: object) -> str:
    return f"`{_line(re.sub('[`|]', ' ', str(value)))}`"


def _line(value: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
