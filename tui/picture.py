"""`python -m tui.picture RESULTS SVG`: what the app shows of some results, for the README."""

import asyncio
import sys
from pathlib import Path

from textual.pilot import Pilot

from tui.app import SecateurApp
from tui.opening import source_of


async def draw(results: Path, svg: Path, size: tuple[int, int] = (170, 44)) -> None:
    app = SecateurApp(source_of(results))
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("r")
        await settled(pilot)
        svg.parent.mkdir(parents=True, exist_ok=True)
        svg.write_text(app.export_screenshot(), encoding="utf-8")


async def settled(pilot: Pilot[None]) -> None:
    """Until everything that was asked for is shown."""
    app = pilot.app
    assert isinstance(app, SecateurApp)
    await pilot.pause()
    while app.is_busy:
        await pilot.pause(0.01)
    await pilot.pause()


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1]), Path(sys.argv[2])))
