"""Weights in int8: each row to within half a step of its own, zeros as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.packed.reader import PackedFile
from runtime.packed.rounded import rounded_arrays, write_rounded
from runtime.packed.writer import write_packed
from speech.errors import BadInput


def there_and_back(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    write_rounded(path, {"x": array}, "int8")
    ((name, found),) = rounded_arrays(PackedFile.open(path))
    assert name == "x" and found.shape == array.shape and found.dtype == array.dtype
    return found


@pytest.mark.parametrize("shape", [(60, 90), (16, 8, 20), (1, 1, 300)])
def test_a_row_is_off_by_half_a_step_and_zeros_are_zeros(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal(shape).astype(np.float32)
    weight *= 10.0 ** rng.integers(-6, 6, (shape[0], *[1] * (len(shape) - 1))).astype(np.float32)
    weight[rng.random(shape) < 0.6] = 0
    found = there_and_back(tmp_path / "x", weight)
    assert not found[weight == 0].any()
    rows, near = weight.reshape(shape[0], -1), found.reshape(shape[0], -1)
    step = np.abs(rows).max(axis=1, keepdims=True) / 127
    assert (np.abs(near - rows) <= 0.5001 * step).all()
    assert np.abs(near).max(axis=1, keepdims=True) == pytest.approx(127 * step, rel=1e-6)
    assert 0 < PackedFile.open(tmp_path / "x").array("x:scale").size == shape[0]


def test_rows_of_zeros_and_of_the_smallest_numbers(tmp_path: Path) -> None:
    weight = np.zeros((3, 200), np.float32)
    weight[1, 5], weight[2, 7] = 1e-45, -3e38
    found = there_and_back(tmp_path / "x", weight)
    assert PackedFile.open(tmp_path / "x").array("x:scale")[0] == 1
    assert np.isfinite(found).all() and not found[:2].any()
    assert found[2, 7] == pytest.approx(-3e38) and np.count_nonzero(found) == 1


@pytest.mark.parametrize(
    "array",
    [
        np.linspace(-1, 1, 999, dtype=np.float32),
        np.linspace(-1, 1, 999, dtype=np.float64).reshape(9, 111),
        np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 20),
        np.arange(-90, 90, dtype=np.int8).reshape(2, 90),
        np.zeros((0, 500), np.float32),
    ],
)
def test_what_is_no_matrix_or_too_small_to_gain_is_left(
    array: NDArray[Any], tmp_path: Path
) -> None:
    assert np.array_equal(there_and_back(tmp_path / "x", array), array)


def test_what_int8_cannot_hold(tmp_path: Path) -> None:
    weight = np.ones((9, 99), np.float32)
    weight[3, 4] = np.nan
    with pytest.raises(BadInput, match=r"layer\.weight has NaN or infinite weights.*take fp32"):
        write_rounded(tmp_path / "x", {"layer.weight": weight}, "int8")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.ones((9, 99), np.int8), "x:scale": np.ones(8, np.float32)},
        {"x": np.ones((9, 99), np.int8), "x:scale": np.ones(9, np.float64)},
        {"x": np.ones((9, 99), np.float32), "x:scale": np.ones(9, np.float32)},
    ],
)
def test_scales_of_another_matrix(arrays: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    write_packed(tmp_path / "x", arrays)
    with pytest.raises(BadInput, match=r"'x' of .* and its scales do not belong together"):
        list(rounded_arrays(PackedFile.open(tmp_path / "x")))
