"""Where the workstation computes: CUDA, else an Apple GPU, else the CPU."""

import torch

from speech.errors import BadInput

CHOICES = ("auto", "cuda", "mps", "cpu")


def chosen_device(name: str) -> torch.device:
    """The device of that name, `auto` being the fastest one here; never a silent fallback."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, there in here.items() if there), "cpu"))
    if name not in CHOICES:
        raise BadInput(f"device {name!r} is unknown: choose from {', '.join(CHOICES)}.")
    if not here.get(name, True):
        raise BadInput(f"device {name!r} is not available here: use --device cpu or auto.")
    return torch.device(name)
