"""The names of the methods, apart from their code, so that naming them does not import torch."""

import difflib

from speech.errors import BadInput

METHOD_SUMMARIES = {
    "mp_global": "the smallest weights of the whole model, one-shot",
    "mp_local": "the smallest weights of each layer, one-shot",
    "wanda": "the smallest weight times input norm in each output, one-shot, calibrated",
    "obs": "optimal brain surgeon with the full layer Hessian and an exact refit, calibrated",
}

#: Those that look at how the model answers to speech before they cut.
_CALIBRATED = {"wanda", "obs"}


def is_calibrated(name: str) -> bool:
    return name in _CALIBRATED


def check_method(name: str) -> None:
    """Raise for a name that is no method, with the nearest one that is."""
    if name in METHOD_SUMMARIES:
        return
    near = difflib.get_close_matches(name, METHOD_SUMMARIES, 1, 0.4)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise BadInput(
        f"{name!r} is not a pruning method{meant}: choose from {', '.join(METHOD_SUMMARIES)}."
    )
