"""The weights of a checkpoint whose zeros are not on the disk."""

from pathlib import Path
from typing import TYPE_CHECKING

from runtime.packed.reader import PackedFile
from runtime.packed.rounded import rounded_arrays
from speech.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

#: Where transformers keeps a checkpoint's weights, and the file that stands there instead.
PLAIN_WEIGHTS = "model.safetensors"
PACKED_WEIGHTS = "model.packed.safetensors"


def is_packed(folder: Path) -> bool:
    """Whether a checkpoint's weights are packed; which ones count must be clear."""
    if not (folder / PACKED_WEIGHTS).exists():
        return False
    if (folder / PLAIN_WEIGHTS).exists():
        raise BadInput(
            f"{folder} has weights in {PACKED_WEIGHTS} and in {PLAIN_WEIGHTS}: "
            "delete the file that you do not want."
        )
    return True


def packed_weights(folder: Path) -> dict[str, "Tensor"]:
    """What `from_pretrained` takes for a state dict; the model may keep these very tensors."""
    import torch

    packed = PackedFile.open(folder / PACKED_WEIGHTS)
    return {name: torch.from_numpy(array) for name, array in rounded_arrays(packed)}
