"""Damaged graphs: they are read or refused, here and by onnxruntime, which they do not crash."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.variant import write_variant
from pipeline.commands.verify_checks import check_listening
from runtime.bundle import Bundle
from runtime.memory_guard import free_memory_only
from runtime.onnx_file import OnnxFile
from runtime.packed.graph import WeightlessGraph
from runtime.packed.reader import PackedFile
from speech.errors import BadInput
from tests.export.exported import sew, whisper
from tests.runtime.mangling import damaged, often


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph without its weights, which lie beside it."""
    folder = tmp_path_factory.mktemp("graphs") / "tiny"
    return write_variant(whisper()[1], folder, "int8", name="tiny").graph("decoder")


def reads_or_refuses(graph: Path, place: Path, data: st.DataObject) -> None:
    place.write_bytes(data.draw(damaged(graph.read_bytes())))
    weights = PackedFile.open(graph.with_suffix(".weights"))
    for read in (
        lambda: OnnxFile.read(place),
        lambda: WeightlessGraph.open(place).check(weights),
    ):
        try:
            read()
        except BadInput as error:
            assert str(place) in str(error) and "\n" not in str(error)
            assert len(str(error)) < 1500


@often(max_examples=100)
@given(data=st.data())
def test_a_damaged_graph(sound: Path, data: st.DataObject) -> None:
    reads_or_refuses(sound, sound.with_name("damaged.onnx"), data)


@pytest.mark.long
@often(max_examples=2000)
@given(data=st.data())
def test_two_thousand_damaged_graphs(sound: Path, data: st.DataObject) -> None:
    reads_or_refuses(sound, sound.with_name("damaged.onnx"), data)


#: What no size, axis or count is; some are what one could be.
NUMBERS = [0, -1, 1, 7, 2**31 - 1, 2**31, -(2**31), 2**62, -(2**63)]


def changed(data: bytes, seed: int) -> bytes:
    """A graph that is still one, and in one or two places another than it was."""
    random = np.random.default_rng(seed)
    model = onnx.load_model_from_string(data)
    graph = model.graph

    def one_of(many: Any) -> Any:
        return many[random.integers(len(many))]

    def attribute(node: Any) -> None:
        given = one_of(node.attribute) if node.attribute else onnx.AttributeProto()
        if given.type == onnx.AttributeProto.INT:
            given.i = one_of(NUMBERS)
        elif given.type == onnx.AttributeProto.INTS and given.ints:
            given.ints[random.integers(len(given.ints))] = one_of(NUMBERS)

    def wiring(node: Any) -> None:
        names = [name for other in graph.node for name in other.output]
        names += [weight.name for weight in graph.initializer]
        if node.input:
            node.input[random.integers(len(node.input))] = one_of([*names, ""])

    def fewer(node: Any) -> None:
        del node.input[1:]

    def sizes(_: Any) -> None:
        weight = one_of(graph.initializer)
        if weight.dims:
            weight.dims[random.integers(len(weight.dims))] = one_of(NUMBERS)

    def constants(_: Any) -> None:
        whole = [one for one in graph.initializer if one.data_type == 7 and one.raw_data]
        if whole:
            weight = one_of(whole)
            values = np.frombuffer(weight.raw_data, np.int64).copy()
            values[random.integers(len(values))] = one_of(NUMBERS)
            weight.raw_data = values.tobytes()

    strokes: list[Callable[[Any], None]] = [attribute, attribute, wiring, fewer, sizes, constants]
    for _ in range(random.integers(1, 3)):
        one_of(strokes)(one_of(graph.node))
    made: bytes = model.SerializeToString()
    return made


def runs_or_is_refused(bundle: Bundle, path: str, seed: int) -> None:
    sound = (bundle.folder / path).read_bytes()
    (bundle.folder / path).write_bytes(changed(sound, seed))
    try:
        with free_memory_only():
            check_listening(bundle)
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 1500
    finally:
        (bundle.folder / path).write_bytes(sound)


def all_survive(seeds: range, folder: Path) -> None:
    """In a copy of this process, which a crash would end."""
    makers = {"onnx/model.onnx": sew, "onnx/decoder.onnx": whisper, "onnx/encoder.onnx": whisper}
    bundles = {}
    for number, (path, maker) in enumerate(makers.items()):
        place = Path(shutil.copytree(maker()[1].folder, folder / str(number)))
        bundles[path] = Bundle.open(place)
    with tempfile.TemporaryFile() as told:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.dup2(told.fileno(), 2)
                for seed in seeds:
                    path = list(makers)[seed % 3]
                    os.write(2, f"\n{path}, seed {seed}: ".encode())
                    began = time.monotonic()
                    runs_or_is_refused(bundles[path], path, seed)
                    assert time.monotonic() - began < 30, "it took more than 30 s"
                code = 0
            except BaseException as error:
                os.write(2, repr(error)[:2000].encode())
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        told.seek(0)
        last = told.read().decode(errors="replace").splitlines()[-1]
    assert os.waitstatus_to_exitcode(status) == 0, last


def test_onnxruntime_survives_changed_graphs(tmp_path: Path) -> None:
    all_survive(range(12), tmp_path)


@pytest.mark.long
def test_onnxruntime_survives_two_hundred_changed_graphs(tmp_path: Path) -> None:
    all_survive(range(200), tmp_path)
