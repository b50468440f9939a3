"""What can be cut out whole: where each block keeps its heads and FFN neurons, by layer names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from speech.errors import BadInput


@dataclass(frozen=True)
class Heads:
    """The heads of one attention: rows of `inputs`, columns of `output`."""

    #: The module that splits its inputs into heads.
    name: str
    count: int
    #: Rows of each input layer, and columns of the output layer, that make one head.
    size: int
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Neurons:
    """The hidden neurons of one feed-forward part: rows of `inputs`, columns of `output`."""

    #: The layer whose outputs they are.
    name: str
    count: int
    inputs: tuple[str, ...]
    output: str

    @property
    def size(self) -> int:
        """Columns of the output layer that make one neuron."""
        return 1


Group = Heads | Neurons


@dataclass(frozen=True)
class Stack:
    """A row of transformer blocks, and the keys of the configuration that say how it is built."""

    #: The module list.
    name: str
    depth_key: str
    heads_key: str
    neurons_key: str


#: By `model_type`; `{base}` is the name of the model inside the one with a head.
_STACKS = {
    "whisper": (
        Stack(
            "model.encoder.layers", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"
        ),
        Stack(
            "model.decoder.layers", "decoder_layers", "decoder_attention_heads", "decoder_ffn_dim"
        ),
    ),
    **{
        kind: (Stack(name, "num_hidden_layers", "num_attention_heads", "intermediate_size"),)
        for kind, name in (
            ("sew", "sew.encoder.layers"),
            ("sew-d", "sew_d.encoder.encoder.layer"),
            ("wav2vec2", "wav2vec2.encoder.layers"),
        )
    },
}

#: A block's attentions as (module, its inputs, output layer), and its feed-forward layers.
_ATTENTIONS = (
    *(
        (name, ("q_proj", "k_proj", "v_proj"), f"{name}.out_proj")
        for name in ("self_attn", "encoder_attn", "attention")
    ),
    (
        "attention.self",
        ("query_proj", "key_proj", "value_proj", "pos_key_proj", "pos_query_proj"),
        "attention.output.dense",
    ),
)
_FEED_FORWARDS = (
    ("fc1", "fc2"),
    ("feed_forward.intermediate_dense", "feed_forward.output_dense"),
    ("intermediate.dense", "output.dense"),
)


def stacks(model: Any) -> tuple[Stack, ...]:
    """The encoder's blocks, then the decoder's if there is one."""
    try:
        return _STACKS[model.config.model_type]
    except KeyError:
        raise BadInput(
            f"Where a {model.config.model_type!r} model keeps its heads and neurons is not known: "
            f"structured pruning takes {', '.join(_STACKS)}."
        ) from None


def blocks(model: Any, stack: Stack) -> list[str]:
    """Names of a stack's transformer blocks, in their order."""
    return [f"{stack.name}.{i}" for i in range(len(model.get_submodule(stack.name)))]


def groups(model: Any) -> dict[str, Group]:
    """All that can be cut, by name, in the order in which the model runs it."""
    found: dict[str, Group] = {}
    for block in _all_blocks(model):
        found |= {heads.name: heads for heads in _heads_of(model, block)}
        found |= {neurons.name: neurons for neurons in _neurons_of(model, block)}
    return found


def groups_in(model: Any, stack: Stack) -> list[Group]:
    """The groups of one stack."""
    inside = f"{stack.name}."
    return [group for name, group in groups(model).items() if name.startswith(inside)]


def set_head_count(attention: Any, count: int) -> None:
    """Tell an attention module into how many heads it now splits its inputs."""
    if hasattr(attention, "num_attention_heads"):
        attention.num_attention_heads = count
        attention.all_head_size = count * attention.attention_head_size
    else:
        attention.num_heads = count


def _head_size(attention: Any) -> int:
    named = hasattr(attention, "attention_head_size")
    return int(attention.attention_head_size if named else attention.head_dim)


def _all_blocks(model: Any) -> Iterator[str]:
    for stack in stacks(model):
        yield from blocks(model, stack)


def _heads_of(model: Any, block: str) -> Iterator[Heads]:
    for name, inputs, output in _ATTENTIONS:
        attention = _submodule(model, f"{block}.{name}")
        present = tuple(
            child for child in inputs if isinstance(_child(attention, child), nn.Linear)
        )
        if not present:
            continue
        size = int(
            getattr(attention, "attention_head_size", 0) or getattr(attention, "head_dim", 0)
        )
        rows = int(attention.get_submodule(present[0]).weight.shape[0])
        yield Heads(
            name=f"{block}.{name}",
            count=rows // size,
            size=size,
            inputs=tuple(f"{block}.{name}.{child}" for child in present),
            output=f"{block}.{output}",
        )


def _neurons_of(model: Any, block: str) -> Iterator[Neurons]:
    for first, last in _FEED_FORWARDS:
        layer = _submodule(model, f"{block}.{first}")
        if isinstance(layer, nn.Linear):
            name = f"{block}.{first}"
            yield Neurons(name, int(layer.weight.shape[0]), (name,), f"{block}.{last}")


def _submodule(model: Any, name: str) -> Any:
    """The module of that name, or None."""
    for part in name.split("."):
        model = _child(model, part)
    return model


def _child(module: Any, name: str) -> Any:
    return None if module is None else module._modules.get(name)
