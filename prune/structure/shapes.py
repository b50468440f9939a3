"""The shapes of a cut model in its configuration: written when it is saved, obeyed when opened."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from prune.families.groups import Group, Heads, Neurons, groups, groups_in, set_head_count, stacks
from speech.errors import BadInput

#: In config.json: group names with how many heads or neurons they have, where that differs from
#: what the configuration's own keys say.
KEY = "secateur_shapes"


def record_shapes(model: Any) -> None:
    """Write down where the model is smaller than its configuration.

    FFNs of one size in a whole stack are what the ordinary keys can say; those are set instead,
    so that `from_pretrained` opens the model without us.
    """
    shapes: dict[str, int] = {}
    for stack in stacks(model):
        inside = groups_in(model, stack)
        sizes = {group.count for group in inside if isinstance(group, Neurons)}
        if len(sizes) == 1:
            setattr(model.config, stack.neurons_key, sizes.pop())
        expected = {
            Neurons: getattr(model.config, stack.neurons_key),
            Heads: getattr(model.config, stack.heads_key),
        }
        shapes |= {g.name: g.count for g in inside if g.count != expected[type(g)]}
    if shapes:
        setattr(model.config, KEY, shapes)
    elif hasattr(model.config, KEY):
        delattr(model.config, KEY)


def needs_shaping(config: Any) -> bool:
    """Whether only we can open a checkpoint with this configuration."""
    return getattr(config, KEY, None) is not None


def built_to_shape(kind: Any, source: str) -> Any:
    """The model class, but with modules of the sizes that its configuration asks for.

    For `from_pretrained`, which makes the model with empty weights and then fills them in; give
    the model its plain class back afterwards. `source` is named in complaints.
    """

    def build(self: Any, config: Any, *args: Any, **settings: Any) -> None:
        kind.__init__(self, config, *args, **settings)
        _shape(self, getattr(config, KEY), source)

    return type(kind.__name__, (kind,), {"__init__": build, "__module__": kind.__module__})


def _shape(model: Any, shapes: object, source: str) -> None:
    known = groups(model)
    for name, count in _checked(shapes, known, source).items():
        group = known[name]
        for layer in group.inputs:
            _shrink(model.get_submodule(layer), rows=count * group.size)
        _shrink(model.get_submodule(group.output), columns=count * group.size)
        if isinstance(group, Heads):
            set_head_count(model.get_submodule(group.name), count)


def _checked(shapes: object, known: Mapping[str, Group], source: str) -> dict[str, int]:
    where = f"{source}/config.json: {KEY}"
    if not isinstance(shapes, Mapping):
        raise BadInput(f"{where} is not a table of names and counts: the file is damaged.")
    for name, count in shapes.items():
        if name not in known:
            raise BadInput(f"{where} names {name!r}, which this model lacks: the file is damaged.")
        whole = known[name].count
        if type(count) is not int or not 1 <= count <= whole:
            raise BadInput(
                f"{where} gives {name} the count {count!r}, not one from 1 to {whole}: "
                "the file is damaged."
            )
    return dict(shapes)


def _shrink(layer: nn.Linear, *, rows: int | None = None, columns: int | None = None) -> None:
    layer.weight = nn.Parameter(layer.weight.detach()[:rows, :columns].clone())
    if rows is not None and layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias.detach()[:rows].clone())
    layer.out_features, layer.in_features = layer.weight.shape
