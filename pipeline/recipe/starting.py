"""A recipe to start from, with comments that say what each key is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.recipe.toml_text import spelt

#: What the comments begin at.
_COLUMN = 44

_EXPLAINED = """\
`secateur recipe explain` says what it will do, docs/recipes.md what else it may say."""


@dataclass(frozen=True)
class Start:
    """What a recipe says at its beginning; fields are keys of the same name."""

    name: str
    models: Sequence[str]
    evaluate: str
    #: What the comment at its top says, in lines.
    headline: Sequence[str] = ("What is pruned, how, and how it is measured.",)
    output: str = ""
    limit: int | None = None
    calibrate: str = ""
    methods: Sequence[str] = ("mp_global", "wanda", "obs")
    sparsities: Sequence[float] = (0.0, 0.3, 0.5, 0.7)
    #: Further keys of [prune].
    options: Mapping[str, Any] = field(default_factory=dict)
    precisions: Sequence[str] = ("fp32", "int8")
    pytorch: str = "plain"
    threads: int = 1

    def text(self) -> str:
        output = self.output or f"bundles/{self.name}"
        clips = "clips of it, drawn with the seed"
        limit = _line("limit", self.limit, clips)
        if self.limit is None:
            limit = _line("# limit", 200, f"{clips}; all of them unless it is said")
        calibrate = self.calibrate or usual_calibration(self.evaluate)
        options = [f"{key} = {spelt(value)}" for key, value in self.options.items()]
        lines = [
            *(f"# {line}" for line in (*self.headline, _EXPLAINED)),
            _line("name", self.name, ""),
            _line("output", output, "bundles and results; what is finished there stays"),
            _line("models", self.models, "checkpoint folders and names on the hub"),
            _line("seeds", [0], "each draws whatever is drawn by chance"),
            "",
            "[corpus]",
            _line("evaluate", self.evaluate, "what every variant is scored on"),
            limit,
            _line("calibrate", calibrate, "what methods hear: such speech, but other clips"),
            _line("calibration_clips", 128, ""),
            "",
            "[prune]",
            _line("methods", self.methods, "`secateur methods` lists all of them"),
            _line("sparsities", self.sparsities, "0.0 is the dense model, to hold others against"),
            *(options or [_line("# layers", ["encoder.*"], "only some of them")]),
            "",
            "[export]",
            _line("precisions", self.precisions, "fp32 is always made, the others from it"),
            _line("pytorch", self.pytorch, "the checkpoint: plain, packed or none"),
            "",
            f"{'[measure]':<{_COLUMN}}  # here; elsewhere `secateur bench` does",
            _line("clips", min(8, self.limit or 8), ""),
            _line("samples", 10, "timed transcriptions of each"),
            _line("threads", self.threads, ""),
        ]
        return "\n".join(lines) + "\n"


def usual_calibration(evaluate: str) -> str:
    """Speech that is like the named corpus and shares no clip with it, as far as we have any."""
    name = evaluate.partition(":")[0]
    if name == "demo":
        return "demo:test" if evaluate == "demo:calibration" else "demo:calibration"
    usual = "librispeech:dev-clean"
    return "librispeech:dev-other" if evaluate == usual else usual


def _line(key: str, value: object, comment: str) -> str:
    said = f"{key} = {spelt(value)}"
    return f"{said:<{_COLUMN}}  # {comment}" if comment else said
