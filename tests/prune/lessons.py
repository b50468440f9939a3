"""A dozen steps on noise, and what tests of fine-tuning ask of a model before and after."""

from collections.abc import Callable

import numpy as np
import torch

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.training_plan import FineTuning

RATE = 16_000
Spoken = list[tuple[np.ndarray, str]]
Weights = dict[str, torch.Tensor]

#: A dozen steps on noise, with all there is to leave to chance, and looks in between.
BRIEF = FineTuning(
    steps=12, batch=3, rate=1e-3, warm_up=2, held_out=0.3, check_every=4,
    distil_logits=0, distil_states=0,
)  # fmt: skip

TEXTS = ["turn on the lights", "the radio", "on", "", "kitchen lights now", "turn the radio on"]


def noise(clips: int = 6, seconds: float = 1.5) -> Spoken:
    rng = np.random.default_rng(0)
    lengths = rng.uniform(0.8 * seconds, 1.2 * seconds, clips) * RATE
    return [
        (rng.standard_normal(int(n)).astype(np.float32) / 5, TEXTS[i % len(TEXTS)])
        for i, n in enumerate(lengths)
    ]


def each_step(heard: Callable[[int], object]) -> Callable[[str, int, int], None]:
    """A report that passes on the count of steps, whenever one has been taken."""

    def report(label: str, done: int, total: int) -> None:
        if label.startswith("fine-tuning (loss"):
            heard(done)

    return report


def weights(checkpoint: Checkpoint) -> Weights:
    return {name: value.clone() for name, value in checkpoint.model.state_dict().items()}


def same(one: Weights, other: Weights) -> bool:
    """Bit for bit, the sign of zero included."""
    return all(
        torch.equal(value.view(torch.int32), other[name].view(torch.int32))
        for name, value in one.items()
    )


def cut(checkpoint: Checkpoint, sparsity: float) -> Weights:
    """Sets the smallest weights of the whole model to zero, and gives what is kept by layer."""
    layers = {name: layer.weight for name, layer in prunable_layers(checkpoint.model).items()}
    sizes = torch.cat([weight.detach().abs().flatten() for weight in layers.values()])
    threshold = sizes.kthvalue(max(1, round(sparsity * len(sizes)))).values
    masks = {name: weight.abs() > threshold for name, weight in layers.items()}
    with torch.no_grad():
        for name, weight in layers.items():
            weight.masked_fill_(~masks[name], 0)
    return masks
