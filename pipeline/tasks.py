"""What of a run is done in one go, by one process, wherever that is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline.plan import Cell, digest_of
from prune.methods import METHODS

#: The folder beside the bundles in which statistics wait for those who share them.
STATISTICS = ".statistics"


@dataclass(frozen=True)
class Task:
    """Cells of one model, each after the one that it is made from; some may be there already.

    A gradual method's are all in one, for it passes through them on its way to the deepest.
    """

    model: str
    #: With their fingerprints.
    wanted: tuple[tuple[Cell, str], ...]
    missing: frozenset[Cell]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for cell, _ in self.wanted)

    @property
    def to_do(self) -> list[tuple[Cell, str]]:
        return [(cell, mark) for cell, mark in self.wanted if cell in self.missing]

    @property
    def mark(self) -> str:
        """Of all of it, done or not."""
        return digest_of({cell.name: mark for cell, mark in self.wanted})

    @property
    def passes(self) -> bool:
        return bool(self.cells[0].path)

    @property
    def effort(self) -> int:
        """A rank, so that what takes long is begun first where several work side by side."""
        method = METHODS.get(self.cells[0].method)
        if method is None:
            return 0
        if method.fine_tunes:
            return 3
        if method.structure == "heads and neurons":
            return 2
        return int(method.score == "obs")


def tasks(wanted: Mapping[Cell, str], missing: Collection[Cell]) -> list[Task]:
    """Those in which something is missing, in the order of the cells."""
    groups: dict[object, list[tuple[Cell, str]]] = {}
    for cell, mark in wanted.items():
        groups.setdefault(_belongs_to(cell), []).append((cell, mark))
    found = [
        Task(group[0][0].model, tuple(group), frozenset(cell for cell, _ in group) & {*missing})
        for group in groups.values()
    ]
    return [task for task in found if task.missing]


def _belongs_to(cell: Cell) -> object:
    return (cell.model, cell.method, cell.seed) if cell.path else cell.in_fp32
