"""A damaged packed file gives one sentence, or the arrays; never a traceback or other arrays.

Bytes of values, and several bits of a mask at once, can be wrong unnoticed: the bundle's hashes are
there for that. Even so the arrays come in the right shapes and types.
"""

import functools
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.packed.layout import KEY, to_text
from runtime.packed.reader import PackedFile
from runtime.packed.writer import write_packed
from speech.errors import BadInput
from tests.runtime.packed_files import (
    LENGTH,
    body_of,
    checksum,
    header_of,
    with_header,
    with_layout,
)

Arrays = dict[str, NDArray[Any]]

#: In bytes: what a fuzzed file may claim to need.
LIMIT = 1 << 22

fuzz = functools.partial(settings, derandomize=True, deadline=None)


def arrays_of_every_form() -> Arrays:
    rng = np.random.default_rng(0)
    sparse = rng.standard_normal((37, 53)).astype(np.float32)
    sparse[rng.random(sparse.shape) < 0.8] = 0
    bytes_ = np.where(rng.random((99, 9)) < 0.7, 128, rng.integers(0, 255, (99, 9)))
    return {
        "sparse": sparse,
        "dense": rng.integers(1, 9, (3, 5, 2)),
        "zero point": bytes_.astype(np.uint8),
        "flags": rng.random(1234) < 0.05,
        "regular": np.tile(np.arange(8, dtype=np.int16), 99),
        "scalar": np.array(3.5),
    }


@functools.cache
def sound(form: str) -> tuple[bytes, Arrays]:
    """A sound file, and what it holds."""
    arrays = arrays_of_every_form()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / form
        if form == "plain":
            path.write_bytes(safetensors.numpy.save(arrays))
        else:
            options: dict[str, Any] = {"half": {"half": "all"}, "zstd": {"zstd": 9}}.get(form, {})
            assert "sparse" in write_packed(path, arrays, **options).sparse
        return path.read_bytes(), dict(PackedFile.open(path).items())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "x.safetensors"


def read(place: Path, data: bytes) -> Arrays | None:
    """All arrays, or nothing after one sentence that names the file."""
    place.write_bytes(data)
    try:
        return dict(PackedFile.open(place, limit=LIMIT).items())
    except BadInput as error:
        assert str(place) in str(error) and "\n" not in str(error)
        return None


def complaint(place: Path, data: bytes, **options: int) -> str:
    place.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        dict(PackedFile.open(place, **options).items())
    sentence = str(caught.value)
    assert str(place) in sentence and "\n" not in sentence
    return sentence


def same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() and alike(one[name], other[name])
        for name in one
    )


def alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


@fuzz(max_examples=900)
@given(form=st.sampled_from(["packed", "half", "zstd"]), data=st.data())
def test_flipped_bits(place: Path, form: str, data: st.DataObject) -> None:
    good, arrays = sound(form)
    in_header = data.draw(st.booleans())
    bounds = (0, body_of(good) - 1) if in_header else (body_of(good), len(good) - 1)
    at, change = data.draw(st.integers(*bounds)), data.draw(st.integers(1, 255))
    found = read(place, good[:at] + bytes([good[at] ^ change]) + good[at + 1 :])
    if found is None:
        return
    if in_header:
        assert same(found, arrays)
    assert found.keys() == arrays.keys()
    assert all(alike(found[name], arrays[name]) for name in arrays)


@fuzz(max_examples=200)
@given(form=st.sampled_from(["packed", "half", "zstd", "plain"]), data=st.data())
def test_a_file_that_was_cut_or_lengthened(place: Path, form: str, data: st.DataObject) -> None:
    good, _ = sound(form)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(good))] * 2)))
    more = data.draw(st.binary(max_size=9))
    if good[:start] + more + good[end:] != good and end - start != len(more):
        assert read(place, good[:start] + more + good[end:]) is None


@fuzz(max_examples=200)
@given(data=st.data())
def test_a_plain_file_with_flipped_bits(place: Path, data: st.DataObject) -> None:
    """Nothing in it says how its header should be; what it says is given, or refused."""
    good, arrays = sound("plain")
    at, change = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(1, 255))
    found = read(place, good[:at] + bytes([good[at] ^ change]) + good[at + 1 :])
    if found is not None and at >= body_of(good):
        assert all(alike(found[name], arrays[name]) for name in arrays)


#: Values that a file may hold where another belongs.
strange = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.sampled_from([2**31, 2**63, 2**64, 10**30, 1.5, 1e400, "", "m", "float32", "uint8"]),
    st.text(max_size=3),
    st.lists(st.integers(-1, 2**40), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@fuzz(max_examples=450)
@given(form=st.sampled_from(["packed", "half", "zstd"]), data=st.data())
def test_an_edited_list_of_arrays(place: Path, form: str, data: st.DataObject) -> None:
    """The checksum is made to fit, so what is read is what the list now says, or nothing."""
    good, arrays = sound(form)

    def edit(layout: dict[str, Any]) -> None:
        entry = data.draw(st.sampled_from(layout["arrays"]))
        part = data.draw(st.sampled_from([layout, entry, entry, entry, layout["names"]]))
        key = data.draw(st.sampled_from(sorted(part) if part is not layout["names"] else [0, 1]))
        if data.draw(st.booleans()) and isinstance(part, dict):
            del part[key]
        else:
            part[key] = data.draw(strange)

    found = read(place, with_layout(good, edit))
    if found is not None:
        others = arrays.keys() & found.keys()
        untouched = [name for name in others if same({"": found[name]}, {"": arrays[name]})]
        assert len(found) == len(arrays) and len(untouched) >= len(arrays) - 1


@fuzz(max_examples=350)
@given(form=st.sampled_from(["packed", "zstd"]), data=st.data())
def test_an_edited_header(place: Path, form: str, data: st.DataObject) -> None:
    good, arrays = sound(form)
    header = header_of(good)
    name = data.draw(st.sampled_from(sorted(header)))
    how = data.draw(st.sampled_from(["rename", "remove", "change", "replace"]))
    if how == "replace":
        header[name] = data.draw(strange)
    elif how == "change":
        key = data.draw(st.sampled_from(sorted(header[name])))
        header[name][key] = data.draw(strange)
    else:
        blob = header.pop(name)
        if how == "rename":
            header[data.draw(st.text(max_size=3))] = blob
    found = read(place, with_header(good, header))
    assert found is None or same(found, arrays)


#: The tests above, and the forms that they are for.
DAMAGES: list[tuple[Any, list[str]]] = [
    (test_flipped_bits, ["packed", "half", "zstd"]),
    (test_a_file_that_was_cut_or_lengthened, ["packed", "half", "zstd", "plain"]),
    (test_an_edited_list_of_arrays, ["packed", "half", "zstd"]),
    (test_an_edited_header, ["packed", "zstd"]),
]


@pytest.mark.long
@fuzz(max_examples=2000)
@given(data=st.data())
def test_two_thousand_damaged_files(place: Path, data: st.DataObject) -> None:
    test, forms = data.draw(st.sampled_from(DAMAGES))
    test.hypothesis.inner_test(place=place, form=data.draw(st.sampled_from(forms)), data=data)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, 5000])
def test_noise_is_no_packed_file(place: Path, size: int) -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).bytes(size)
        assert read(place, noise) is None
        assert read(place, LENGTH.pack(max(size - 8, 0)) + noise[8:]) is None


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="absent"):
        PackedFile.open(tmp_path / "absent")
    with pytest.raises(BadInput, match=tmp_path.name):
        PackedFile.open(tmp_path)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda layout: layout.update(version=2), "version 2 and this Secateur reads version 1"),
        (lambda layout: layout["names"].__setitem__(1, "sparse"), "lists 'sparse' twice"),
        (lambda layout: layout["names"].pop(), "5 names for 6 arrays"),
        (
            lambda layout: layout["arrays"][0].update(shape=[37, -53]),
            "shape[1] must be between 0 and 9007199254740992, got -53",
        ),
        (
            lambda layout: layout["arrays"][0].update(shape=[1] * 33),
            "shape must have 0 to 32 entries, got 33",
        ),
        (lambda layout: layout["arrays"][0].update(dtype="bfloat16"), "no known type"),
        (lambda layout: layout["arrays"][0].update(stored="float64"), "'stored' is 'float64'"),
        (lambda layout: layout["arrays"][0].update(fill=1), "'fill' is 1 for an array of float32"),
        (lambda layout: layout["arrays"][0].update(fill=None), "'count' is"),
        (
            lambda layout: layout["arrays"][0].update(zstd=["v", "x"]),
            "must be one of m, v, got 'x'",
        ),
        (lambda layout: layout["arrays"][1].update(zstd=["m"]), "does not have"),
        (
            lambda layout: layout["arrays"][0].update(shape=[37, 54]),
            "bitmask's bytes are 246 bytes",
        ),
        (lambda layout: layout["arrays"][0].update(shape=[37, 2**50]), "bytes"),
        (lambda layout: layout["arrays"][1].update(shape=[0, 2**50], count=0), "bytes"),
        (lambda layout: layout["arrays"][0].update(surprise=1), "unknown key 'surprise'"),
    ],
)
def test_a_list_of_arrays_that_cannot_be(
    place: Path,
    edit: Callable[[dict[str, Any]], object],
    fault: str,
) -> None:
    assert fault in complaint(place, with_layout(sound("packed")[0], edit))


def with_blobs(data: bytes, edit: Callable[[Arrays], object]) -> bytes:
    """The blobs edited under the same list of arrays."""
    blobs = dict(safetensors.numpy.load(data))
    edit(blobs)
    return safetensors.numpy.save(blobs, header_of(data)["__metadata__"])


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda blobs: blobs.pop("0v"), "'sparse' of .* values are missing"),
        (lambda blobs: blobs.pop("2m"), "'zero point' of .* bitmask's bytes are missing"),
        (lambda blobs: blobs.update({"9v": blobs["0v"]}), "holds '9v', which no array"),
        (lambda blobs: blobs.update({"0v": blobs["0v"][:-1]}), r"values are \d+ bytes instead"),
        (lambda blobs: blobs.update({"0v": blobs["0v"].view(np.int8)}), "not stored as bytes"),
        (lambda blobs: blobs.update({"0v": blobs["0v"][None]}), "not stored as bytes"),
        (lambda blobs: blobs["0m"].__setitem__(3, blobs["0m"][3] ^ 1), "'sparse'.* needs"),
        (lambda blobs: blobs["0m"].__setitem__(-1, 255), "'sparse'.* beyond its last element"),
        (lambda blobs: blobs["3v"].__setitem__(0, 2), "neither true nor false"),
    ],
)
def test_blobs_that_do_not_fit(
    place: Path,
    edit: Callable[[Arrays], object],
    fault: str,
) -> None:
    assert re.search(fault, complaint(place, with_blobs(sound("packed")[0], edit)))


def test_a_file_that_claims_more_than_memory(place: Path) -> None:
    """Both forms in which a few bytes can claim to be many."""
    good, arrays = sound("packed")
    total = sum(array.nbytes for array in arrays.values())
    assert f"above {total - 1} bytes" in complaint(place, good, limit=total - 1)
    place.write_bytes(good)
    assert same(dict(PackedFile.open(place, limit=total).items()), arrays)
    plain, _ = sound("plain")
    assert f"above {total - 1} bytes" in complaint(place, plain, limit=total - 1)


def test_a_zstd_frame_that_unpacks_to_more_than_its_array(place: Path) -> None:
    def bomb(blobs: Arrays) -> None:
        frame = zstandard.ZstdCompressor(level=1).compress(bytes(1 << 28))
        blobs["4v"] = np.frombuffer(frame, np.uint8)

    sentence = complaint(place, with_blobs(sound("zstd")[0], bomb))
    assert "'regular'" in sentence and "more than the array needs" in sentence


def test_every_sound_file_writes_its_list_the_same_way() -> None:
    text = header_of(sound("packed")[0])["__metadata__"][KEY]
    layout = json.loads(text)
    assert layout["check"] == checksum(layout["names"], layout["arrays"])
    assert to_text([]) == f'{{"version":1,"check":{checksum([], [])},"names":[],"arrays":[]}}'
