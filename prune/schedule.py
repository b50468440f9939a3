"""When to cut and when to learn: one-shot, step by step, with weights set back, or regrowing."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.finetune import finetune
from prune.forcing import Report, Speech
from prune.methods import METHODS, Method, check_method
from prune.oneshot import Cuts, Statistics, cut_once
from prune.options import Options, rising
from prune.snapshot import fingerprint, read_snapshot, write_snapshot
from prune.structure.layers import said_instead
from prune.structure.size import Size, original_name, size, sparsity_since
from prune.structured import cut_blocks, cut_groups
from prune.training_plan import LESSON_STATE, SCHEDULE_STATE, Outcome
from runtime.bundle import Sparsity
from speech.errors import BadInput

#: PARP: how many times the weights may regrow before they are cut for good.
_REGROWTHS = 3


@dataclass(frozen=True)
class Pruned:
    """What came of a pruning."""

    sparsity: Sparsity
    damping: dict[str, float] = field(default_factory=dict)
    #: The squared error of each layer's output, as a share of the output's square, in the last cut.
    errors: dict[str, float] = field(default_factory=dict)
    lessons: tuple[Outcome, ...] = ()
    #: The old names of transformer blocks by their new ones, if some were dropped.
    origins: dict[str, str] = field(default_factory=dict)


def prune(
    checkpoint: Checkpoint,
    method: str,
    sparsity: float,
    speech: Speech | None = None,
    *,
    options: Options | None = None,
    lessons: Speech | None = None,
    statistics: Statistics | None = None,
    work: Path | None = None,
    through: Iterable[float] = (),
    after: Callable[[float, Pruned], None] | None = None,
    report: Report | None = None,
    processes: int = 1,
) -> Pruned:
    """Prune the checkpoint's model in place, as the named method does.

    `speech` is what to calibrate on, and to learn from unless `lessons` are given. `statistics`
    are those of the model as it comes. `work` is a folder in which a long schedule leaves its
    state, and from which it goes on after it was stopped. `through` are sparsities that a gradual
    schedule is to pass on its way. `after` is called at each that it has reached, with what came of
    it so far and the model as it then is; where it goes on, first with the one it had come to.
    `processes` share every fine-tuning, each on a GPU of its own.
    """
    check_method(method)
    chosen, options = METHODS[method], options or Options()
    if not 0 <= sparsity <= 1:
        raise BadInput(f"sparsity {sparsity} is not between 0 and 1.")
    if chosen.schedule == "learn" and sparsity:
        raise BadInput(f"{method} cuts nothing: give it sparsity 0.")
    if sparsity and (options.heads, options.ffn) != (None, None):
        raise BadInput(
            f"sparsity {sparsity} is one wish too many where shares of heads or neurons say what "
            "goes: give it as 0."
        )
    if sparsity == 0 and not options.by_share and chosen.schedule != "learn":
        dense = size(checkpoint.model, tied=options.tied)
        return Pruned(sparsity_since(dense, checkpoint.model, sparsity))
    all_goes = sparsity == 1 and chosen.structure != "heads and neurons"
    if chosen.listens and speech is None and (chosen.fine_tunes or not all_goes):
        raise BadInput(f"{method} needs speech to listen to: name a corpus.")
    todo = stages(chosen, sparsity, options.step, through)
    run = _Run(
        checkpoint, chosen, todo, sparsity, speech, lessons or speech, options, statistics, report,
        after, processes,
    )  # fmt: skip
    return run.go(work)


@dataclass
class _Stage:
    """Cut to a sparsity, or learn for so many steps."""

    sparsity: float | None = None
    #: Whether zeros must stay zero while learning.
    held: bool = True
    #: Whether the weights that stay are first set back to what they were.
    rewind: bool = False
    #: How much there is to mend, 1 where there is most: the rate falls with it, the steps by its
    #: square, for what was hardly harmed learns nothing at a high rate but to be worse.
    effort: float = 1.0


def stages(
    method: Method, sparsity: float, step: float, through: Iterable[float] = ()
) -> list[_Stage]:
    """What a schedule does, in its order; a gradual one comes to each of the sparsities `through`
    which it is to go."""
    steps = rising([*(s for s in through if s < sparsity), sparsity], step)
    efforts = _efforts(steps)
    match method.schedule:
        case "learn":
            return [_Stage()]
        case "one-shot":
            return [_Stage(sparsity)]
        case "repeat":
            return [_Stage(s) for s in steps]
        case "then fine-tune":
            return [_Stage(sparsity), _Stage()]
        case "gradual":
            return [stage for s in steps for stage in (_Stage(s), _Stage(effort=efforts[s]))]
        case "rewind":
            return [
                stage
                for s in steps
                for stage in (_Stage(s), _Stage(rewind=True, effort=efforts[s]))
            ]
        case "parp":
            regrown = [_Stage(held=False), _Stage(sparsity)] * _REGROWTHS
            return [_Stage(sparsity), *regrown]


def _efforts(rising: list[float]) -> dict[float, float]:
    """In proportion to how much of what was left a step took."""
    before = [0.0, *rising]
    taken = {s: (s - was) / max(1 - s, s - was) for was, s in zip(before, rising, strict=False)}
    most = max(taken.values(), default=0.0) or 1.0
    return {s: share / most for s, share in taken.items()}


@dataclass
class _Run:
    """One pruning under way: what it was asked, and what came of it so far."""

    checkpoint: Checkpoint
    method: Method
    todo: list[_Stage]
    sparsity: float
    speech: Speech | None
    lessons: Speech | None
    options: Options
    statistics: Statistics | None
    report: Report | None
    after: Callable[[float, Pruned], None] | None
    processes: int
    outcomes: list[Outcome] = field(default_factory=list)
    cuts: Cuts = field(default_factory=Cuts)

    def __post_init__(self) -> None:
        self._dense: Size = size(self.checkpoint.model, tied=self.options.tied)
        #: Whether nothing but shares says what goes; blocks may be dropped before a sparsity.
        self._by_share = self.options.by_share and self.sparsity == 0
        #: The old names of blocks by their new ones, if some were dropped.
        self._origins: dict[str, str] = {}
        distils = self.method.fine_tunes and self.options.fine_tuning.distils
        self._teacher: nn.Module | None = copy.deepcopy(self.checkpoint.model) if distils else None

    def go(self, work: Path | None) -> Pruned:
        self._efforts = sum(stage.effort**2 for stage in self.todo if stage.sparsity is None)
        first = self._first_weights()
        done = self._resume(work)
        if done:
            self._tell(done)
        for number, stage in enumerate(self.todo[done:], start=done):
            if stage.sparsity is not None:
                self._cut(stage.sparsity)
            else:
                self._learn(number, stage, first, work)
            self._save(work, number + 1)
            self._tell(number + 1)
        return self._so_far(None if self._by_share else self.sparsity)

    def _tell(self, done: int) -> None:
        """After the last of the stages that belong to a sparsity."""
        if self.after and (done == len(self.todo) or self.todo[done].sparsity is not None):
            reached = [stage.sparsity for stage in self.todo[:done] if stage.sparsity is not None]
            at = reached[-1] if reached else 0.0
            self.after(at, self._so_far(None if self._by_share else at))

    def _so_far(self, asked: float | None) -> Pruned:
        sparsity = sparsity_since(self._dense, self.checkpoint.model, asked, self._origins)
        errors = {original_name(n, self._origins): e for n, e in self.cuts.errors.items()}
        return Pruned(sparsity, self.cuts.damping, errors, tuple(self.outcomes), self._origins)

    def _cut(self, sparsity: float) -> None:
        if self.method.structure == "heads and neurons":
            assert self.speech is not None
            if self.options.blocks is not None:
                self._origins = cut_blocks(
                    self.checkpoint, self.options.blocks, self.speech, report=self.report
                )
            errors = cut_groups(
                self.checkpoint,
                None if self._by_share else sparsity,
                self.speech,
                self.options,
                dense=self._dense,
                report=self.report,
            )
            self.cuts = Cuts(errors=errors)
            return
        self.cuts = cut_once(
            self.checkpoint,
            self.method,
            sparsity,
            self.speech,
            self.options,
            statistics=self.statistics,
            report=self.report,
        )
        self.statistics = None  # they were of the weights before this cut

    def _learn(
        self, number: int, stage: _Stage, first: dict[str, Tensor], work: Path | None
    ) -> None:
        assert self.lessons is not None
        masks = self._masks() if stage.held else None
        if stage.rewind:
            self.checkpoint.model.load_state_dict(first)
        plan = self.options.fine_tuning
        steps = max(1, round(plan.steps * stage.effort**2 / self._efforts))
        plan = replace(
            plan,
            steps=steps,
            rate=plan.rate * stage.effort,
            warm_up=min(plan.warm_up, steps // 3),
            seed=plan.seed + number,
        )
        self.outcomes.append(
            finetune(
                self.checkpoint,
                [self.lessons[i] for i in range(len(self.lessons))],
                plan,
                masks=masks,
                teacher=self._teacher,
                compared=self._compared(),
                resume=work / LESSON_STATE if work else None,
                report=self.report,
                processes=self.processes,
            )
        )
        if work:
            (work / LESSON_STATE).unlink(missing_ok=True)

    def _compared(self) -> list[int] | None:
        """Which of the teacher's blocks each of those that stayed should sound like."""
        if self._teacher is None or not self._origins:
            return None
        return said_instead(self._teacher, self._origins)

    def _masks(self) -> dict[str, Tensor]:
        layers = prunable_layers(self.checkpoint.model, tied=self.options.tied)
        return {name: layer.weight != 0 for name, layer in layers.items()}

    def _first_weights(self) -> dict[str, Tensor]:
        """Copies of the weights as they came, for a schedule that goes back to them."""
        if not any(stage.rewind for stage in self.todo):
            return {}
        state = self.checkpoint.model.state_dict()
        return {name: value.detach().clone() for name, value in state.items()}

    def _resume(self, work: Path | None) -> int:
        """How many stages an earlier run has done; the model is then as that run left it."""
        if work is None:
            return 0
        heard = [self.speech] if self.speech is not None else []
        if self.lessons is not None and self.lessons is not self.speech:
            heard.append(self.lessons)
        self._mark = fingerprint(
            self.method,
            self.todo,
            self.options,
            [len(speech) for speech in heard],
            tensors=[self.checkpoint.model.state_dict()],
            sounds=(speech[i][0] for speech in heard for i in range(len(speech))),
        )
        device = next(self.checkpoint.model.parameters()).device
        saved = read_snapshot(work / SCHEDULE_STATE, self._mark, device)
        if not saved:
            return 0
        self.checkpoint.model.load_state_dict(saved["model"])
        self.statistics = None  # they are of the model as it came
        self.cuts = Cuts(saved["damping"], saved["errors"])
        self.outcomes = [_outcome(fields) for fields in saved["outcomes"]]
        return int(saved["stages"])

    def _save(self, work: Path | None, stages_done: int) -> None:
        """A sliced model is cut again instead: its shapes are not those it is opened with."""
        if work is None or self.method.structure == "heads and neurons":
            return
        content: dict[str, Any] = {
            "fingerprint": self._mark,
            "stages": stages_done,
            "model": self.checkpoint.model.state_dict(),
            "damping": self.cuts.damping,
            "errors": self.cuts.errors,
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }
        write_snapshot(work / SCHEDULE_STATE, content)


def _outcome(fields: dict[str, Any]) -> Outcome:
    looks = tuple((int(step), float(loss)) for step, loss in fields["held_out"])
    return Outcome(int(fields["steps"]), int(fields["best_step"]), looks, str(fields["stopped"]))
