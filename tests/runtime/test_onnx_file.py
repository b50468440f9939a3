"""What a graph reads besides itself is listed in the manifest, or the bundle is refused."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.archive import opened, pack, unpack
from runtime.bundle import Bundle, BundleFile
from runtime.onnx_file import OnnxFile
from runtime.packed.protobuf import head
from speech.errors import BadInput
from tests.runtime.archives import small_bundle
from tests.runtime.graphs import empty_graph

GRAPH, DATA = "onnx/model.onnx", "model.data"


def tensor(name: str, location: str = DATA) -> TensorProto:
    """Four floats that lie elsewhere."""
    made = numpy_helper.from_array(np.arange(4, dtype=np.float32), name)
    made.ClearField("raw_data")
    made.data_location = TensorProto.EXTERNAL
    made.external_data.add(key="location", value=location)
    made.external_data.add(key="length", value="16")
    return made


def graph(nodes: Iterable[Any] = (), weights: Iterable[TensorProto] = ()) -> Any:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    return helper.make_graph(list(nodes), "g", [given], [taken], list(weights))


def model(*args: Any, **more: Any) -> bytes:
    opsets = [helper.make_opsetid("", 20)]
    made = helper.make_model(graph(*args), opset_imports=opsets, ir_version=10, **more)
    data: bytes = made.SerializeToString()
    return data


def constant(location: str) -> Any:
    return helper.make_node("Constant", [], ["c"], value=tensor("c", location))


def branch(inner: Any) -> Any:
    return helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=graph())


def sparse(location: str) -> bytes:
    """A sparse initialiser whose values lie elsewhere."""
    values = tensor("s", location).SerializeToString()
    inner = head(15, len(head(1, len(values)) + values)) + head(1, len(values)) + values
    return head(7, len(inner)) + inner


#: Every place of a model that can refer to a file.
PLACES: dict[str, Callable[[str], bytes]] = {
    "a weight": lambda location: model([], [tensor("w", location)]),
    "a constant": lambda location: model([constant(location)]),
    "a list of tensors": lambda location: model(
        [helper.make_node("Odd", [], ["y"], tensors=[tensor("t", location)], domain="odd")]
    ),
    "a weight of a branch": lambda location: model([branch(graph([], [tensor("w", location)]))]),
    "a constant of a branch": lambda location: model([branch(graph([constant(location)]))]),
    "a sparse weight": sparse,
}


def bundle_with(data: bytes, folder: Path, **files: bytes) -> Path:
    """A bundle with this graph and these files beside it, listed but for DATA."""
    small_bundle(folder, {GRAPH: empty_graph(), "vocab.json": b"{}", **files})
    (folder / GRAPH).write_bytes(data)
    (folder / "onnx" / DATA).write_bytes(np.arange(4, dtype=np.float32).tobytes())
    listed(folder, GRAPH)
    return folder


def listed(folder: Path, *paths: str) -> None:
    """The manifest lists these files as they are now."""
    manifest = json.loads((folder / "bundle.json").read_text())
    files = {file["path"]: file for file in manifest["files"]}
    for path in paths:
        files[path] = vars(BundleFile.of(folder, path))
    (folder / "bundle.json").write_text(json.dumps({**manifest, "files": list(files.values())}))


@pytest.mark.parametrize("place", PLACES)
def test_an_unlisted_file_is_refused_wherever_the_graph_names_it(
    place: str, tmp_path: Path
) -> None:
    folder = bundle_with(PLACES[place](DATA), tmp_path / "tiny")
    for use in (
        lambda: Bundle.open(folder, on_device=True),
        lambda: pack(folder, tmp_path / "packed"),
        lambda: opened(folder).__enter__(),
    ):
        with pytest.raises(BadInput, match=f"takes weights from '{DATA}', which its bundle.json"):
            use()
    assert not (tmp_path / "packed").exists()
    listed(folder, f"onnx/{DATA}")
    assert Bundle.open(folder).graph("model") == folder / GRAPH


def test_a_listed_file_goes_along_and_is_read(tmp_path: Path) -> None:
    import onnxruntime

    add = helper.make_node("Add", ["x", "w"], ["y"])
    folder = bundle_with(model([add], [tensor("w")]), tmp_path / "tiny")
    listed(folder, f"onnx/{DATA}")
    pack(folder, tmp_path / "packed")
    bundle = unpack(tmp_path / "packed", tmp_path / "out")
    session = onnxruntime.InferenceSession(bundle.graph("model"))
    assert session.run(None, {"x": np.ones(4, np.float32)})[0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../vocab.json", "a/../../x", "", ".", "*/_ORT_MEM_ADDR_/*", "a\\b", "c:x"],
)
def test_a_place_outside_is_refused_also_where_it_is_listed(location: str, tmp_path: Path) -> None:
    """onnxruntime takes the one with stars for an address in memory."""
    folder = bundle_with(PLACES["a constant"](location), tmp_path / "tiny")
    manifest = json.loads((folder / "bundle.json").read_text())
    if "*" in location:
        (folder / "onnx/*/_ORT_MEM_ADDR_").mkdir(parents=True)
        (folder / "onnx" / location).write_bytes(b"x")
        listed(folder, f"onnx/{location}")
    with pytest.raises(BadInput, match="no plain path inside the bundle"):
        Bundle.open(folder)
    assert manifest["files"]


def test_a_file_that_a_device_leaves_behind_is_not_read(tmp_path: Path) -> None:
    files = {"pytorch/model.safetensors": b"x"}
    folder = bundle_with(
        PLACES["a weight"]("../pytorch/model.safetensors"), tmp_path / "a", **files
    )
    with pytest.raises(BadInput, match="no plain path"):
        Bundle.open(folder)


def test_an_archive_with_such_a_graph_is_not_unpacked(tmp_path: Path) -> None:
    folder = bundle_with(PLACES["a weight"](DATA), tmp_path / "tiny")
    listed(folder, f"onnx/{DATA}")
    pack(folder, tmp_path / "packed")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"] = [file for file in manifest["files"] if DATA not in file["path"]]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    from tests.runtime.archives import compressed, entry, padded

    assert padded(b"") == b""
    names = ["bundle.json", *(file["path"] for file in manifest["files"])]
    tar = b"".join(entry(name, (folder / name).read_bytes()) for name in names) + bytes(1024)
    (tmp_path / "made").write_bytes(compressed(tar))
    with pytest.raises(BadInput, match="does not list"):
        unpack(tmp_path / "made", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_packed_may_be_said_to_lie_anywhere(tmp_path: Path) -> None:
    """The file beside is never read: the packed one gives them all, or the graph does not open."""
    folder = bundle_with(PLACES["a weight"]("../elsewhere"), tmp_path / "tiny", weights=b"x")
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**manifest, "weights": {"model": "weights"}}))
    Bundle.open(folder)


def loop(operator: str) -> bytes:
    return model([helper.make_node(operator, [], ["y"], body=graph())])


def function() -> bytes:
    made = helper.make_function("own", "f", ["x"], ["y"], [], [helper.make_opsetid("", 20)])
    return model([], [], functions=[made])


def nested(depth: int) -> Any:
    found = graph()
    for _ in range(depth):
        found = graph([branch(found)])
    return found


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "it is empty"),
        (head(6, 3) + b"abc", "it holds none"),
        (empty_graph(b"x" * 99)[:-3], "ends too early"),
        (b"\x00" * 100, "a field without a number"),
        (b"\x08\x01" * 600_000 + empty_graph(), "more than 500000 parts"),
        (b"\x38\x01", "it holds none"),
        (loop("Loop"), "'Loop' with a graph inside"),
        (loop("Scan"), "'Scan' with a graph inside"),
        (loop("x" * 10_000), "xxx... *' with a graph inside|with a graph inside"),
        (function(), "functions of its own"),
        (model([branch(nested(9))]), "nested too deeply"),
        (b"\xff" * 200, "more than 64 bits"),
        (b"no graph at all", "it"),
    ],
)
def test_what_no_bundle_holds(data: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=f"{path} is no graph of a bundle .*{fault}") as caught:
        OnnxFile.read(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_branches_are_no_loops(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(model([branch(nested(3))]))
    assert OnnxFile.read(tmp_path / "model.onnx").references == ()


def test_what_the_library_finds_is_what_is_found_here(tmp_path: Path) -> None:
    """In a real graph, whose weights are all put elsewhere."""
    from tests.export.exported import sew

    path = Path(shutil.copy(sew()[1].graph("model"), tmp_path / "model.onnx"))
    assert OnnxFile.read(path).references == ()
    found = onnx.load(path)
    onnx.save(found, path, save_as_external_data=True, location=DATA, size_threshold=0)
    (reference,) = OnnxFile.read(path).references
    assert (reference.location, reference.is_weight) == (DATA, True)
