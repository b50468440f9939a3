"""How many heads and neurons each layer loses: by what they cost, over the whole model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prune.families.groups import Group, Heads, Neurons, groups
from prune.reach import OutOfReach
from prune.structure.saliency import Removal
from prune.structure.size import prunable_weights
from speech.errors import BadInput

#: What stays of a layer, by the name of its group: heads or neurons in rising order.
Kept = dict[str, list[int]]


def plan(
    model: Any,
    removals: Mapping[str, Removal],
    *,
    sparsity: float | None = None,
    ffn: float | None = None,
    heads: float | None = None,
    dense_weights: int | None = None,
) -> Kept:
    """Share the cut out among the groups in `removals`, cheapest first.

    Either `sparsity`, of all prunable weights (of `dense_weights`, if layers are gone already),
    or the shares of all FFN neurons (`ffn`) and of all heads (`heads`) to take. A head and a neuron
    stay in every layer.
    """
    known = groups(model)
    if unknown := [name for name in removals if name not in known]:
        raise BadInput(f"{unknown[0]} is no group of heads or neurons of this model.")
    chosen = {name: known[name] for name in known if name in removals}
    if sparsity is not None:
        if ffn is not None or heads is not None:
            raise BadInput("sparsity goes without ffn and heads: give one or the others.")
        steps = _steps(model, chosen, removals)
        going = _to_sparsity(model, steps, sparsity, dense_weights)
    else:
        going = []
        for kind, share, key in ((Neurons, ffn, "ffn"), (Heads, heads, "heads")):
            if share:
                mine = {name: group for name, group in chosen.items() if isinstance(group, kind)}
                going += _to_share(mine, _steps(model, mine, removals), share, key)
    return _kept(chosen, removals, going)


@dataclass(frozen=True)
class _Step:
    """The removal of one more head or neuron from a group."""

    group: str
    weights: int
    #: Share of what its layer says that is lost for each weight that goes.
    price: float


def _steps(
    model: Any,
    chosen: Mapping[str, Group],
    removals: Mapping[str, Removal],
) -> list[_Step]:
    """All removals that leave one head or neuron in place, cheapest first, in order in a layer."""
    steps = []
    for name, group in chosen.items():
        weights = _weights_of_one(model, group)
        # None goes before those ahead of it in its layer, so it is never cheaper than they are.
        prices = (removals[name].costs / weights).cummax(0).values[:-1]
        steps += [_Step(name, weights, price) for price in prices.tolist()]
    return sorted(steps, key=lambda step: step.price)


def _weights_of_one(model: Any, group: Group) -> int:
    """Weights (biases are not counted, as in `prunable_layers`) that go with a head or neuron."""
    rows = sum(model.get_submodule(name).weight.shape[1] for name in group.inputs)
    return int(group.size * (rows + model.get_submodule(group.output).weight.shape[0]))


def _to_sparsity(
    model: Any, steps: Sequence[_Step], sparsity: float, dense_weights: int | None
) -> list[str]:
    """Cheapest first until it is enough, hit within half a neuron."""
    _check_share("sparsity", sparsity)
    left = prunable_weights(model)
    dense = dense_weights or left
    due = sparsity * dense - (dense - left)
    possible = sum(step.weights for step in steps)
    if due > possible + 0.001 * dense:
        most = (possible + dense - left) / dense
        raise OutOfReach(
            f"sparsity {sparsity} cannot be reached by removing heads and neurons: "
            f"one of each must stay in every layer, which leaves room for {most:.3f}."
        )
    finest = min((step.weights for step in steps), default=0)
    going: list[_Step] = []
    too_much: dict[str, _Step] = {}
    for step in steps:
        if step.group in too_much:
            continue
        if step.weights <= due + finest / 2:
            going.append(step)
            due -= step.weights
        else:
            too_much[step.group] = step
    if due > finest / 2 and too_much:  # every neuron is gone: one more head, and some back
        head = next(iter(too_much.values()))
        going.append(head)
        due -= head.weights
        going = _giving_back(going, -due, finest)
    return [step.group for step in going]


def _giving_back(going: Sequence[_Step], weights: float, finest: int) -> list[_Step]:
    """Without the dearest neurons, as many as are nearest to `weights`."""
    stays = []
    for step in reversed(going):
        if step.weights == finest and weights > finest / 2:
            weights -= finest
        else:
            stays.append(step)
    return stays


def _to_share(
    chosen: Mapping[str, Group], steps: Sequence[_Step], share: float, key: str
) -> list[str]:
    _check_share(key, share)
    total = sum(group.count for group in chosen.values())
    count = round(share * total)
    if count > len(steps):
        raise OutOfReach(
            f"{key} {share} would take {count} of {total}, but one must stay in every layer: "
            f"{len(steps)} can go."
        )
    return [step.group for step in steps[:count]]


def _kept(
    chosen: Mapping[str, Group], removals: Mapping[str, Removal], going: Sequence[str]
) -> Kept:
    counts = dict.fromkeys(chosen, 0)
    for name in going:
        counts[name] += 1
    return {name: sorted(removals[name].order[counts[name] :].tolist()) for name in chosen}


def _check_share(key: str, share: float) -> None:
    if not 0 <= share < 1:
        raise BadInput(f"{key} {share} is not a share from 0 up to, but not including, 1.")
