"""Arrays come back bit for bit from a file that is as small as promised."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from runtime.packed.cost import packed_size, storage_cost
from runtime.packed.layout import TYPES
from runtime.packed.reader import PackedFile
from runtime.packed.writer import Packed, write_packed
from speech.errors import BadInput

Arrays = dict[str, NDArray[Any]]

SHAPES = [(), (0,), (3, 0, 2), (1,), (7,), (8,), (9,), (5, 13), (2, 3, 5), (257, 257)]


def pruned(shape: tuple[int, ...], dtype: str, zeros: float, seed: int = 0) -> NDArray[Any]:
    """Random bits (so also NaN with payloads, -0.0 and infinities), and a share of zeros."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind == np.bool_:
        return np.asarray(rng.random(shape) >= zeros)
    bits = np.frombuffer(rng.bytes(math.prod(shape) * kind.itemsize), kind).reshape(shape).copy()
    bits[rng.random(shape) < zeros] = 0
    return bits


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and one.tobytes() == other.tobytes()


def there_and_back(path: Path, arrays: Arrays, **options: Any) -> Packed:
    """Write and read; the arrays must be the same, and the file no larger than a plain one."""
    packed, plain = write_packed(path, arrays, **options), safetensors.numpy.save(arrays)
    found = PackedFile.open(path)
    is_plain = path.read_bytes() == plain
    assert found.names() == tuple(sorted(arrays) if is_plain else arrays)
    for name, array in found.items():
        assert same(array, arrays[name]), name
        assert array.flags.writeable and array.flags.c_contiguous
        assert found.shape(name) == array.shape and found.dtype(name) == array.dtype
    assert packed.size == path.stat().st_size <= len(plain)
    return packed


@pytest.mark.parametrize("zstd", [None, 1])
@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("dtype", TYPES.values())
def test_every_type_and_shape(tmp_path: Path, dtype: str, zeros: float, zstd: int | None) -> None:
    arrays = {str(shape): pruned(shape, dtype, zeros) for shape in SHAPES}
    there_and_back(tmp_path / "all", arrays, zstd=zstd)
    for array in arrays.values():
        there_and_back(tmp_path / "one", {"x": array}, zstd=zstd)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(data=st.data())
def test_any_arrays_with_any_names(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kinds = st.sampled_from([np.dtype(name) for name in TYPES.values()])
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
    arrays = data.draw(st.dictionaries(st.text(max_size=20), hnp.arrays(kinds, shapes), max_size=5))
    arrays["large"] = pruned((4_000,), "float32", 0.9)  # so that packing pays at all
    path = tmp_path_factory.getbasetemp() / "any.packed"
    there_and_back(path, arrays, zstd=data.draw(st.sampled_from([None, 1])))


def test_more_than_one_block_of_every_form(tmp_path: Path) -> None:
    sizes = [65_536, 65_537, 200_003]
    arrays = {f"{n} {z}": pruned((n,), "float32", z, n) for n in sizes for z in (0.0, 0.7, 1.0)}
    packed = there_and_back(tmp_path / "x", arrays)
    assert set(packed.sparse) == {name for name in arrays if not name.endswith(" 0.0")}
    there_and_back(tmp_path / "z", arrays, zstd=3)


def test_minus_zero_and_payloads_of_nan_are_values(tmp_path: Path) -> None:
    array = np.zeros(1000, np.float32)
    array.view(np.uint32)[[3, 500, 999]] = 0x80000000, 0x7FC01234, 0xFF800001
    packed = there_and_back(tmp_path / "x", {"x": array})
    assert packed.sparse == ("x",)


def test_an_array_out_of_order_or_of_another_byte_order(tmp_path: Path) -> None:
    array = pruned((40, 50), "float32", 0.8)
    for given_ in (array.T, array[::2, 1:], array.astype(">f4"), np.asfortranarray(array)):
        write_packed(tmp_path / "x", {"x": given_})
        found = PackedFile.open(tmp_path / "x").array("x")
        assert np.array_equal(found.view(np.uint32), given_.astype("<f4").view(np.uint32))


@pytest.mark.parametrize(("dtype", "fill"), [("uint8", 128), ("uint8", 0x88), ("int8", -1)])
def test_weights_of_one_byte_may_have_any_zero_point(tmp_path: Path, dtype: str, fill: int) -> None:
    array = np.full(80_000, fill, dtype)
    array[::10] = np.random.default_rng(0).integers(0, 99, 8_000)
    packed = there_and_back(tmp_path / "x", {"x": array})
    assert packed.size < 80_000 / 8 + 8_000 + 700


@pytest.mark.parametrize("zeros", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_the_size_is_a_bit_per_weight_and_the_values(
    tmp_path: Path, dtype: str, zeros: float
) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"layer.{i}.weight": rng.integers(1, 100, (300, 400)).astype(dtype) for i in range(9)}
    for array in arrays.values():
        array[rng.random(array.shape) < zeros] = 0
    packed = there_and_back(tmp_path / "x", arrays)
    values = sum(int(np.count_nonzero(array)) for array in arrays.values())
    ideal = 9 * 300 * 400 / 8 + values * np.dtype(dtype).itemsize
    assert ideal <= packed.size <= 1.02 * ideal


def test_what_does_not_shrink_is_a_plain_safetensors_file(tmp_path: Path) -> None:
    arrays = {"a": pruned((30, 30), "float32", 0.0), "b": np.arange(5)}
    packed = there_and_back(tmp_path / "x", arrays)
    assert (tmp_path / "x").read_bytes() == safetensors.numpy.save(arrays)
    assert packed == Packed(size=packed.size, sparse=(), full_precision=())
    there_and_back(tmp_path / "none", {})
    with_note = safetensors.numpy.save(arrays, metadata={"format": "pt"})
    (tmp_path / "x").write_bytes(with_note)
    assert PackedFile.open(tmp_path / "x").names() == ("a", "b")


@pytest.mark.parametrize("name", ["__metadata__", "a\0b", "0v", "", '"\n'])
def test_no_name_collides(tmp_path: Path, name: str) -> None:
    arrays = {name: pruned((3,), "float32", 0.0), "1m": pruned((999,), "float32", 0.9)}
    write_packed(tmp_path / "x", arrays)
    for found, array in PackedFile.open(tmp_path / "x").items():
        assert same(array, arrays[found])


def test_the_bytes_are_always_the_same(tmp_path: Path) -> None:
    arrays = {str(i): pruned((50, i), "float32", 0.8, i) for i in range(20)}
    for options in ({}, {"half": "all"}, {"zstd": 3}):
        write_packed(tmp_path / "x", arrays, **options)
        first = (tmp_path / "x").read_bytes()
        write_packed(tmp_path / "x", arrays, **options)
        assert (tmp_path / "x").read_bytes() == first


def test_half_precision_where_it_holds_every_value(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((200, 100)).astype(np.float32)
    weight[rng.random(weight.shape) < 0.6] = 0
    weight[0, :5] = 1e-7, 1e-9, np.inf, np.nan, -0.0
    too_large = np.array([1.0, 70_000.0] * 50, np.float32)
    counts = np.arange(100, dtype=np.int64)
    arrays = {"weight": weight, "too large": too_large, "counts": counts}
    packed = write_packed(tmp_path / "x", arrays, half="all")
    assert packed.full_precision == ("too large",)
    assert packed.size < 200 * 100 * (0.4 * 2 + 1 / 8) + 1_500 + 800
    found = PackedFile.open(tmp_path / "x")
    assert same(found.array("weight"), weight.astype(np.float16).astype(np.float32))
    assert same(found.array("too large"), too_large) and same(found.array("counts"), counts)


def test_half_precision_of_matrices_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix, scales = (rng.standard_normal(s).astype(np.float32) / 3e6 for s in ((20, 30), 600))
    write_packed(tmp_path / "x", {"matrix": matrix, "scales": scales}, half="matrices")
    found = PackedFile.open(tmp_path / "x")
    assert same(found.array("matrix"), matrix.astype(np.float16).astype(np.float32))
    assert same(found.array("scales"), scales)


def test_an_array_too_small_for_half_precision_stays_as_it_is(tmp_path: Path) -> None:
    array = np.array([0.1], np.float32)
    assert write_packed(tmp_path / "x", {"x": array}, half="all").full_precision == ("x",)
    assert same(PackedFile.open(tmp_path / "x").array("x"), array)


def test_zstd_takes_what_it_shrinks(tmp_path: Path) -> None:
    blocks = np.kron(np.random.default_rng(0).random((9, 9)) < 0.5, np.ones((50, 50), np.float32))
    noise = pruned((9_000,), "float32", 0.0)
    plain = there_and_back(tmp_path / "x", {"blocks": blocks, "noise": noise})
    small = there_and_back(tmp_path / "z", {"blocks": blocks, "noise": noise}, zstd=19)
    assert small.size < noise.nbytes + 2_500 < plain.size
    with pytest.raises(BadInput, match="20 is no zstd level"):
        write_packed(tmp_path / "z", {"x": noise}, zstd=20)


def test_a_type_that_numpy_alone_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'x' is of complex128"):
        write_packed(tmp_path / "x", {"x": np.zeros(3, np.complex128)})


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    write_packed(tmp_path / "x", {"x": np.zeros(999)})
    with pytest.raises(BadInput, match="has no array 'y'"):
        PackedFile.open(tmp_path / "x").array("y")


def test_the_cost_beside_other_forms() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((100, 1000)).astype(np.float32)
    weight.reshape(-1)[rng.permutation(100_000)[:70_000]] = 0
    told: list[int] = []
    packed = packed_size({"x": weight})
    assert 132_500 < packed < 133_000
    cost = storage_cost([weight], packed=packed, told=told.append)
    assert (cost.in_memory, cost.packed, told) == (400_000, packed, [400_000])
    assert cost.coo == 30_000 * (2 * 8 + 4)
    assert cost.csr == 30_000 * (4 + 4) + 4 * 101
    assert 133_000 < cost.gzip < 150_000
    empty = storage_cost([np.asarray(np.float32(3)), np.zeros((0, 4), np.float32)], packed=0)
    assert (empty.in_memory, empty.coo) == (4, 12)
