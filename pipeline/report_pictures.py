"""The pictures of a report, each with its words: the same looks on all of them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.report_page import Block, Picture, Points, Text
from pipeline.plots.layer_map import draw_layer_map
from pipeline.plots.lines import Lines
from pipeline.plots.looks import Looks
from pipeline.plots.slides import COSTS, draw_costs, draw_errors, draw_front, front
from pipeline.report_rows import Group, Result, manifests_of, model_name
from speech.counted import counted
from tui.tradeoffs.axes import WER

#: So many variants fit side by side in a map of layers, and so many maps on a page.
_MOST_COLUMNS, _MOST_MAPS = 40, 4


class Pictures:
    """Hands out names of files in the order of the page."""

    def __init__(self, groups: Sequence[Group]):
        self._lines = {id(group): group.lines for group in groups}
        self._looks = Looks.of(*self._lines.values())
        self._count = 0

    def curves(self, group: Group) -> Iterator[Block]:
        """What is cut, over what it costs and gains; of a single variant there is no curve."""
        shown = self._lines[id(group)]
        if len(group.sound) < 2:
            return
        if any(row.wer is not None for row in group.sound):
            yield self._slide(
                "wer", group, draw_errors, shown, f"{group.title}: word error rate over zeros",
                f"Word error rate of {group.title} over sparsity, a line for each method, with "
                "95 % intervals, beside the dense model and the fine-tuned dense one.",
            )  # fmt: skip
        yield self._slide(
            "costs", group, draw_costs, shown, f"{group.title}: what zeros gain",
            f"Latency, size and memory of {group.title} over sparsity, a line for each method.",
        )  # fmt: skip

    def fronts(self, group: Group) -> Iterator[Block]:
        """What no other variant beats in errors and in a cost."""
        if len(group.sound) < 2 or all(row.wer is None for row in group.sound):
            return
        yield self._slide(
            "front", group, draw_front, self._lines[id(group)], f"{group.title}: the Pareto front",
            f"WER of {group.title} over latency and memory; the line joins what no other beats.",
        )  # fmt: skip
        best = {cost.label: ", ".join(map(group.short, front(group.sound, cost))) for cost in COSTS}
        told = [
            f"No other is better in both {WER.label} and {k}: {v}." for k, v in best.items() if v
        ]
        if told:
            yield Points(told)

    def layers(self, results: Sequence[Result]) -> Iterator[Block]:
        """Of bundles that are at hand and have zeros; what differs only in precision once."""
        manifests = manifests_of(results)
        if not manifests:
            yield Text(
                "The bundles are not at hand, so nobody can say which layers hold their zeros."
            )
        maps = [
            (model, {name: variants[name] for name in names[start : start + _MOST_COLUMNS]})
            for model, variants in _zeros(results).items()
            for names in [list(variants)]
            for start in range(0, len(names), _MOST_COLUMNS)
        ]
        for model, part in maps[:_MOST_MAPS]:
            yield self._picture(
                f"layers {model}",
                f"Zeros of each layer of {model}, for {', '.join(part)}.",
                partial(draw_layer_map, part, title=f"{model}: where the zeros are"),
            )
        if left := sum(len(part) for _, part in maps[_MOST_MAPS:]):
            yield Text(f"The layers of {counted(left, 'other variant')} are not drawn.")

    def _slide(
        self, kind: str, group: Group, draw: Callable[..., None], shown: Lines, title: str,
        words: str,
    ) -> Picture:  # fmt: skip
        drawing = partial(draw, shown, title=title, looks=self._looks)
        return self._picture(f"{kind} {group.name}", words, drawing)

    def _picture(self, kind: str, words: str, draw: Callable[[Path], None]) -> Picture:
        self._count += 1
        name = f"{self._count:02}-{re.sub('[^a-z0-9]+', '-', kind.lower()).strip('-')}"
        with tempfile.TemporaryDirectory(prefix="secateur-") as place:
            file = Path(place) / "picture.png"
            draw(file)
            return Picture(name, file.read_bytes(), words)


def _zeros(results: Sequence[Result]) -> dict[str, dict[str, Mapping[str, float]]]:
    """By model and variant, the share of zeros of each layer."""
    models: dict[str, dict[str, Mapping[str, float]]] = {}
    for result in results:
        layers = result.manifest.sparsity.layers if result.manifest else {}
        if not any(layers.values()):
            continue
        model = model_name(result.row) or "all"
        of_model = models.setdefault(model, {})
        name = result.row.name.removeprefix(f"{model}-").removesuffix(f"-{result.row.precision}")
        if dict(of_model.get(name, layers)) != dict(layers):
            name = result.row.name.removeprefix(f"{model}-")
        of_model.setdefault(name, layers)
    return models
