"""Sparsities by component, as a recipe gives them: the decoder's feed-forward 0.7, the rest …"""

from collections.abc import Iterable, Mapping

from prune.allocation.budget import Counts, fit, refuse_unreachable, target, uniform
from prune.families.selection import did_you_mean
from speech.errors import BadInput


def profile(
    sizes: Counts,
    component_of: Mapping[str, str],
    shares: Mapping[str, float],
    total: int | None = None,
    *,
    floors: Counts | None = None,
) -> dict[str, int]:
    """Each named component gets its sparsity; the rest evenly take what makes the total exact.

    `shares` names components or whole sides (`decoder`); of two that name the same layer the longer
    one counts. Without a total the rest gains no zeros.
    """
    _refuse_unknown(shares, {component_of[name] for name in sizes})
    there = {name: (floors or {}).get(name, 0) for name in sizes}
    groups: dict[str | None, dict[str, int]] = {}
    for name, size in sizes.items():
        groups.setdefault(_naming(component_of[name], shares), {})[name] = size
    rest = groups.pop(None, {})
    zeros = {name: there[name] for name in rest}
    for key, group in groups.items():
        if key is not None:
            zeros |= _of_component(key, shares[key], group, there)
    if total is not None:
        zeros |= _made_exact(zeros, rest, sizes, total, there, rounded=len(groups))
    return {name: zeros[name] for name in sizes}


def _made_exact(
    zeros: Counts, rest: Counts, sizes: Counts, total: int, there: Counts, rounded: int
) -> dict[str, int]:
    """The rest takes what is missing; what comes of rounding `rounded` components, all layers."""
    fewest = sum(zeros.values())
    most = fewest + sum(size - there[name] for name, size in rest.items())
    reached = min(max(total, fewest), most)
    if abs(total - reached) > rounded:
        why = "the components named, with the zeros that are there,"
        refuse_unreachable(total, sum(sizes.values()), fewest, most, why)
    named = fewest - sum(there[name] for name in rest)
    full = dict(zeros) | (uniform(rest, reached - named, floors=there) if rest else {})
    if reached == total:
        return full
    return fit(sizes, {name: full[name] / sizes[name] for name in sizes}, total, floors=there)


def _refuse_unknown(shares: Mapping[str, float], components: Iterable[str]) -> None:
    known = sorted({part for place in components for part in _leading_parts(place)})
    for key, share in shares.items():
        if key not in known:
            raise BadInput(
                f"{key!r} is no component of this model{did_you_mean(key, known)}: "
                f"choose from {', '.join(known)}."
            )
        if not 0 <= share <= 1:
            raise BadInput(f"{key} is to have the sparsity {share}: give a number from 0 to 1.")


def _leading_parts(component: str) -> list[str]:
    """Itself, then ever shorter beginnings: `decoder.ffn`, `decoder`."""
    words = component.split(".")
    return [".".join(words[:count]) for count in range(len(words), 0, -1)]


def _naming(component: str, shares: Mapping[str, float]) -> str | None:
    return next((part for part in _leading_parts(component) if part in shares), None)


def _of_component(key: str, share: float, sizes: Counts, there: Counts) -> dict[str, int]:
    try:
        return uniform(sizes, target(share, sizes), floors=there)
    except BadInput as error:
        raise BadInput(f"component {key}: {error}") from error
