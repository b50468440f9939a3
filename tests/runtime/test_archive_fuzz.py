"""Thousands of damaged manifests and archives: a sound bundle or one BadInput, nothing else."""

import functools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runtime.archive import contents, pack, unpack
from runtime.bundle import Bundle, Manifest
from speech.errors import BadInput
from tests.runtime.archives import compressed, entries, entry, everything, small_bundle

_PLACE = tempfile.TemporaryDirectory(prefix="secateur-tests-")

often = functools.partial(
    settings,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

#: What a key may hold instead of what it should.
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["", "..", "/", "bundle.json", "vocab.json", "\ud800", "a\0b", "0" * 64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@functools.cache
def sound() -> Bundle:
    return small_bundle(Path(_PLACE.name) / "tiny")


@functools.cache
def sound_text() -> str:
    return json.dumps(sound().manifest.to_json())


def spots(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield (*way, key)
        yield from spots(value[key], (*way, key))


@st.composite
def manifests(draw: st.DrawFn) -> Any:
    """A sound manifest after one to three strokes of bad luck."""
    manifest = json.loads(sound_text())
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(spots(manifest))))
        holder = functools.reduce(lambda value, key: value[key], way, manifest)
        change = draw(st.sampled_from(["another", "none", "twice", "elsewhere"]))
        if change == "another":
            holder[last] = draw(anything)
        elif change == "none":
            del holder[last]
        elif isinstance(holder, list):
            holder.append(holder[last])
        else:
            holder[draw(st.text(max_size=5))] = holder[last]
        if not manifest:
            break
    return manifest


@often(max_examples=1200)
@given(manifests())
def test_a_damaged_manifest(manifest: Any) -> None:
    try:
        read = Manifest.from_json(manifest, "bundle.json")
    except BadInput:
        return
    assert Manifest.from_json(read.to_json(), "again").to_json() == read.to_json()


@often(max_examples=400)
@given(manifests(), st.booleans())
def test_a_damaged_manifest_in_an_archive(manifest: Any, as_text: bool) -> None:
    folder = sound().folder
    text = json.dumps(manifest, ensure_ascii=as_text).encode(errors="surrogatepass")
    made = entries(folder)
    made["bundle.json"] = entry("bundle.json", text)
    _gives_the_bundle_or_nothing(compressed(b"".join(made.values())), same_manifest=False)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes overwritten, removed, put in or moved."""
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        end = min(end, start + draw(st.sampled_from([1, 4, 64, 512, 1 << 20])))
        put = draw(st.one_of(st.binary(max_size=8), st.just(b""), st.just(data[start:end] * 2)))
        data = data[:start] + put + data[end:]
    return data


@functools.cache
def packed() -> bytes:
    file = Path(_PLACE.name) / "tiny.secateur"
    pack(sound().folder, file)
    return file.read_bytes()


@often(max_examples=400)
@given(st.data())
def test_a_damaged_archive(data: st.DataObject) -> None:
    _gives_the_bundle_or_nothing(data.draw(damaged(packed())))


@often(max_examples=400)
@given(st.data())
def test_a_damaged_tar(data: st.DataObject) -> None:
    """Compressed after the damage, so that no checksum of zstd finds it first."""
    tar = b"".join(entries(sound().folder).values())
    _gives_the_bundle_or_nothing(compressed(data.draw(damaged(tar))), same_manifest=False)


def _gives_the_bundle_or_nothing(archive: bytes, *, same_manifest: bool = True) -> None:
    with tempfile.TemporaryDirectory(dir=_PLACE.name) as place:
        file, out = Path(place) / "a.secateur", Path(place) / "out"
        file.write_bytes(archive)
        try:
            held = contents(file)
            bundle = unpack(file, out)
        except BadInput as error:
            assert "\n" not in str(error)
            assert list(Path(place).iterdir()) == [file]
            return
        assert bundle == Bundle.open(out, check_hashes=True, on_device=True)
        assert set(everything(out)) == {"bundle.json", *(file.path for file in held.files)}
        if same_manifest:
            assert everything(out).items() <= everything(sound().folder).items()
