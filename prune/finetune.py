"""Training after cutting: a pruned model learns to do without what it lost.

Every step is seeded by itself, so a run that was killed goes on from its last snapshot to the same
end: on the CPU to the last bit, on a GPU as far as its kernels are deterministic.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prune.augment import at_another_speed
from prune.checkpoint import Checkpoint
from prune.losses import Answer, Batch, Example, Task, distance, divergence, task_for
from prune.snapshot import fingerprint, read_snapshot, write_snapshot
from prune.training_plan import FineTuning, Outcome
from speech.errors import BadInput

__all__ = ["FineTuning", "Outcome", "finetune"]

Floats = NDArray[np.float32]
Masks = Mapping[str, Tensor]

#: A held-out loss beyond so many times the first, and one nat, will not come down again.
_EXPLODED = 2.0


def finetune(
    checkpoint: Checkpoint,
    spoken: Sequence[tuple[Floats, str]],
    plan: FineTuning,
    *,
    masks: Masks | None = None,
    teacher: nn.Module | None = None,
    compared: Sequence[int] | None = None,
    resume: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Train the checkpoint's model in place on 16 kHz clips with their texts; it ends as its best.

    `masks` say by name of a layer which weights are kept (True): the others stay exactly 0. Without
    masks zeros are weights like any other. `teacher` is the dense model, for a plan that distils;
    `compared` says which of its blocks each of the model's is compared with, if it lost some.
    `resume` is a file to go on from, and to write at every look at the held-out clips; the caller
    deletes it. `progress` gets the count of steps done.
    """
    if plan.distils and teacher is None:
        raise BadInput(
            "Fine-tuning: distil_logits and distil_states need a teacher: give the dense model, "
            "or set both to 0."
        )
    task = task_for(checkpoint)
    learnt, held_out = _split(task, spoken, plan)
    held = _weights_to_hold(checkpoint.model, masks or {})
    taught = _Teacher(task, teacher, compared) if teacher and plan.distils else None
    trainer = _Trainer(checkpoint.model, task, plan, learnt, held, taught)
    try:
        run = _started(trainer, held_out, resume)
        _go_on(trainer, run, held_out, resume, progress)
        trainer.model.load_state_dict(run.best)
    finally:
        trainer.model.eval()
    return Outcome(run.step, run.best_step, tuple(run.held_out), run.stopped or "finished")


def _split(
    task: Task, spoken: Sequence[tuple[Floats, str]], plan: FineTuning
) -> tuple[list[Example], list[Example]]:
    """Clips to learn from and clips to be judged on, by the plan's seed."""
    if not spoken:
        raise BadInput("There is no speech to fine-tune on: name a corpus with clips and texts.")
    examples = [task.example(samples, text) for samples, text in spoken]
    fitting = [example for example in examples if task.fits(example)]
    if len(fitting) < 2:
        raise BadInput(
            f"Only {len(fitting)} of {len(spoken)} clips can be fine-tuned on, and it takes two: "
            "give clips no longer than the model's window and no shorter than their texts."
        )
    count = min(len(fitting) - 1, max(1, round(plan.held_out * len(fitting))))
    order = np.random.default_rng((plan.seed, 0)).permutation(len(fitting))
    shuffled = [fitting[i] for i in order]
    return shuffled[count:], shuffled[:count]


def _weights_to_hold(model: nn.Module, masks: Masks) -> dict[str, tuple[nn.Parameter, Tensor]]:
    """By name of layer the weight and what must be zero in it; set to zero at once."""
    held = {}
    for name, keep in masks.items():
        weight: Any = model.get_submodule(name).weight
        cut = ~keep.to(weight.device).view_as(weight)
        held[name] = (weight, cut)
    _set_to_zero(held.values())
    return held


@torch.no_grad()
def _set_to_zero(held: Iterable[tuple[nn.Parameter, Tensor]]) -> None:
    for weight, cut in held:
        weight.masked_fill_(cut, 0)


@dataclass
class _Run:
    """How far training has come, and the best there was."""

    mark: str
    best: dict[str, Tensor]
    best_step: int
    held_out: list[tuple[int, float]]
    step: int = 0
    stopped: str = ""

    @property
    def best_loss(self) -> float:
        return dict(self.held_out)[self.best_step]

    @property
    def looks_since_best(self) -> int:
        return sum(step > self.best_step for step, _ in self.held_out)


def _started(trainer: "_Trainer", held_out: Sequence[Example], resume: Path | None) -> _Run:
    """From the snapshot, which also sets the trainer; else from the model as it was given."""
    mark = _mark(trainer, held_out) if resume else ""
    saved = read_snapshot(resume, mark, trainer.device) if resume else None
    if saved:
        trainer.load_state_dict(saved.pop("trainer"))
        looks = [(step, loss) for step, loss in saved.pop("held_out")]
        return _Run(mark=saved.pop("fingerprint"), held_out=looks, **saved)
    first = trainer.loss_on(held_out)
    run = _Run(mark, trainer.weights(), 0, [(0, first)])
    if not math.isfinite(first):
        run.stopped = "diverged: the held-out loss was no number before the first step"
    return run


def _mark(trainer: "_Trainer", held_out: Sequence[Example]) -> str:
    examples = [*trainer.learnt, *held_out]
    return fingerprint(
        trainer.plan,
        [example.tokens for example in examples],
        tensors=[
            trainer.model.state_dict(),
            trainer.teacher.model.state_dict() if trainer.teacher else {},
            {name: cut for name, (_, cut) in trainer.held.items()},
        ],
        sounds=[example.samples for example in examples],
    )


def _go_on(
    trainer: "_Trainer",
    run: _Run,
    held_out: Sequence[Example],
    resume: Path | None,
    progress: Callable[[int], None] | None,
) -> None:
    plan = trainer.plan
    while run.step < plan.steps and not run.stopped:
        learnt = trainer.step(run.step)
        run.step += 1
        if not learnt:
            run.stopped = f"diverged: the loss was no number at step {run.step}"
        elif run.step % plan.check_every == 0 or run.step == plan.steps:
            _look(trainer, run, held_out)
            if resume:
                _save(trainer, run, resume)
        if progress:
            progress(run.step)


def _look(trainer: "_Trainer", run: _Run, held_out: Sequence[Example]) -> None:
    """Judge the weights, keep them if they are the best, and say whether to go on."""
    loss, plan = trainer.loss_on(held_out), trainer.plan
    run.held_out.append((run.step, loss))
    first = run.held_out[0][1]
    if not math.isfinite(loss) or loss > _EXPLODED * first + 1:
        run.stopped = (
            f"diverged: the held-out loss went from {first:.3g} to {loss:.3g} by step {run.step}"
        )
    elif loss < run.best_loss:
        run.best, run.best_step = trainer.weights(), run.step
    elif run.looks_since_best >= plan.patience and run.step < plan.steps:
        run.stopped = "no longer improving"


def _save(trainer: "_Trainer", run: _Run, resume: Path) -> None:
    write_snapshot(
        resume,
        {
            "fingerprint": run.mark,
            "trainer": trainer.state_dict(),
            "best": run.best,
            "best_step": run.best_step,
            "held_out": run.held_out,
            "step": run.step,
            "stopped": run.stopped,
        },
    )


class _Teacher:
    """The dense model, which hears what is hidden from the one that learns."""

    def __init__(self, task: Task, model: nn.Module, compared: Sequence[int] | None):
        self.model, self._task, self._compared = model.eval(), task, compared

    @torch.no_grad()
    def answer(self, clean: Batch) -> Answer:
        answer = self._task.answer(self.model, clean)
        if self._compared is None:
            return answer
        return replace(answer, states=tuple(answer.states[block] for block in self._compared))


class _Trainer:
    """The model, its optimizer and what they learn from: one step, or one look, at a time."""

    def __init__(
        self,
        model: Any,
        task: Task,
        plan: FineTuning,
        learnt: Sequence[Example],
        held: Mapping[str, tuple[nn.Parameter, Tensor]],
        teacher: _Teacher | None,
    ):
        self.model, self.task, self.plan = model, task, plan
        self.learnt, self.held = learnt, held
        self.device: torch.device = next(model.parameters()).device
        self.teacher = teacher
        if teacher:
            teacher.model.to(self.device)
        self._optimizer = _optimizer(model, plan)
        self._autocast, scales = _precision(self.device)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=scales)

    def weights(self) -> dict[str, Tensor]:
        """A copy."""
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    @torch.no_grad()
    def loss_on(self, examples: Sequence[Example]) -> float:
        """What is learnt to lower, without anything left to chance: mean over the clips.

        With a teacher it counts too: a handful of texts alone hardly tells good weights from bad.
        """
        self.model.eval()
        total = 0.0
        for start in range(0, len(examples), self.plan.batch):
            for group in self.task.groups(examples[start : start + self.plan.batch]):
                batch = self.task.batch(group)
                total += self._loss(batch, batch).item() * len(group)
        return total / len(examples)

    def step(self, number: int) -> bool:
        """One update; False, and none, if the loss or its gradient is no number."""
        plan = self.plan
        for settings in self._optimizer.param_groups:
            settings["lr"] = plan.rate_at(number)
        self._optimizer.zero_grad(set_to_none=True)
        with _seeded(plan.seed, number, self.device), self._hiding():
            self._train()
            for part in range(plan.accumulate):
                examples = self._drawn(number * plan.accumulate + part)
                for group in self.task.groups(examples):
                    clean = self.task.batch(group)
                    clean = self.task.revoiced(clean) if plan.voices else clean
                    heard = self.task.hidden(clean) if plan.spec_augment else clean
                    part_of_all = len(group) / len(examples) / plan.accumulate
                    loss = self._loss(heard, clean) * part_of_all
                    if not math.isfinite(loss.item()):
                        return False
                    self._scaler.scale(loss).backward()
        return self._update()

    def _train(self) -> None:
        """Without dropout: what has lost most of its weights learns better when it loses no more.

        The outermost module hides features only when told that it learns.
        """
        self.model.eval()
        self.model.base_model.training = True

    def _update(self) -> bool:
        self._scaler.unscale_(self._optimizer)
        for weight, cut in self.held.values():
            if weight.grad is not None:
                weight.grad.masked_fill_(cut, 0)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        if not self._scaler.is_enabled() and not math.isfinite(norm.item()):
            return False
        self._scaler.step(self._optimizer)  # which skips an overflow in half precision
        self._scaler.update()
        _set_to_zero(self.held.values())
        return True

    def _drawn(self, part: int) -> list[Example]:
        """A batch: the clips go round, in another order each time; some at another speed."""
        count = len(self.learnt)
        chosen = []
        for place in range(part * self.plan.batch, (part + 1) * self.plan.batch):
            order = np.random.default_rng((self.plan.seed, 1, place // count)).permutation(count)
            chosen.append(self.learnt[order[place % count]])
        return [self._sped(example) for example in chosen] if self.plan.speed else chosen

    def _sped(self, example: Example) -> Example:
        """At another speed, if it still fits."""
        changed = replace(example, samples=at_another_speed(example.samples))
        return changed if self.task.fits(changed) else example

    def _loss(self, heard: Batch, clean: Batch) -> Tensor:
        """Of the text and the teacher: nats per token, and shares of variance."""
        plan = self.plan
        with self._autocast():
            answer = self.task.answer(self.model, heard)
            taught = self.teacher.answer(clean) if self.teacher else None
        loss = answer.loss
        if taught and plan.distil_logits:
            loss = loss + plan.distil_logits * divergence(answer, taught, plan.temperature)
        if taught and plan.distil_states:
            loss = loss + plan.distil_states * distance(answer, taught)
        return loss

    @contextmanager
    def _hiding(self) -> Iterator[None]:
        """CTC models hide features by themselves in training, unless the configuration says no."""
        config = self.model.config
        before = getattr(config, "apply_spec_augment", False)
        config.apply_spec_augment = before and self.plan.spec_augment
        try:
            yield
        finally:
            config.apply_spec_augment = before


def _optimizer(model: nn.Module, plan: FineTuning) -> torch.optim.AdamW:
    """A short memory of squared gradients (0.98), as suits some hundred steps."""
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in learning if w.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [w for w in learning if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98))


def _precision(device: torch.device) -> tuple[Callable[[], AbstractContextManager[Any]], bool]:
    """Autocast on CUDA, and whether its gradients need scaling; fp32 anywhere else."""
    if device.type != "cuda":
        return nullcontext, False
    kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return lambda: torch.autocast("cuda", kind), kind == torch.float16


@contextmanager
def _seeded(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Chance of this step's own; what others draw before and after is not touched.

    transformers hides features by numpy's global generator, torchaudio and dropout by torch's.
    """
    first, second = np.random.SeedSequence((seed, 2, step)).generate_state(2, np.uint32).tolist()
    before = np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(first)
        np.random.seed(second)
        try:
            yield
        finally:
            np.random.set_state(before)
