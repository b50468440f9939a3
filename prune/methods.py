"""The named methods: one row each of score, allocation, structure and schedule.

Apart from their code, so that naming them does not import torch.
"""

import difflib
from dataclasses import dataclass
from typing import Literal

from speech.errors import BadInput

Score = Literal["magnitude", "wanda", "obs", "obs_diag", "taylor"]
Allocation = Literal["uniform", "global", "owl", "trace", "profile", "search"]
Structure = Literal["unstructured", "n:m", "heads and neurons"]
Schedule = Literal["one-shot", "then fine-tune", "gradual", "rewind", "repeat", "parp", "learn"]


@dataclass(frozen=True)
class Method:
    score: Score
    allocation: Allocation = "uniform"
    structure: Structure = "unstructured"
    schedule: Schedule = "one-shot"
    summary: str = ""

    @property
    def fine_tunes(self) -> bool:
        return self.schedule in ("then fine-tune", "gradual", "rewind", "parp", "learn")

    @property
    def passes(self) -> bool:
        """Whether it comes to its sparsity through smaller ones."""
        return self.schedule in ("gradual", "rewind", "repeat")

    @property
    def listens(self) -> bool:
        """Whether it needs speech, to calibrate on or to learn from."""
        return self.fine_tunes or self.score != "magnitude" or self.measures_layers

    @property
    def measures_layers(self) -> bool:
        """Whether its allocation needs statistics of the dense model first."""
        return self.allocation in ("owl", "trace", "search")


METHODS: dict[str, Method] = {
    "obs": Method("obs", summary="optimal brain surgeon: full layer Hessian, exact refit"),
    "obs_finetune": Method("obs", schedule="then fine-tune", summary="obs, then fine-tuned"),
    "iobs": Method(
        "obs", "search", schedule="gradual", summary="obs_search in steps, each fine-tuned"
    ),
    "mp_local": Method("magnitude", summary="the smallest weights of each layer"),
    "mp_global": Method("magnitude", "global", summary="the smallest weights of the whole model"),
    "mp_finetune_local": Method(
        "magnitude", schedule="then fine-tune", summary="mp_local, then fine-tuned"
    ),
    "mp_finetune_global": Method(
        "magnitude", "global", schedule="then fine-tune", summary="mp_global, then fine-tuned"
    ),
    "imp_local": Method(
        "magnitude", schedule="gradual", summary="mp_local in steps, each fine-tuned"
    ),
    "imp_global": Method(
        "magnitude", "global", schedule="gradual", summary="mp_global in steps, each fine-tuned"
    ),
    "imp_rewind_local": Method(
        "magnitude", schedule="rewind", summary="imp_local, each time from the first weights"
    ),
    "imp_rewind_global": Method(
        "magnitude", "global", schedule="rewind",
        summary="imp_global, each time from the first weights",
    ),
    "mp_repeat": Method(
        "magnitude", schedule="repeat", summary="mp_local in steps without training in between"
    ),
    "wanda": Method("wanda", summary="the smallest weight times input norm of each output"),
    "owl_mp": Method("magnitude", "owl", summary="mp_local, layers with outliers spared"),
    "owl_wanda": Method("wanda", "owl", summary="wanda, layers with outliers spared"),
    "owl_obs": Method("obs", "owl", summary="obs, layers with outliers spared"),
    "obs_search": Method(
        "obs", "search", summary="obs, each layer's sparsity from its measured error curve"
    ),
    "parp": Method(
        "magnitude", "global", schedule="parp", summary="prune, let weights regrow, prune again"
    ),
    "obs_structured": Method(
        "obs", "search", "heads and neurons", summary="whole heads and FFN neurons; shapes shrink"
    ),
    "obs_structured_finetune": Method(
        "obs", "search", "heads and neurons", "then fine-tune", "obs_structured, then fine-tuned"
    ),
    "dense_finetune": Method(
        "magnitude", schedule="learn", summary="nothing cut, fine-tuned: the control"
    ),
    "nm_obs": Method("obs", structure="n:m", summary="obs that keeps n of every m inputs"),
    "obs_diag": Method("obs_diag", summary="diagonal OBS with the gradient, no update"),
    "taylor": Method("taylor", summary="the smallest weight times gradient of each layer"),
    "mp_trace": Method("magnitude", "trace", summary="mp_local, layers of large curvature spared"),
    "obs_trace": Method("obs", "trace", summary="obs, layers of large curvature spared"),
    "obs_profile": Method("obs", "profile", summary="obs, sparsities by component (--share)"),
}  # fmt: skip


def check_method(name: str) -> None:
    """Raise for a name that is no method, with the nearest one that is."""
    if name in METHODS:
        return
    near = difflib.get_close_matches(name, METHODS, 1, 0.4)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise BadInput(f"{name!r} is not a pruning method{meant}: choose from {', '.join(METHODS)}.")
