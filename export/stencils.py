"""Traced graphs without their weights, kept in memory and in the user's cache.

A stencil is found again by its key, which says all that tracing depends on but for the code: that
of this room, of torch and of transformers is in the name of the folder.
"""

import hashlib
from collections import OrderedDict
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import onnx
import onnx_ir as ir

from runtime.whole_folder import whole_file
from speech.cache_folder import cache_folder
from speech.errors import BadInput

#: How many are kept: those used last.
_IN_MEMORY, _ON_DISK = 8, 100

_last: OrderedDict[str, ir.Model] = OrderedDict()


def read_stencil(key: str) -> ir.Model | None:
    """A copy whose initializers wait for their values; None where nobody has traced its like."""
    if key not in _last:
        model = _read(_folder() / f"{key}.onnx")
        if model is None:
            return None
        _remember(key, model)
    _last.move_to_end(key)
    return _last[key].clone()


def keep_stencil(key: str, model: ir.Model) -> None:
    """Takes the weights out of the model, and keeps what is left."""
    for name, value in model.graph.initializers.items():
        assert value.dtype is not None and value.shape is not None
        value.const_value = ir.ExternalTensor(
            "weights", 0, 0, value.dtype, shape=ir.Shape(value.shape), name=name
        )
    _remember(key, model)
    content = ir.serde.serialize_model(model).SerializeToString()
    with suppress(BadInput):  # where nothing can be kept it is traced again
        with whole_file(_folder() / f"{key}.onnx", replace=True) as file:
            file.write(content)
        _drop_oldest(_folder())


def forget() -> None:
    """Of what is in memory."""
    _last.clear()


def _remember(key: str, model: ir.Model) -> None:
    _last[key] = model
    if len(_last) > _IN_MEMORY:
        _last.popitem(last=False)


def _read(path: Path) -> ir.Model | None:
    """None also for a damaged one: it is traced again."""
    try:
        content = path.read_bytes()
        model = ir.serde.deserialize_model(onnx.ModelProto.FromString(content))
    except Exception:  # protobuf has errors of its own for what it cannot read
        return None
    with suppress(OSError):  # a cache that others fill is read all the same
        path.touch()
    return model


def _drop_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-_ON_DISK]:
        path.unlink(missing_ok=True)


def _folder() -> Path:
    return cache_folder() / "traced" / _code()


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for library in ("torch", "transformers", "onnxscript", "onnx-ir"):
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]
