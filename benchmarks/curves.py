"""`make curves`: word error rate over sparsity for every named method, with intervals.

Each point is one cell in docs/curves-MODEL.jsonl, written as it lands, so that a stopped run goes
on where it was; with `--steps N`, for longer or shorter fine-tuning, in curves-MODEL-N.jsonl.
Methods that listen are calibrated on 128 of the 200 calibration clips, drawn anew for each seed;
those that fine-tune learn from all 200. The picture shows each family of methods in a panel: the
mean over seeds, and the range from the lowest to the highest 95 % bound.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.plots.curves import Curve, draw_curves
from prune.methods import METHODS, Method
from prune.options import Options
from prune.training_plan import FineTuning
from speech.assets import BUNDLED_MODELS
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput
from speech.scoring import Score

if TYPE_CHECKING:
    from pipeline.sweep import Workbench
    from prune.checkpoint import Checkpoint

SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SEEDS = (0, 1, 2)
#: Columns of the table that is printed at the end.
TABLED = (0.3, 0.5, 0.7, 0.8, 0.9)
CALIBRATION_CLIPS = 128
LESSON = FineTuning(steps=300, rate=1e-3, check_every=25)

#: Which methods share a panel of the picture.
PANELS = {
    "One-shot": ("mp_local", "mp_global", "wanda", "owl_wanda", "owl_mp", "mp_repeat"),
    "OBS, one-shot": ("mp_global", "obs", "owl_obs", "obs_search", "nm_obs", "obs_structured"),
    "Fine-tuned": (
        "mp_finetune_local", "mp_finetune_global", "obs_finetune", "iobs", "parp",
        "dense_finetune",
    ),
    "Iterative magnitude": (
        "imp_local", "imp_global", "imp_rewind_local", "imp_rewind_global", "iobs",
        "dense_finetune",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    method: str
    seed: int
    sparsity: float
    achieved: float
    score: dict[str, Any]


class Curves:
    """One model's cells, done and to do."""

    def __init__(self, model: str, path: Path, steps: int, corpus: str = "demo:test"):
        self.model, self.path = model, path
        # early stopping is left out: lessons of one length are what is compared
        self._lesson = replace(LESSON, steps=steps, patience=1 + steps // LESSON.check_every)
        self.corpus: Corpus = open_corpus(corpus)
        lines = path.read_text().splitlines() if path.exists() else []
        self.points = [Point(**json.loads(line)) for line in lines]

    def run(self, methods: list[str], seeds: list[int], sparsities: list[float]) -> None:
        for seed in seeds:
            bench = None
            for name in methods:
                if seed and not METHODS[name].listens:
                    continue  # nothing in it is drawn by chance
                missing = [
                    s for s in _asked(METHODS[name], sparsities) if not self._has(name, seed, s)
                ]
                if missing:
                    bench = bench or self._workbench(seed)
                    self._cells(bench, name, seed, missing)

    def _has(self, method: str, seed: int, sparsity: float) -> bool:
        return any((p.method, p.seed, p.sparsity) == (method, seed, sparsity) for p in self.points)

    def _workbench(self, seed: int) -> "Workbench":
        from pipeline.sweep import Workbench
        from prune.checkpoint import open_checkpoint

        return Workbench(
            open_checkpoint(self.model),
            self.corpus,
            Options(seed=seed, fine_tuning=replace(self._lesson, seed=seed)),
            speech=open_corpus("demo:calibration", limit=CALIBRATION_CLIPS, seed=seed),
            lessons=open_corpus("demo:calibration"),
            batch=100,
        )

    def _cells(self, bench: "Workbench", name: str, seed: int, sparsities: list[float]) -> None:
        """A gradual schedule passes through all sparsities on its way to the last."""
        passes = METHODS[name].passes

        def note(reached: float, checkpoint: "Checkpoint") -> None:
            if reached in sparsities:
                self._add(name, seed, reached, reached, bench.heard(checkpoint))

        for sparsity in sparsities[-1:] if passes else sparsities:
            try:
                checkpoint, pruned = bench.cut(name, sparsity, note if passes else None)
            except BadInput as error:  # not every structure reaches every sparsity
                print(f"{name} {sparsity}: {error}", flush=True)
                continue
            if not passes:
                achieved = pruned.sparsity.achieved
                self._add(name, seed, sparsity, achieved, bench.heard(checkpoint))

    def _add(self, method: str, seed: int, sparsity: float, achieved: float, result: Score) -> None:
        point = Point(method, seed, sparsity, achieved, result.to_json())
        self.points.append(point)
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(point)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        print(
            f"{method:20} seed {seed}  {sparsity:4.0%}  WER {100 * result.wer:6.2f} %", flush=True
        )

    def draw(self, path: Path) -> None:
        panels = {
            title: [curve for name in names if (curve := self._curve(name)).sparsities]
            for title, names in PANELS.items()
        }
        drawn = {title: curves for title, curves in panels.items() if len(curves) > 1}
        draw_curves(drawn, path, title=f"{self.model}: word error rate on {self.corpus.name}")

    def table(self) -> Iterator[str]:
        """Markdown: a line for each method, word error rates in %, one for each seed."""
        yield f"| | {' | '.join(f'{s:.0%}' for s in TABLED)} |"
        yield f"|---|{'---:|' * len(TABLED)}"
        for name in dict.fromkeys(point.method for point in self.points if point.sparsity):
            found = {(p.sparsity, p.seed): p.score["wer"] for p in self.points if p.method == name}
            cells = (
                " · ".join(f"{100 * found[s, seed]:.1f}" for seed in SEEDS if (s, seed) in found)
                for s in TABLED
            )
            yield f"| `{name}` | {' | '.join(cells)} |"

    def _curve(self, name: str) -> Curve:
        by_sparsity: dict[float, list[dict[str, Any]]] = {}
        for point in self.points:
            if point.method in (name, "dense"):
                by_sparsity.setdefault(point.sparsity, []).append(point.score)
        if set(by_sparsity) <= {0.0} and name != "dense_finetune":
            by_sparsity = {}
        sparsities = sorted(by_sparsity)
        found = [by_sparsity[s] for s in sparsities]
        return Curve(
            name,
            sparsities,
            [sum(s["wer"] for s in scores) / len(scores) for scores in found],
            [min(s["wer_low"] for s in scores) for scores in found],
            [max(s["wer_high"] for s in scores) for scores in found],
        )

    def dense(self) -> None:
        if not self._has("dense", 0, 0.0):
            bench = self._workbench(0)
            self._add("dense", 0, 0.0, 0.0, bench.heard(bench.dense))


def _asked(method: Method, sparsities: list[float]) -> Iterator[float]:
    yield from [0.0] if method.schedule == "learn" else sparsities


def main() -> None:
    parser = argparse.ArgumentParser(description="Curves of every named method on a demo model.")
    parser.add_argument("model", nargs="?", default="demo-whisper", choices=BUNDLED_MODELS)
    every = list(dict.fromkeys(name for names in PANELS.values() for name in names))
    parser.add_argument("--methods", type=lambda text: text.split(","), default=every)
    parser.add_argument("--seeds", type=lambda t: [int(s) for s in t.split(",")], default=SEEDS)
    parser.add_argument(
        "--sparsities", type=lambda t: [float(s) for s in t.split(",")], default=SPARSITIES
    )
    parser.add_argument("--steps", type=int, default=LESSON.steps, help="Of fine-tuning, in all.")
    parser.add_argument("--corpus", default="demo:test", help="Another one to score on.")
    parser.add_argument(
        "-o", "--output", type=Path, help="Where else than in docs, without suffix."
    )
    args = parser.parse_args()
    if unknown := set(args.methods) - set(every):
        parser.error(f"no curve is drawn of {', '.join(sorted(unknown))}: take {', '.join(every)}")
    length = "" if args.steps == LESSON.steps else f"-{args.steps}"
    place = args.output or Path("docs") / f"curves-{args.model}{length}"
    if args.corpus != "demo:test" and not args.output:
        parser.error("scores of another corpus belong into another file: give --output")
    curves = Curves(args.model, place.with_suffix(".jsonl"), args.steps, args.corpus)
    curves.dense()
    curves.run(args.methods, list(args.seeds), list(args.sparsities))
    curves.draw(place.with_suffix(".png"))
    print(*curves.table(), sep="\n")


if __name__ == "__main__":
    main()
