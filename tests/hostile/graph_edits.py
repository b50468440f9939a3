"""Graphs that do not fit, never end, want all memory, or make onnxruntime compute nonsense."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.hostile.table_edits import Edits

Edit = Callable[[bytes], bytes]


def _model(edit: Callable[[Any], object]) -> Edit:
    def change(data: bytes) -> bytes:
        model = onnx.load_model_from_string(data)
        edit(model)
        made: bytes = model.SerializeToString()
        return made

    return change


def _port(kind: str, index: int, edit: Callable[[Any], object]) -> Edit:
    """An input or output of the graph says something else than before."""
    return _model(lambda model: edit(getattr(model.graph, kind)[index]))


def _named(kind: str, name: str) -> Edit:
    """Another name, in the whole graph."""

    def edit(model: Any) -> None:
        old = getattr(model.graph, kind)[0].name
        for value in (*model.graph.input, *model.graph.output):
            value.name = name if value.name == old else value.name
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [name if one == old else one for one in names]

    return _model(edit)


def _sizes(value: Any, sizes: Sequence[int]) -> None:
    value.type.tensor_type.shape.Clear()
    for size in sizes:
        value.type.tensor_type.shape.dim.add().dim_value = size


def _kind(value: Any, kind: int) -> None:
    value.type.tensor_type.elem_type = kind


def _first(
    *nodes: Any, weights: dict[str, Any] | None = None, functions: Sequence[Any] = ()
) -> Edit:
    """The graph's first input goes through these nodes, from `given` to `changed`."""

    def edit(model: Any) -> None:
        name = model.graph.input[0].name
        for node in model.graph.node:
            node.input[:] = ["changed" if one == name else one for one in node.input]
        for node in reversed(nodes):
            made = model.graph.node.add()
            made.CopyFrom(node)
            made.input[:] = [name if one == "given" else one for one in made.input]
        ordered = list(model.graph.node)
        count = len(nodes)
        ordered = ordered[-count:][::-1] + ordered[:-count]
        del model.graph.node[:]
        model.graph.node.extend(ordered)
        for key, value in (weights or {}).items():
            tensor = (
                value if isinstance(value, TensorProto) else numpy_helper.from_array(value, key)
            )
            model.graph.initializer.append(tensor)
        model.functions.extend(functions)

    return _model(edit)


def _op(kind: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def _wholes(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


def _huge(*shape: int) -> Edit:
    """A value of that shape is added to the input, all of it zeros."""
    return _first(
        _op("ConstantOfShape", "shape", "zeros"),
        _op("ReduceMax", "zeros", "zero", keepdims=0),
        _op("Add", "given zero", "changed"),
        weights={"shape": _wholes(*shape)},
    )


def _loop(count: int) -> Edit:
    body = helper.make_graph(
        [_op("Identity", "go", "goes"), _op("Add", "so_far so_far", "further")],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("so_far", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("further", TensorProto.FLOAT, None),
        ],
    )
    return _first(
        _op("Loop", "count true given", "changed", body=body),
        weights={"count": np.array(count), "true": np.array(True)},
    )


def _functions(depth: int) -> Edit:
    """Each calls the next one twice: 2^depth nodes when they are expanded."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    made = []
    for level in range(depth):
        inner = f"f{level + 1}" if level + 1 < depth else "Neg"
        domain = "own" if level + 1 < depth else ""
        nodes = [
            helper.make_node(inner, ["x"], ["y"], domain=domain),
            helper.make_node(inner, ["y"], ["z"], domain=domain),
        ]
        made.append(helper.make_function("own", f"f{level}", ["x"], ["z"], nodes, opsets))

    def edit(model: Any) -> None:
        model.opset_import.append(helper.make_opsetid("own", 1))

    first = _first(_op("f0", "given", "changed", domain="own"), functions=made)
    return lambda data: _model(edit)(first(data))


def _external(location: str) -> Edit:
    tensor = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return _first(_op("Add", "given zero", "changed"), weights={"zero": tensor})


def _weight(edit: Callable[[Any], object]) -> Edit:
    return _model(lambda model: edit(max(model.graph.initializer, key=lambda t: len(t.raw_data))))


def _dims(*sizes: int) -> Callable[[Any], None]:
    def edit(tensor: Any) -> None:
        tensor.dims[:] = sizes

    return edit


def _chain(count: int) -> Edit:
    names = ["given", *(f"step{i}" for i in range(count - 1)), "changed"]
    return _first(*(_op("Neg", f"{a} ", b) for a, b in itertools.pairwise(names)))


def _twice_as_long(times: int) -> Edit:
    """Of 2^times the size, and then as it was."""
    names = ["given", *(f"step{i}" for i in range(times))]
    return _first(
        *(_op("Concat", f"{a} {a}", b, axis=0) for a, b in itertools.pairwise(names)),
        _op("Slice", f"{names[-1]} zero one zero", "changed"),
        weights={"zero": _wholes(0), "one": _wholes(1)},
    )


def _by_zero(kind: str) -> Edit:
    return _first(
        _op("Shape", "given", "shape"),
        _op(kind, "shape nothing", "quotient"),
        _op("ReduceMax", "quotient", "most", keepdims=0),
        _op("Cast", "most", "float", to=TensorProto.FLOAT),
        _op("Add", "given float", "changed"),
        weights={"nothing": _wholes(0)},
    )


def _last(*nodes: Any, weights: dict[str, Any] | None = None) -> Edit:
    """What the graph gives first goes through these nodes, from `made` on, unannounced."""

    def edit(model: Any) -> None:
        name = model.graph.output[0].name
        for node in model.graph.node:
            node.output[:] = ["made" if one == name else one for one in node.output]
            node.input[:] = ["made" if one == name else one for one in node.input]
        for node in nodes:
            made = model.graph.node.add()
            made.CopyFrom(node)
            made.output[:] = [name if one == "given" else one for one in made.output]
        for key, value in (weights or {}).items():
            model.graph.initializer.append(numpy_helper.from_array(value, key))

    return _model(edit)


def _flipped(at: float) -> Edit:
    def change(data: bytes) -> bytes:
        place = int(len(data) * at)
        return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]

    return change


def _refused(**edits: Edit) -> Edits:
    return {name.replace("_", " "): (edit, False) for name, edit in edits.items()}


#: For every family.
BYTES = _refused(
    is_empty=lambda data: b"",
    is_zeros=lambda data: bytes(len(data)),
    is_cut_in_half=lambda data: data[: len(data) // 2],
    lacks_its_last_byte=lambda data: data[:-1],
    is_noise=lambda data: np.random.default_rng(0).bytes(5000),
    is_text=lambda data: b"graph g { }\n" * 100,
    has_too_many_parts=lambda data: data + b"\x08\x01" * 600_000,
)

MODEL: Edits = {
    **BYTES,
    **_refused(
        has_another_input=_named("input", "sound"),
        has_another_output=_named("output", "scores"),
        has_two_outputs=_model(lambda m: m.graph.output.add().CopyFrom(m.graph.input[0])),
        has_no_output=_model(lambda m: m.graph.output.pop()),
        takes_three_axes=_port("input", 0, lambda v: _sizes(v, [1, 1, 1])),
        takes_doubles=_port("input", 0, lambda v: _kind(v, TensorProto.DOUBLE)),
        takes_texts=_port("input", 0, lambda v: _kind(v, TensorProto.STRING)),
        takes_half_a_second=_port("input", 0, lambda v: _sizes(v, [1, 8000])),
        takes_two_at_once=_port("input", 0, lambda v: _sizes(v, [2, 8000])),
        loops_for_ever=_loop(2**62),
        has_functions_that_double=_functions(40),
        has_too_many_nodes=_chain(150_000),
        wants_an_operator_of_its_own=_first(_op("Steal", "given", "changed", domain="evil")),
        wants_an_unknown_operator=_first(_op("Steal", "given", "changed")),
        wants_terabytes=_huge(10**12),
        wants_exabytes=_huge(2**31, 2**31),
        wants_a_negative_size=_huge(-5),
        wants_forty_gigabytes=_huge(10**10),
        doubles_fifty_times=_twice_as_long(50),
        reads_a_file_beside=_external("vocab.json"),
        reads_the_passwords=_external("/etc/passwd"),
        reads_outside=_external("../../secret"),
        reads_memory=_external("*/_ORT_MEM_ADDR_/*"),
        has_another_opset=_model(lambda m: m.opset_import[0].__setattr__("version", 999)),
        has_another_version=_model(lambda m: m.__setattr__("ir_version", 999)),
        has_a_weight_of_2_to_the_62=_weight(_dims(2**31, 2**31)),
        has_a_weight_of_negative_size=_weight(_dims(-4, 5)),
        has_a_weight_with_40_axes=_weight(_dims(*[1] * 40)),
        has_a_weight_of_texts=_weight(lambda t: t.__setattr__("data_type", 8)),
        has_a_circle=_model(
            lambda m: m.graph.node[0].input.__setitem__(0, m.graph.node[0].output[0])
        ),
        has_a_name_of_a_megabyte=_named("input", "x" * 1_000_000),
        has_a_name_with_escapes=_named("output", "\x1b]0;owned\x07\r"),
        gives_numbers_that_are_none=_last(
            _op("Div", "made nothing", "infinite"),
            _op("Sub", "infinite infinite", "given"),
            weights={"nothing": np.zeros((), np.float32)},
        ),
        gives_one_number=_last(_op("ReduceMax", "made", "given", keepdims=0)),
        gives_other_symbols=_last(
            _op("Concat", "made made", "given", axis=2),
        ),
        gives_too_many_frames=_last(
            _op("Tile", "made times", "given"), weights={"times": _wholes(1, 100_000, 1)}
        ),
        looks_up_what_is_not_there=_first(
            _op("Gather", "given far", "one", axis=1),
            _op("Add", "given one", "changed"),
            weights={"far": np.array(10**15)},
        ),
        is_reshaped_to_nothing=_first(
            _op("Reshape", "given shape", "changed"), weights={"shape": _wholes(7, 0, -1)}
        ),
        is_padded_by_a_terabyte=_first(
            _op("Pad", "given pads", "changed"), weights={"pads": _wholes(0, 0, 0, 10**12)}
        ),
        divides_by_zero=_by_zero("Div"),
        takes_the_rest_of_zero=_by_zero("Mod"),
    ),
}

_MELS = lambda value: _sizes(value, [1, 40, 400])  # noqa: E731

ENCODER: Edits = _refused(
    takes_other_bands=_port("input", 0, _MELS),
    takes_whole_numbers=_port("input", 0, lambda v: _kind(v, TensorProto.INT64)),
    gives_another_name=_named("output", "cross_key_9"),
    gives_less=_model(lambda m: m.graph.output.pop()),
    gives_three_axes=_last(_op("Squeeze", "made", "given")),
    wants_terabytes=_huge(10**12),
)

DECODER: Edits = _refused(
    takes_another_name=_named("input", "words"),
    takes_small_numbers=_port("input", 0, lambda v: _kind(v, TensorProto.INT32)),
    has_a_cache_without_heads=_port("input", 1, lambda v: _sizes(v, [1, 0, 1, 8])),
    has_a_cache_of_any_heads=_port(
        "input", 1, lambda v: v.type.tensor_type.shape.dim[1].__setattr__("dim_param", "heads")
    ),
    has_a_cache_of_2_to_the_40_heads=_port("input", 1, lambda v: _sizes(v, [1, 2**40, 1, 8])),
    wants_other_cross_values=_port("input", 5, lambda v: _sizes(v, [1, 4, 16, 100])),
    gives_logits_last=_model(
        lambda m: (m.graph.output.add().CopyFrom(m.graph.output[0]), m.graph.output.__delitem__(0))
    ),
    gives_one_logit=_last(_op("ReduceMax", "made", "given", keepdims=0)),
    keeps_nothing=_model(lambda m: m.graph.output.pop()),
)
# What a graph says about its outputs onnxruntime sets right where it can tell.
DECODER["says fewer words"] = (_port("output", 0, lambda v: _sizes(v, [1, 100])), True)
DECODER["says three axes"] = (_port("output", 0, lambda v: _sizes(v, [1, 1, 292])), True)

GRAPHS = [
    ("ctc", "onnx/model.onnx", MODEL),
    ("whisper", "onnx/encoder.onnx", ENCODER),
    ("whisper", "onnx/decoder.onnx", DECODER),
    ("packed", "onnx/decoder.onnx", BYTES),
]
