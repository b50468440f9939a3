"""What the dense model makes of the speech, kept on the disk for other cells and processes.

What has been damaged there is worked out anew.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from prune.checkpoint import Checkpoint
from prune.forcing import Report, Speech
from prune.gradients import Gradients
from prune.oneshot import Statistics
from prune.options import Options
from runtime.whole_folder import whole_file
from speech.parsed import json_from

Value = TypeVar("Value")

#: Of reading a file that is not what was written.
_DAMAGE = (ValueError, KeyError, AttributeError, SafetensorError)


class KeptStatistics(Statistics):
    """Each is read from `folder` if it is there, else worked out and left there.

    Whoever names the folder sees to it that its model, speech and options are always the same.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        speech: Speech,
        options: Options,
        folder: Path,
        report: Report | None = None,
    ):
        super().__init__(checkpoint, speech, options, report)
        self._folder = folder
        self._device = next(checkpoint.model.parameters()).device

    @cached_property
    def hessians(self) -> dict[str, Tensor]:
        return self._tensors("hessians", lambda: super(KeptStatistics, self).hessians)

    @cached_property
    def sensitivities(self) -> dict[str, float]:
        return self._numbers("sensitivities", lambda: super(KeptStatistics, self).sensitivities)

    @cached_property
    def traces(self) -> dict[str, float]:
        return self._numbers("traces", lambda: super(KeptStatistics, self).traces)

    @cached_property
    def curves(self) -> dict[str, list[float]]:
        return self._numbers("curves", lambda: super(KeptStatistics, self).curves)

    @cached_property
    def gradients(self) -> dict[str, Gradients]:
        parts = [field.name for field in fields(Gradients)]

        def apart() -> dict[str, Tensor]:
            found = super(KeptStatistics, self).gradients
            return {f"{n}:{part}": getattr(g, part) for n, g in found.items() for part in parts}

        flat = self._tensors("gradients", apart)
        names = dict.fromkeys(name.rpartition(":")[0] for name in flat)
        return {name: Gradients(**{p: flat[f"{name}:{p}"] for p in parts}) for name in names}

    def _numbers(self, name: str, work_out: Callable[[], dict[str, Value]]) -> dict[str, Value]:
        path = self._folder / f"{name}.json"
        with self._by_one(name):
            with suppress(FileNotFoundError, *_DAMAGE):
                return dict(json_from(path.read_bytes()).items())
            found = work_out()
            with whole_file(path, replace=True) as file:
                file.write(json.dumps(found).encode())
            return found

    def _tensors(self, name: str, work_out: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Layers that share a tensor share it again when it is read."""
        with self._by_one(name):
            return self._kept_tensors(name, work_out)

    def _by_one(self, name: str) -> FileLock:
        """Whoever comes second waits and then reads."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / f".{name}.lock")

    def _kept_tensors(
        self, name: str, work_out: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        path, shared = self._folder / f"{name}.safetensors", self._folder / f"{name}.shared.json"
        with suppress(FileNotFoundError, *_DAMAGE):
            there = load_file(path, device=str(self._device))
            owners = json_from(shared.read_bytes())
            return {layer: there[owner] for layer, owner in owners.items()}
        found = work_out()
        owners = _owners(found)
        apart = {owner: found[owner].contiguous() for owner in set(owners.values())}
        with whole_file(shared, replace=True) as file:
            file.write(json.dumps(owners).encode())
        with whole_file(path, replace=True) as file:
            save_file(apart, file.name)
        return found


def _owners(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """By name the first name that has the very same tensor."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in tensors.items()}
