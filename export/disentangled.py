"""SEW-D's attention, whose scores also depend on how far apart two positions are.

What the distance adds to a score is a bias of the fused operator. Distances are looked up in a
table that PyTorch's own arithmetic has filled: another logarithm might round to another bucket.
"""

from typing import Any

import torch
from torch import Tensor, nn

from export.fused_attention import OPERATOR


class Distances(nn.Module):
    """For every two positions the row of the table of distances that they are answered from."""

    buckets: Tensor

    def __init__(self, encoder: Any):
        from transformers.models.sew_d.modeling_sew_d import build_relative_position

        super().__init__()
        span = encoder.position_buckets
        if span <= 0:
            span = encoder.max_relative_positions
        # Beyond twice the largest position every distance is in the last bucket.
        self.farthest = 2 * max(encoder.max_relative_positions, span)
        positions = build_relative_position(
            2 * self.farthest + 1, 1, encoder.position_buckets, encoder.max_relative_positions
        )
        behind = positions[0, : self.farthest + 1, 0]
        found = torch.cat([-behind[1:].flip(0), behind])
        self.register_buffer("buckets", (found + span).clamp(0, 2 * span - 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Of shape (positions, positions)."""
        places = torch.arange(hidden.shape[1])
        apart = (places[:, None] - places[None]).clamp(-self.farthest, self.farthest)
        found: Tensor = self.buckets[apart + self.farthest]
        return found


class DisentangledAttention(nn.Module):
    """Takes the place of the module that gives what an attention has gathered, not yet projected.

    Head counts come from the weights, so layers may differ in them.
    """

    def __init__(self, attention: Any):
        super().__init__()
        self.attention = attention
        self._size = int(attention.attention_head_size)
        kinds = sum(kind in attention.pos_att_type for kind in ("c2p", "p2c"))
        self._scale = (self._size * (1 + kinds)) ** -0.5

    def forward(
        self,
        hidden_states: Tensor,
        _: None,
        *,
        relative_pos: Tensor,
        rel_embeddings: Tensor,
        **__: Any,
    ) -> tuple[Tensor, None]:
        attention: Any = self.attention
        query, key = attention.query_proj(hidden_states), attention.key_proj(hidden_states)
        bias = self._bias(query, key, relative_pos, rel_embeddings)
        joined = torch.onnx.ops.symbolic(
            OPERATOR,
            [query, key, attention.value_proj(hidden_states), None, None, bias],
            {"num_heads": query.shape[-1] // self._size, "scale": self._scale},
            dtype=query.dtype,
            shape=query.shape,
            version=1,
        )
        return joined, None

    def _bias(self, query: Tensor, key: Tensor, distances: Tensor, table: Tensor) -> Tensor:
        """(1, heads, positions, positions): from content to place, and from place to content."""
        attention: Any = self.attention
        if attention.share_att_key:
            to_place, to_content = attention.key_proj, attention.query_proj
        else:
            to_place = getattr(attention, "pos_key_proj", None)
            to_content = getattr(attention, "pos_query_proj", None)
        parts = []
        if "c2p" in attention.pos_att_type:
            parts.append(self._looked_up(query, to_place(table), distances))
        if "p2c" in attention.pos_att_type:
            parts.append(self._looked_up(key, to_content(table), distances.T).transpose(-1, -2))
        bias: Tensor = sum(parts[1:], parts[0]) * self._scale
        return bias

    def _looked_up(self, content: Tensor, places: Tensor, distances: Tensor) -> Tensor:
        scores = self._split(content) @ self._split(places).transpose(-1, -2)
        heads, positions = scores.shape[1], scores.shape[2]
        return scores.gather(-1, distances[None, None].expand(1, heads, positions, positions))

    def _split(self, joined: Tensor) -> Tensor:
        """(1, heads, positions, size)."""
        parts: Tensor = joined.unflatten(-1, (-1, self._size))
        return parts.transpose(1, 2)
