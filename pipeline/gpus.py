"""Whether a run can share its fine-tuning among several GPUs as it is told to."""

from collections.abc import Sequence

from prune.methods import METHODS
from speech.errors import BadInput


def check_gpus(
    gpus: int, methods: Sequence[str], device: str, *, on_ray: bool, workers: int | None
) -> None:
    """Raise for what cannot be, or would change nothing; one GPU is always right."""
    if gpus == 1:
        return
    if on_ray:
        raise BadInput("--gpus is for one machine, and each task of --executor ray takes one GPU.")
    if workers is not None and workers > 1:
        raise BadInput(
            f"--workers {workers} and --gpus {gpus} both want the GPUs: leave one of them out."
        )
    if not any(METHODS[method].fine_tunes for method in methods):
        raise BadInput("--gpus shares fine-tuning, and no method here fine-tunes: leave it out.")
    from prune.device import chosen_device, refuse_gpus

    refuse_gpus(gpus, chosen_device(device))
