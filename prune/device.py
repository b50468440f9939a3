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


def refuse_gpus(count: int, device: torch.device) -> None:
    """Raise for more GPUs than there are, or none of a kind that can share a fine-tuning."""
    if count == 1:
        return
    if device.type != "cuda":
        raise BadInput(
            f"{count} GPUs cannot share the fine-tuning of a run on {device.type!r}: "
            "it takes CUDA, so leave out --gpus."
        )
    there = torch.cuda.device_count()
    if count > there:
        raise BadInput(f"There are not {count} GPUs here but {there}: use --gpus {there}.")
