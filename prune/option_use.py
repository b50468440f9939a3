"""Which options a method has a use for: one that would change nothing is a mistake to speak of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from prune.methods import METHODS, Method
from prune.options import Options
from speech.errors import BadInput

#: By option of `prune.options.Options` what a method must be to use it, in words and in code.
_USES: dict[str, tuple[str, Callable[[Method], bool]]] = {
    "layers": ("cut single layers", lambda m: _cuts_weights(m)),
    "tied": ("cut single layers", lambda m: _cuts_weights(m)),
    "pattern": ("keep n of every m inputs", lambda m: m.structure == "n:m"),
    "shares": ("have a component profile", lambda m: m.allocation == "profile"),
    "heads": ("cut out whole heads", lambda m: m.structure == "heads and neurons"),
    "ffn": ("cut out whole neurons", lambda m: m.structure == "heads and neurons"),
    "blocks": ("cut out whole blocks", lambda m: m.structure == "heads and neurons"),
    "owl_m": ("spare layers with outliers", lambda m: m.allocation == "owl"),
    "owl_lambda": ("spare layers with outliers", lambda m: m.allocation == "owl"),
    "alpha": ("spare layers of large curvature", lambda m: m.allocation == "trace"),
    "hutchinson": ("spare layers of large curvature", lambda m: m.allocation == "trace"),
    "gradient": ("score by diagonal OBS", lambda m: m.score == "obs_diag"),
    "quick": (
        "solve layer by layer for single weights",
        lambda m: m.score == "obs" and m.structure == "unstructured",
    ),
    "precision": (
        "add up Hessians",
        lambda m: m.score in ("obs", "wanda") or m.measures_layers,
    ),
    "step": ("go step by step", lambda m: m.schedule in ("gradual", "rewind", "repeat")),
    "fine_tuning": ("fine-tune", lambda m: m.fine_tunes),
}


def used(method: str, options: Options) -> Options:
    """The options, those that the method has no use for as if nothing was said of them."""
    unused = [name for name, (_, is_used) in _USES.items() if not is_used(METHODS[method])]
    defaults = Options()
    return replace(options, **{name: getattr(defaults, name) for name in unused})


def _cuts_weights(method: Method) -> bool:
    return method.structure != "heads and neurons" and method.schedule != "learn"


def check_use(methods: Sequence[str], given: Mapping[str, str]) -> None:
    """Raise for an option that none of the methods has a use for.

    `given` names the options that were given as the user wrote them, and says which field of
    `Options` each of them sets.
    """
    for written, field in given.items():
        purpose, is_used = _USES.get(field, ("", lambda _: True))
        if not any(is_used(METHODS[method]) for method in methods):
            others = _listed(name for name, row in METHODS.items() if is_used(row))
            has = "has" if len(methods) == 1 else "have"
            raise BadInput(
                f"{_listed(methods)} {has} no use for {written}, which is for methods that "
                f"{purpose} ({others}): leave it out."
            )


def settled_sparsity(method: str, asked: float | None, options: Options) -> float | None:
    """The sparsity that was asked for, or the one that the options imply; None if none does."""
    if asked is not None and not 0 <= asked <= 1:
        raise BadInput(f"sparsity {asked} is not between 0 and 1.")
    implied, why = None, ""
    if METHODS[method].schedule == "learn":
        implied, why = 0.0, f"{method} cuts nothing"
    elif options.pattern:
        kept, group = options.pattern
        implied, why = 1 - kept / group, f"the pattern {kept}:{group} makes it {1 - kept / group:g}"
    elif options.heads is not None or options.ffn is not None:
        implied, why = 0.0, "shares of heads or neurons say what goes"
        if asked is not None:
            raise BadInput(f"sparsity {asked} is one wish too many: {why}, so leave it out.")
    elif options.blocks is not None and asked is None:
        return 0.0
    if implied is None or asked is None:
        return asked if implied is None else implied
    if abs(asked - implied) > 1e-9:
        raise BadInput(f"sparsity {asked} cannot be: {why}, so leave the sparsity out.")
    return implied


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:3]) + (", …" if len(every) > 3 else "")
