"""Whether a graph takes and gives what its recogniser works with: names, types and sizes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speech.errors import BadInput
from speech.records import shortened

FLOATS, WHOLES = "tensor(float)", "tensor(int64)"

#: Of an attention's heads, or of anything else that a graph has a fixed number of.
_MOST = 1_000_000


@dataclass(frozen=True)
class Port:
    """An input or output: its type as onnxruntime names it, and its sizes (None: any)."""

    kind: str
    sizes: tuple[int | None, ...]


class Signature:
    """The inputs and outputs of an opened graph; complaints name its file."""

    def __init__(self, session: Any, path: Path):
        self.path = path
        self.inputs = [given.name for given in session.get_inputs()]
        self.outputs = [given.name for given in session.get_outputs()]
        self._sizes = {
            kind: {given.name: (given.type, tuple(given.shape or ())) for given in ports}
            for kind, ports in (("input", session.get_inputs()), ("output", session.get_outputs()))
        }

    def check(self, kind: str, ports: Mapping[str, Port]) -> None:
        """Raise unless the graph's inputs (or outputs) are exactly these."""
        found = self._sizes[kind]
        if missing := sorted(ports.keys() - found.keys()):
            raise self.wrong(f"has no {kind} {missing[0]!r}")
        if strays := sorted(found.keys() - ports.keys()):
            raise self.wrong(f"has an {kind} {shortened(strays[0])}, which nobody needs")
        for name, port in ports.items():
            if not _fits(found[name], port):
                wanted = _told(port.kind, ["any" if n is None else n for n in port.sizes])
                raise self.wrong(f"has {name!r} as {_told(*found[name])} instead of {wanted}")

    def size(self, kind: str, name: str, axis: int) -> int | None:
        """A fixed size; None where it follows the input."""
        size = self._sizes[kind][name][1][axis]
        return size if isinstance(size, int) else None

    def fixed(self, kind: str, name: str, axis: int) -> int:
        """A size that must be fixed."""
        size = self.size(kind, name, axis)
        if size is None or not 0 < size <= _MOST:
            raise self.wrong(f"has {name!r} without a fixed size along axis {axis}")
        return size

    def wrong(self, what: str) -> BadInput:
        return BadInput(f"{self.path} {what}: export the bundle again.")


def _fits(found: tuple[str, Sequence[object]], port: Port) -> bool:
    kind, sizes = found
    return (
        kind == port.kind
        and len(sizes) == len(port.sizes)
        and all(
            wanted is None or not isinstance(size, int) or size == wanted
            for size, wanted in zip(sizes, port.sizes, strict=True)
        )
    )


def _told(kind: str, sizes: Iterable[object]) -> str:
    return (
        f"{kind} of {shortened([size if isinstance(size, int) else str(size) for size in sizes])}"
    )
