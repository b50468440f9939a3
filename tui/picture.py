"""`python -m tui.picture RESULTS SVG`: what the app shows of some results, for the README."""

import asyncio
import sys
from pathlib import Path

from bench.results import read_results
from bench.rows import rows_from
from tui.app import TradeoffApp


async def draw(results: Path, svg: Path, size: tuple[int, int] = (150, 40)) -> None:
    app = TradeoffApp(rows_from(read_results(results)), source=results.as_posix())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        svg.parent.mkdir(parents=True, exist_ok=True)
        svg.write_text(app.export_screenshot(), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1]), Path(sys.argv[2])))
