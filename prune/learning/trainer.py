"""One step of fine-tuning, or one look at the clips held out.

Where several processes share the work each takes a part of every batch. Their losses and gradients
add up to those of the whole batch, so that all come to the same weights.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prune.learning.augment import at_another_speed
from prune.learning.losses import Answer, Batch, Example, Task, distance, divergence
from prune.learning.team import ALONE, Team
from prune.learning.whole_batch import counted, part_of_loss
from prune.training_plan import FineTuning

#: Seconds of padded sound that go through a model at once on the processor. Whisper's activations
#: take some 10 MB a second in training, and longer pieces are no faster there.
_SOUND_AT_ONCE = 60.0

Masks = Mapping[str, Tensor]
#: By name of layer the weight and what must be zero in it.
Held = Mapping[str, tuple[nn.Parameter, Tensor]]


def weights_to_hold(model: nn.Module, masks: Masks) -> Held:
    """Set to zero at once."""
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


class Teacher:
    """The dense model, which hears what is hidden from the one that learns."""

    def __init__(self, task: Task, model: nn.Module, compared: Sequence[int] | None):
        self.model, self._task, self._compared = model.eval(), task, compared

    @torch.no_grad()
    def answer(self, clean: Batch) -> Answer:
        answer = self._task.answer(self.model, clean)
        if self._compared is None:
            return answer
        return replace(answer, states=tuple(answer.states[block] for block in self._compared))


@dataclass(frozen=True)
class _Part:
    """What goes through the model at once."""

    batch: Batch
    #: Clips of which the loss is the mean; with those that other processes hear of one loss.
    clips: int
    #: Whether others hear the rest of it.
    is_shared: bool = False
    #: Whether it only stands in, in a process to which no clip fell: it counts nothing.
    stands_in: bool = False


class Trainer:
    """The model, its optimizer and what they learn from: one step, or one look, at a time."""

    def __init__(
        self,
        model: Any,
        task: Task,
        plan: FineTuning,
        learnt: Sequence[Example],
        held: Held,
        teacher: Teacher | None,
        team: Team = ALONE,
    ):
        self.model, self.task, self.plan, self.team = model, task, plan, team
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
    def loss_on(
        self, examples: Sequence[Example], progress: Callable[[int], None] = lambda done: None
    ) -> float:
        """What is learnt to lower, without anything left to chance: mean over the clips.

        With a teacher it counts too: a handful of texts alone hardly tells good weights from bad.
        """
        self.model.eval()
        total = 0.0
        for start in range(0, len(examples), self.plan.batch):
            progress(start)
            for part in self._parts(examples[start : start + self.plan.batch]):
                losses = self._losses(part.batch, part.batch, part)
                total += sum(loss.item() for loss in losses) * part.clips
        progress(len(examples))
        return self.team.total(total, self.device) / len(examples)

    def step(self, number: int) -> float | None:
        """One update, and the loss before it; None, and no update, if that is no number."""
        plan, fine, total = self.plan, True, 0.0
        for settings in self._optimizer.param_groups:
            settings["lr"] = plan.rate_at(number)
        self._optimizer.zero_grad(set_to_none=True)
        with _seeded((plan.seed, 2, number), self.team.rank, self.device), self._hiding():
            self._train()
            for turn in range(plan.accumulate):
                examples = self._drawn(number * plan.accumulate + turn)
                for part in self._parts(examples, speed=plan.speed):
                    clean = self.task.revoiced(part.batch) if plan.voices else part.batch
                    heard = self.task.hidden(clean) if plan.spec_augment else clean
                    part_of_all = part.clips / len(examples) / plan.accumulate
                    for piece in self._losses(heard, clean, part):
                        loss = piece * part_of_all
                        total += loss.item()
                        if not math.isfinite(total):
                            fine = False
                        elif fine and not part.stands_in:
                            self._scaler.scale(loss).backward()
        if not (self.team.sum_gradients(self.model.parameters(), fine) and self._update()):
            return None
        return self.team.total(total, self.device)

    def _train(self) -> None:
        """Without dropout: what has lost most of its weights learns better when it loses no more.

        The outermost module hides features only when told that it learns.
        """
        self.model.eval()
        self.model.base_model.training = True

    def _update(self) -> bool:
        if self.team.size > 1:  # a process without a clip has had nothing to scale
            self._scaler.scale(torch.zeros((), device=self.device))
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

    def _drawn(self, turn: int) -> list[Example]:
        """A batch, the same in all processes: the clips go round, in another order each time."""
        count = len(self.learnt)
        chosen = []
        for place in range(turn * self.plan.batch, (turn + 1) * self.plan.batch):
            order = np.random.default_rng((self.plan.seed, 1, place // count)).permutation(count)
            chosen.append(self.learnt[order[place % count]])
        return chosen

    def _parts(self, examples: Sequence[Example], *, speed: bool = False) -> Iterator[_Part]:
        """Those of a batch that this process hears, with `speed` at another one by chance."""
        mine = self.team.share(examples)
        mine = [self._sped(example) for example in mine] if speed else mine
        if self.team.size == 1 or not self.task.together:
            for group in self.task.groups(mine):
                yield _Part(self.task.batch(group), len(group))
            return
        longest = max(len(example.samples) for example in examples)
        batch = self.task.batch(mine or examples[:1], longest)
        yield _Part(batch, len(examples), is_shared=True, stands_in=not mine)

    def _sped(self, example: Example) -> Example:
        """At another speed, if it still fits."""
        changed = replace(example, samples=at_another_speed(example.samples))
        return changed if self.task.fits(changed) else example

    def _losses(self, heard: Batch, clean: Batch, part: _Part) -> Iterator[Tensor]:
        """Of the text and the teacher: nats per token, and shares of variance; they add up.

        More than one where the processor would hold too much at once: each may be forgotten before
        the next is worked out.
        """
        pieces = self._pieces(heard, clean)
        if len(pieces) == 1 and not part.is_shared:
            yield self._loss(heard, clean)
            return
        taught = [self._taught(clean) for _, clean in pieces]
        counts = [counted(h, t, self.plan) for (h, _), t in zip(pieces, taught, strict=True)]
        whole = torch.stack(counts).sum(0).to(self.device)
        if part.is_shared:
            whole = self.team.summed(torch.zeros_like(whole) if part.stands_in else whole)
        for (piece, _), lesson in zip(pieces, taught, strict=True):
            with self._autocast():
                answer = self.task.answer(self.model, piece)
            loss = part_of_loss(answer, lesson, whole, self.plan)
            yield torch.zeros_like(loss) if part.stands_in else loss

    def _pieces(self, heard: Batch, clean: Batch) -> list[tuple[Batch, Batch]]:
        """On a GPU the whole batch: its memory is what the plan's batch was chosen for."""
        count = len(heard.frames)
        most = count if self.device.type != "cpu" else max(1, int(_SOUND_AT_ONCE // heard.seconds))
        starts = range(0, count, most)
        return [(heard.piece(at, at + most), clean.piece(at, at + most)) for at in starts]

    def _taught(self, clean: Batch) -> Answer | None:
        if not self.teacher:
            return None
        with self._autocast():
            return self.teacher.answer(clean)

    def _loss(self, heard: Batch, clean: Batch) -> Tensor:
        plan = self.plan
        with self._autocast():
            answer = self.task.answer(self.model, heard)
        taught, loss = self._taught(clean), answer.loss
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
def _seeded(seed: tuple[int, ...], rank: int, device: torch.device) -> Iterator[None]:
    """Chance of this step's and this process's own; what others draw is not touched.

    transformers hides features by numpy's global generator, torchaudio and dropout by torch's.
    """
    entropy = (*seed, rank) if rank else seed
    first, second = np.random.SeedSequence(entropy).generate_state(2, np.uint32).tolist()
    before = np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(first)
        np.random.seed(second)
        try:
            yield
        finally:
            np.random.set_state(before)
