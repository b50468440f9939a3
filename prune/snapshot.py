"""A training run on disk: written whole or not at all, and taken up again by the same run only."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runtime.whole_folder import whole_file
from speech.errors import BadInput


def fingerprint(
    *parts: object, tensors: Iterable[Mapping[str, Tensor]], sounds: Iterable[Any]
) -> str:
    """What a run starts from. Runs with the same one come to the same end."""
    digest = hashlib.sha256(repr(parts).encode())
    for named in tensors:
        for name, tensor in named.items():
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
    for samples in sounds:
        digest.update(np.ascontiguousarray(samples).data)
    return digest.hexdigest()


def write_snapshot(path: Path, content: dict[str, Any]) -> None:
    """A run that is killed here leaves the snapshot before."""
    with whole_file(path, replace=True) as file:
        torch.save(content, file)


def read_snapshot(path: Path, wanted: str, device: torch.device) -> dict[str, Any] | None:
    """None where there is none; BadInput where it is damaged or another run's."""
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        found = content["fingerprint"]
    except Exception as error:  # torch has no error of its own for a file that is not its own
        raise BadInput(
            f"{path} cannot be read as a fine-tuning checkpoint: delete it to start afresh."
        ) from error
    if found != wanted:
        raise BadInput(
            f"{path} is of a fine-tuning run with another plan, model or speech: "
            "delete it to start afresh, or name another file."
        )
    return content
