"""Which heads or neurons a layer misses least, and what the others become without them.

A head or a neuron ends in columns of one layer: the output projection, or the second of the feed
forward. With H the Hessian of that layer's inputs, taking the columns S away and fitting the rest
anew costs tr(W_S ((H⁻¹)_SS)⁻¹ W_Sᵀ) in squared output error: what the others can take over is
not counted, so that of two neurons that say the same, one is free. Pure functions of tensors;
weights have shape (outputs, inputs); Hessians come from `prune.reconstruct.damped`, and all
arithmetic is done in their type and on their device (float64 is wise; MPS has none).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from prune.linear_algebra import inverse, solved, whitened
from prune.reconstruct import Damped

#: Groups that go together before the costs of the others are worked out anew, as a share of all.
_TOGETHER = 1 / 96


@dataclass(frozen=True)
class Removal:
    """A layer's groups in the order of their going, all of them, cheapest first."""

    order: Tensor
    #: What each adds to the error of those gone before it, as a share of what the layer says:
    #: squared output, bias apart. Their sum is 1.
    costs: Tensor


def removal_order(
    weight: Tensor,
    hessian: Damped,
    group_size: int = 1,
    *,
    together: int | None = None,
) -> Removal:
    """Take away the cheapest group of columns, let the rest make up for it, and so on.

    `group_size` columns in a row make a group. `together` groups go before costs are updated
    (default: 1 of 96, so 32 of 3072).
    """
    groups = weight.shape[1] // group_size
    together = together or max(1, int(groups * _TOGETHER))
    inverted = inverse(hessian.hessian)
    current = weight.detach().to(inverted).masked_fill(hessian.dead, 0)
    here = torch.arange(groups, device=inverted.device)
    order, costs = [], []
    while len(here):
        due = -(-len(here) // 4)  # then close the gaps: copying what stays is dear
        gone, added = _remove(current, inverted, group_size, due, min(together, due))
        order.append(here[gone])
        costs.append(added)
        stays = _all_but(gone, len(here))
        rest = columns_of(stays, group_size)
        here, current, inverted = here[stays], current[:, rest], inverted[rest][:, rest]
    all_costs = torch.cat(costs)
    whole = max(float(all_costs.sum()), torch.finfo(torch.float32).tiny)
    return Removal(torch.cat(order), all_costs / whole)


def compensate(weight: Tensor, hessian: Damped, kept: Tensor) -> Tensor:
    """The columns `kept`, fitted anew so that the layer says what it said, as nearly as it can."""
    system, kept = hessian.hessian, kept.to(hessian.hessian.device)
    wanted = weight.to(system) @ system[:, kept]
    return solved(system[kept][:, kept], wanted.T).T.to(weight)


def columns_of(groups: Tensor, group_size: int) -> Tensor:
    """The columns of groups, in the order of the groups."""
    within = torch.arange(group_size, device=groups.device)
    return (groups[:, None] * group_size + within).flatten()


def _remove(
    weight: Tensor, inverse: Tensor, group_size: int, due: int, together: int
) -> tuple[Tensor, Tensor]:
    """Take `due` groups away, in place: the rest is fitted anew, the inverse is downdated.

    Returns the groups in their order and what each added; their weights are left as zeros.
    """
    order, costs = [], []
    gone = torch.zeros(weight.shape[1] // group_size, dtype=torch.bool, device=weight.device)
    while due:
        alone = _alone(weight, inverse, group_size).masked_fill(gone, torch.inf)
        chosen = alone.topk(min(together, due), largest=False).indices
        columns = columns_of(chosen, group_size)
        across = inverse[columns]
        # A factor's row is a removal after those before it: its square is what that one adds.
        both = whitened(across[:, columns], torch.cat([weight[:, columns].T, across], 1))
        error, shared = both[:, : len(weight)], both[:, len(weight) :]
        weight.addmm_(error.T, shared, alpha=-1)
        inverse.addmm_(shared.T, shared, alpha=-1)
        weight[:, columns] = 0
        inverse[columns], inverse[:, columns] = 0, 0
        inverse[columns, columns] = 1
        gone[chosen] = True
        order.append(chosen)
        costs.append(error.square().sum(1).view(-1, group_size).sum(1))
        due -= len(chosen)
    return torch.cat(order), torch.cat(costs)


def _all_but(gone: Tensor, count: int) -> Tensor:
    stays = torch.ones(count, dtype=torch.bool, device=gone.device)
    stays[gone] = False
    return stays.nonzero()[:, 0]


def _alone(weight: Tensor, inverse: Tensor, group_size: int) -> Tensor:
    """What each group would cost if it were the next and only one to go."""
    if group_size == 1:
        return weight.square().sum(0) / inverse.diagonal()
    groups = weight.shape[1] // group_size
    places = torch.arange(groups, device=weight.device)
    squares = inverse.view(groups, group_size, groups, group_size)[places, :, places]
    columns = weight.T.reshape(groups, group_size, -1)
    return whitened(squares, columns).square().sum((1, 2))
