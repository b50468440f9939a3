"""What is reckoned from bundles that lie here: guesses for other devices, and operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.reachable import reachable_bundles
from bench.rows import Row
from bench.sources import Findings
from tui.source.records import Computed, Detail

GIGA = 1e9


class Guesses:
    """Of rows on devices that nobody has; everything that was measured is read at the first one."""

    def __init__(self, read: Callable[[], Findings]):
        self._read = read
        self._findings: Findings | None = None

    def rows(self, profile: str) -> list[Row]:
        """Each labelled ESTIMATED."""
        from bench.estimates import estimates  # which reads graphs

        if self._findings is None:
            self._findings = self._read()
        return estimates(self._findings, profile).rows

    def forget(self) -> None:
        """There is something new."""
        self._findings = None


def computed(detail: Detail, dense: Detail | None) -> Computed | None:
    """What one clip takes; None for a bundle that is not here, or cannot be counted."""
    mine = _giga(detail)
    if mine is None:
        return None
    return Computed(detail.key, mine, _giga(dense) if dense else None)


def _giga(detail: Detail) -> float | None:
    from bench.estimates import counted

    if detail.bundle is None:
        return None
    sha256 = detail.measurement.bundle_sha256
    bundles = reachable_bundles([(detail.bundle, sha256)])
    counts: Sequence[float] = [
        sum(one.work.operations.values()) / GIGA for one in counted([detail.measurement], bundles)
    ]
    return counts[0] if counts else None
