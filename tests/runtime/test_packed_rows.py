"""Rows of a packed file, however its array is stored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from runtime.packed.reader import PackedFile
from runtime.packed.writer import write_packed

RNG = np.random.default_rng(0)
DENSE = RNG.standard_normal((9, 3, 2)).astype(np.float32)
SPARSE = np.where(RNG.random((50, 8)) < 0.9, 0, RNG.standard_normal((50, 8))).astype(np.float32)
ARRAYS: dict[str, Any] = {
    "dense": DENSE,
    "sparse": SPARSE,
    "bytes": RNG.integers(-64, 65, (12, 7)).astype(np.int8),
    "numbers": np.arange(6, dtype=np.float32),
}


@pytest.mark.parametrize("how", [{}, {"half": "all"}, {"zstd": 3}])
def test_a_row_is_that_of_the_whole_array(how: dict[str, Any], tmp_path: Path) -> None:
    write_packed(tmp_path / "x", ARRAYS, **how)
    file = PackedFile.open(tmp_path / "x")
    for name in ARRAYS:
        whole, rows = file.array(name), file.rows(name)
        for i in range(len(whole)):
            assert np.array_equal(rows[i], whole[i]) and rows[i].dtype == whole.dtype


def test_a_file_that_is_not_packed_has_rows_too(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"a": DENSE}, tmp_path / "x")
    rows = PackedFile.open(tmp_path / "x").rows("a")
    assert all(np.array_equal(rows[i], DENSE[i]) for i in range(len(DENSE)))
