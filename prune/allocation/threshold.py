"""One threshold for all layers: layers whose weights matter little lose more of them."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from prune.allocation.budget import bounds, sizes_of
from speech.errors import BadInput


def by_threshold(scores: Mapping[str, Tensor], total: int) -> dict[str, int]:
    """How many of the `total` lowest scores lie in each layer.

    Of scores equal to the threshold the first layers' go first. Scores of -inf mark weights that
    are zero already (`masks.zeros_first`); a total below their number cannot be reached.
    """
    refuse_nan(scores)
    there = {name: int(score.isneginf().sum()) for name, score in scores.items()}
    bounds(sizes_of(scores), total, there, None)
    if total == 0:
        return dict.fromkeys(scores, 0)
    together = torch.cat([score.flatten() for score in scores.values()])
    threshold = kth_lowest(together, total)
    del together
    zeros = {name: int((score < threshold).sum()) for name, score in scores.items()}
    missing = total - sum(zeros.values())
    for name, score in scores.items():
        tied = min(missing, int((score == threshold).sum()))
        zeros[name] += tied
        missing -= tied
    return zeros


def kth_lowest(flat: Tensor, count: int) -> Tensor:
    """The `count`-th lowest of a flat tensor, counted from one."""
    if flat.is_cuda:
        return flat.kthvalue(count).values
    # Four times as fast as kthvalue on a CPU, and older MPS has no kthvalue at all.
    wide = flat.detach().to("cpu", torch.promote_types(flat.dtype, torch.float32)).numpy()
    value = np.partition(wide, count - 1)[count - 1]
    return torch.tensor(value.item(), dtype=flat.dtype, device=flat.device)


def refuse_nan(scores: Mapping[str, Tensor]) -> None:
    """Raise for the first layer whose scores are not all numbers."""
    for name, score in scores.items():
        if bool(score.isnan().any()):
            raise BadInput(
                f"{name} has scores that are not numbers (NaN): "
                "look for broken weights or calibration clips."
            )
