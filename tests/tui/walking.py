"""The real app under a pilot: opened on real results, typed into, and read as a user reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from tui.app import SecateurApp
from tui.opening import source_of
from tui.picture import settled
from tui.screens.explore import ExploreScreen
from tui.source.jobs import Runner

#: Turns of the loop in which a key gets from the app to whatever has the focus, and back.
_HOPS = 30


@asynccontextmanager
async def opened(
    path: Path,
    size: tuple[int, int] = (120, 40),
    memory: Path | None = None,
    *,
    sensitivities: Sequence[Path] = (),
    runner: Runner | None = None,
) -> AsyncIterator[Pilot[None]]:
    app = SecateurApp(source_of(path, sensitivities), memory, runner)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def press(pilot: Pilot[None], *keys: str, hops: int = _HOPS) -> None:
    """Faster than a pilot's own way, which waits for an idle processor after each key."""
    for key in keys:
        character = key if len(key) == 1 else " " if key == "space" else None
        name = _character_to_key(key) if len(key) == 1 else key
        pilot.app.post_message(events.Key(name, character))
        for _ in range(hops):
            await asyncio.sleep(0)
    await pilot.pause()


async def until(pilot: Pilot[None], holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Something that takes its own time, as measuring does; fails with what is on the screen."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, seen(pilot)
        await pilot.pause(0.05)


def seen(pilot: Pilot[None]) -> str:
    """Everything that is on the screen, line by line."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def read(pilot: Pilot[None]) -> str:
    """The words on the screen, however lines are broken."""
    return " ".join(seen(pilot).replace("│", " ").split())


def explore(pilot: Pilot[None]) -> ExploreScreen:
    app = pilot.app
    assert isinstance(app, SecateurApp)
    return app.explore


def selected(pilot: Pilot[None]) -> str:
    record = explore(pilot).selected
    assert record
    return record.row.name


def names(pilot: Pilot[None]) -> list[str]:
    view = explore(pilot).view
    return [view.records[at].row.name for at in view.order]
