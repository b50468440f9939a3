"""What an Apple GPU lacks is never asked of it: no float64, no factorisations but on the CPU."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from prune import linear_algebra
from prune.checkpoint import open_checkpoint
from prune.learning import augment
from prune.methods import METHODS
from prune.options import Options
from prune.schedule import prune
from prune.training_plan import FineTuning
from tests.noise import noise

#: Parts of the names of operators that MPS has not, or only in recent versions of macOS.
LACKING = ("linalg_eigh", "cholesky", "linalg_solve", "linalg_lstsq", "linalg_svd", "linalg_qr")


class LikeAnAppleGpu(TorchDispatchMode):
    """Refuses what MPS would, except in the functions that hand their work to the CPU."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.__name__
        if any(part in name for part in LACKING) and not on_the_cpu():
            raise AssertionError(f"{name} is not there on MPS")
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            wide = isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64
            if wide and not on_the_cpu():
                raise AssertionError(f"{name} gives float64, which is not there on MPS")
        return result


def on_the_cpu() -> bool:
    """Whether the callers include one that moves its tensors to the CPU, or has clips there."""
    allowed = {Path(linear_algebra.__file__), Path(augment.__file__)}
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if Path(frame.f_code.co_filename) in allowed:
            return True
    return False


def test_the_guard_refuses() -> None:
    with LikeAnAppleGpu(), pytest.raises(AssertionError, match="float64"):
        torch.ones(2).double()
    with LikeAnAppleGpu(), pytest.raises(AssertionError, match="cholesky"):
        torch.linalg.cholesky(torch.eye(2))


def with_every_part() -> Iterator[str]:
    """Methods that together have each score, allocation, structure and schedule at least once."""
    seen: set[str] = set()
    for name, method in METHODS.items():
        parts = {method.score, method.allocation, method.structure, method.schedule}
        if parts - seen:
            seen |= parts
            yield name


CASES = [
    *(("whisper", method) for method in METHODS),
    *((family, method) for family in ("sew", "wav2vec2") for method in with_every_part()),
]


@pytest.mark.long_but(*with_every_part())
@pytest.mark.parametrize(("family", "method"), CASES)
def test_every_method_could_run_on_a_mac(
    tiny_folders: dict[str, Path], family: str, method: str
) -> None:
    tiny_checkpoint = open_checkpoint(str(tiny_folders[family]))
    spoken = noise(1.25, 2, 3)
    chosen = METHODS[method]
    sparsity = 0.0 if chosen.schedule == "learn" else 0.25
    lesson = FineTuning(steps=2, batch=2, warm_up=1, check_every=2, held_out=0.3)
    options = Options(step=0.25, fine_tuning=lesson, shares={"encoder.ffn": 0.3})
    with LikeAnAppleGpu():
        prune(tiny_checkpoint, method, sparsity, spoken, options=options)
