"""Attention as onnxruntime's own operator: faster and much leaner in memory than its parts.

PyTorch cannot run it; these functions only stand in a module that is traced. Head counts come
from the weights, so layers may differ in them.
"""

from typing import Any

import torch
from torch import Tensor, nn

OPERATOR = "com.microsoft::MultiHeadAttention"


def heads(attention: Any) -> int:
    return int(attention.q_proj.weight.shape[0]) // int(attention.head_dim)


def settings(attention: Any) -> dict[str, Any]:
    """The operator's attributes."""
    return {"num_heads": heads(attention), "scale": float(attention.scaling)}


def attend(attention: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Every position with every other, and the output projection.

    What is given is projected, of shape (1, time, heads × size).
    """
    joined = torch.onnx.ops.symbolic(
        OPERATOR,
        [query, key, value],
        settings(attention),
        dtype=query.dtype,
        shape=query.shape,
        version=1,
    )
    out: Tensor = attention.out_proj(joined)
    return out


class FusedAttention(nn.Module):
    """Takes the place of an attention module in the encoders of SEW and wav2vec 2.0."""

    def __init__(self, attention: Any):
        super().__init__()
        self.attention = attention

    def forward(self, hidden_states: Tensor, **_: Any) -> tuple[Tensor, None]:
        attention: Any = self.attention
        query, key = attention.q_proj(hidden_states), attention.k_proj(hidden_states)
        return attend(attention, query, key, attention.v_proj(hidden_states)), None
