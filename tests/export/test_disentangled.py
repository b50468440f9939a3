"""SEW-D's graphs against transformers, for every way in which its distances can be set."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from export.ctc_graph import write_ctc
from speech.errors import BadInput
from tests.prune.slicing import cut_all
from tests.prune.test_structure_slicing import random_hessians, some_of
from tests.tiny_models import CTC_SHAPE

#: The last one hears 149 positions, many times as far as any distance is told apart.
SAMPLES = (2_000, 3_777, 48_000)

NO_BUCKETS = {"position_buckets": -1, "max_position_embeddings": 16}
ONE_WAY = {"position_buckets": 8, "pos_att_type": ("p2c",), "share_att_key": False}


def sew_d(**settings: Any) -> Any:
    from transformers import SEWDConfig, SEWDForCTC

    model = SEWDForCTC(SEWDConfig(**CTC_SHAPE, **settings)).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.25, generator=generator)
    return model


def assert_the_graph_says_the_same(model: Any, path: Path) -> None:
    write_ctc(model, path)
    session = onnxruntime.InferenceSession(path)
    for count in SAMPLES:
        heard = torch.randn(1, count, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            expected = model(heard).logits.numpy()
        (found,) = session.run(None, {"input_values": heard.numpy()})
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 2e-4 < 0.5 < np.abs(expected).max()


@pytest.mark.long_but(str(NO_BUCKETS), str(ONE_WAY))
@pytest.mark.parametrize(
    "settings",
    [
        {"position_buckets": 8},
        {"position_buckets": 8, "max_position_embeddings": 20, "norm_rel_ebd": "none"},
        NO_BUCKETS,
        {"position_buckets": 8, "share_att_key": False},
        {"position_buckets": 8, "pos_att_type": ("c2p",), "squeeze_factor": 3},
        ONE_WAY,
    ],
)
def test_distances(settings: dict[str, Any], tmp_path: Path) -> None:
    assert_the_graph_says_the_same(sew_d(**settings), tmp_path / "model.onnx")


def test_distances_count(tmp_path: Path) -> None:
    """Without them these models would say something else: the tests above look at them."""
    model = sew_d(position_buckets=8)
    heard = torch.randn(1, SAMPLES[-1], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(heard).logits
        table = model.sew_d.encoder.encoder.rel_embeddings.weight
        table.copy_(table.roll(1, 0))
        assert (model(heard).logits - before).abs().max() > 0.1


@pytest.mark.long_but("True")
@pytest.mark.parametrize("shared", [True, False])
def test_layers_with_heads_of_their_own_count(shared: bool, tmp_path: Path) -> None:
    model = sew_d(position_buckets=8, share_att_key=shared)
    cut_all(model, some_of(model), random_hessians(model))
    assert_the_graph_says_the_same(model, tmp_path / "model.onnx")


def test_a_model_without_distances_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'sew-d' .* relative_attention"):
        write_ctc(sew_d(relative_attention=False), tmp_path / "model.onnx")
