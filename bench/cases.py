"""The lines of a comparison: every bundle under every group of settings, each with a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.agent.job import Case
from runtime.bundle import Bundle
from runtime.settings import Settings
from speech.errors import BadInput


def cases_here(folders: Iterable[Path], settings: Sequence[Settings]) -> list[Case]:
    """Of bundles on this machine; what is no bundle becomes a case that fails and says so."""
    return cases_of([(_opened(folder), folder.resolve()) for folder in folders], settings)


def cases_of(
    placed: Iterable[tuple[Bundle | None, Path]], settings: Sequence[Settings]
) -> list[Case]:
    """Of bundles and the folders in which the device has them."""
    seen: Counter[str] = Counter()
    cases = []
    for bundle, folder in placed:
        for chosen in settings:
            name = f"{bundle.manifest.name if bundle else folder.name}/{_told(chosen)}"
            seen[name] += 1
            again = f"#{seen[name]}" if seen[name] > 1 else ""
            cases.append(Case(name + again, folder, chosen, bundle.sha256 if bundle else None))
    return cases


def _told(settings: Settings) -> str:
    """Such as `t2` or `t1-spinning-5s`: threads, and what is not as by default."""
    marks = [f"t{settings.threads}"]
    marks += ["spinning"] if settings.spinning else []
    marks += [] if settings.arena else ["no-arena"]
    marks += [f"{settings.window:g}s"] if settings.window is not None else []
    marks += [settings.provider] if settings.provider != "cpu" else []
    return "-".join(marks)


def _opened(folder: Path) -> Bundle | None:
    try:
        return Bundle.open(folder, on_device=True)
    except BadInput:
        return None
