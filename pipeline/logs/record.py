"""What a bundle says of itself, in the words of those who draw training runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from runtime.bundle import MANIFEST, Bundle
from speech.errors import BadInput

_MIB = 1 << 20


@dataclass(frozen=True)
class Record:
    name: str
    #: The hash that tells this bundle from others of its name.
    bundle: str
    #: What was asked for.
    parameters: Mapping[str, str | float | int]
    #: What came of it: rates and sparsity as fractions, the size of what a device needs in MiB.
    scalars: Mapping[str, float]
    #: By fine-tuning its steps, and the losses on the held-out clips after them.
    losses: Mapping[str, Sequence[tuple[int, float]]]

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        manifest = bundle.manifest
        provenance, score = manifest.provenance, manifest.score
        asked = {
            "model": provenance.get("model"),
            "revision": provenance.get("revision"),
            "method": manifest.method,
            "sparsity": manifest.sparsity.requested,
            "seed": provenance.get("seed"),
            "precision": manifest.precision,
        }
        rates = {"wer": score.wer, "cer": score.cer} if score else {}
        with _as_a_run_writes_it(bundle, "provenance"):
            losses = dict(_losses(provenance.get("lessons", [])))
            if any(isinstance(value, Mapping | list) for value in asked.values()):
                raise ValueError
        scalars = {
            "sparsity": manifest.sparsity.achieved,
            "size_mib": sum(file.size for file in bundle.device_files) / _MIB,
            **rates,
        }
        parameters = {name: value for name, value in asked.items() if value is not None}
        return cls(manifest.name, bundle.sha256, parameters, scalars, losses)


@contextmanager
def _as_a_run_writes_it(bundle: Bundle, key: str) -> Iterator[None]:
    """A manifest may have been changed since, and whoever opens a bundle looks at no more of it."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise BadInput(
            f"{bundle.folder / MANIFEST}: {key!r} is not as a run writes it; "
            "--force makes the bundle anew."
        ) from error


def _losses(lessons: Sequence[Any]) -> list[tuple[str, list[tuple[int, float]]]]:
    """A single one needs no number; a loss that is no number is left out."""
    names = ["held_out_loss"]
    if len(lessons) > 1:
        names = [f"held_out_loss_{number}" for number in range(1, len(lessons) + 1)]
    return [
        (name, [(int(step), float(loss)) for step, loss in lesson["held_out"] if loss is not None])
        for name, lesson in zip(names, lessons, strict=False)
    ]
