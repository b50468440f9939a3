"""A packed checkpoint is the same model in fewer bytes, and comes back as transformers knows it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import SEWForCTC, WhisperForConditionalGeneration

from export.packed_checkpoint import load, pack_checkpoint
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.groups import Heads, Neurons, groups
from prune.packed_weights import PACKED_WEIGHTS, PLAIN_WEIGHTS
from prune.schedule import prune
from runtime.archive import pack
from runtime.packed.reader import PackedFile
from runtime.packed.rounded import VALUES, Values
from runtime.packed.writer import Packed
from speech.errors import BadInput
from tests.prune.slicing import cut_all
from tests.runtime.archives import small_bundle
from tests.runtime.graphs import empty_graph


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo-whisper with 70 % zeros, as `secateur prune` leaves it."""
    checkpoint = open_checkpoint("demo-whisper")
    prune(checkpoint, "mp_global", 0.7, None)
    folder = tmp_path_factory.mktemp("pruned") / "plain"
    checkpoint.save(folder)
    (folder / "pruning.json").write_text('{"method": "mp_global"}')
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = open_checkpoint(str(folder)).model.state_dict()
    return state


def heard(model: Any) -> torch.Tensor:
    """Logits of some noise."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        if model.config.model_type != "whisper":
            answer = model(torch.randn(1, 12_000, generator=generator))
        else:
            frames = 2 * model.config.max_source_positions
            features = torch.randn(1, model.config.num_mel_bins, frames, generator=generator)
            answer = model(features, decoder_input_ids=torch.tensor([[1, 5, 9]]))
    logits: torch.Tensor = answer.logits
    return logits


def ideal_size(plain: Path, packed: Packed, value: int) -> float:
    """A bit for each weight of the sparse arrays and a value for those that are not zero."""
    arrays = dict(PackedFile.open(plain / PLAIN_WEIGHTS).items())
    sparse = [array for name, array in arrays.items() if name in packed.sparse]
    others = sum(array.size for name, array in arrays.items() if name not in packed.sparse)
    return sum(a.size / 8 + value * np.count_nonzero(a) for a in sparse) + value * others


@pytest.mark.parametrize("zstd", [None, 3])
def test_no_bit_is_lost_and_a_zero_takes_one(
    pruned: Path, tmp_path: Path, zstd: int | None
) -> None:
    packed = pack_checkpoint(pruned, tmp_path / "packed", zstd=zstd)
    before, after = weights(pruned), weights(tmp_path / "packed")
    assert before.keys() == after.keys()
    for name, weight in before.items():
        bits = after[name].view(torch.int32)
        assert torch.equal(bits, weight.view(torch.int32)), name
    size = (tmp_path / "packed" / PACKED_WEIGHTS).stat().st_size
    assert size == packed.size < 0.45 * (pruned / PLAIN_WEIGHTS).stat().st_size
    ideal = ideal_size(pruned, packed, 4)
    assert (ideal <= size or zstd) and size <= 1.02 * ideal
    assert len(packed.sparse) > 20
    others = {path.name for path in pruned.iterdir()} - {PLAIN_WEIGHTS}
    assert {p.name for p in (tmp_path / "packed").iterdir()} == others | {PACKED_WEIGHTS}
    for name in others:
        assert (tmp_path / "packed" / name).read_bytes() == (pruned / name).read_bytes()


def test_half_precision_rounds_each_weight_once(pruned: Path, tmp_path: Path) -> None:
    packed = pack_checkpoint(pruned, tmp_path / "packed", values="fp16")
    after = weights(tmp_path / "packed")
    for name, weight in weights(pruned).items():
        assert torch.equal(after[name], weight.half().float()), name
        assert after[name].dtype == torch.float32
        assert not after[name][weight == 0].any()
    assert packed.size <= 1.02 * ideal_size(pruned, packed, 2)


def test_int8_rounds_matrices_alone(pruned: Path, tmp_path: Path) -> None:
    packed = pack_checkpoint(pruned, tmp_path / "packed", values="int8")
    after = weights(tmp_path / "packed")
    for name, weight in weights(pruned).items():
        assert not after[name][weight == 0].any()
        if weight.ndim == 1:
            assert torch.equal(after[name], weight), name
            continue
        rows, near = weight.flatten(1), after[name].flatten(1)
        step = rows.abs().amax(1, keepdim=True) / 127
        assert ((near - rows).abs() <= 0.5001 * step).all(), name
        assert max(len(row.unique()) for row in near[:9]) <= 255
    assert packed.size < 0.14 * (pruned / PLAIN_WEIGHTS).stat().st_size


@pytest.mark.parametrize("values", VALUES)
def test_a_dense_model_gets_no_larger(
    tiny_checkpoint: Checkpoint, values: Values, tmp_path: Path
) -> None:
    plain = Path(tiny_checkpoint.source)
    packed = pack_checkpoint(plain, tmp_path / "packed", values=values)
    assert packed.size <= (plain / PLAIN_WEIGHTS).stat().st_size
    opened = open_checkpoint(str(tmp_path / "packed"))
    if values == "fp32":
        assert torch.equal(heard(opened.model), heard(tiny_checkpoint.model))
        for own, other in zip(opened.model.buffers(), tiny_checkpoint.model.buffers(), strict=True):
            assert torch.equal(own, other)


def test_it_speaks_as_it_was_told_to(tiny_multilingual: Checkpoint, tmp_path: Path) -> None:
    plain = Path(tiny_multilingual.source)
    pack_checkpoint(plain, tmp_path / "packed")
    opened = open_checkpoint(str(tmp_path / "packed")).model
    assert opened.generation_config == tiny_multilingual.model.generation_config
    assert opened.name_or_path == str(tmp_path / "packed")
    opened.config.name_or_path = str(plain)
    assert opened.config.to_dict() == tiny_multilingual.model.config.to_dict()
    assert not opened.training


def test_tied_weights_lie_there_once_and_are_tied_again(pruned: Path, tmp_path: Path) -> None:
    pack_checkpoint(pruned, tmp_path / "packed")
    names = PackedFile.open(tmp_path / "packed" / PACKED_WEIGHTS).names()
    assert "model.decoder.embed_tokens.weight" in names and "proj_out.weight" not in names
    opened = open_checkpoint(str(tmp_path / "packed")).model
    assert opened.proj_out.weight is opened.model.decoder.embed_tokens.weight


@pytest.mark.parametrize("family", ["whisper", "sew"])
def test_layers_of_uneven_sizes(family: str, tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    cut = open_checkpoint(str(tiny_folders[family]))
    known = groups(cut.model)
    neurons = next(name for name, group in known.items() if isinstance(group, Neurons))
    heads = next(name for name, group in known.items() if isinstance(group, Heads))
    cut_all(cut.model, {neurons: range(5, 40), heads: [0, 3, 1]})
    cut.save(tmp_path / "cut")
    pack_checkpoint(tmp_path / "cut", tmp_path / "packed")
    opened = load(tmp_path / "packed").model
    assert torch.equal(heard(opened), heard(cut.model))
    assert groups(opened)[neurons].count == 35 and groups(opened)[heads].count == 3


def bundle_of(checkpoint: Path, folder: Path) -> Path:
    """A bundle of which only the checkpoint is real."""
    parts = {f"pytorch/{path.name}": path.read_bytes() for path in checkpoint.iterdir()}
    return small_bundle(
        folder, {"onnx/model.onnx": empty_graph(), "vocab.json": b"{}"} | parts
    ).folder


@pytest.mark.parametrize(
    ("family", "kind"), [("sew", SEWForCTC), ("whisper", WhisperForConditionalGeneration)]
)
def test_what_is_loaded_is_what_transformers_opens(
    family: str, kind: Any, tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    plain = tiny_folders[family]
    pack_checkpoint(plain, tmp_path / "packed")
    pack(bundle_of(plain, tmp_path / "bundle"), tmp_path / "bundle.secateur")
    pack(bundle_of(tmp_path / "packed", tmp_path / "small"), tmp_path / "small.secateur")
    before = heard(open_checkpoint(str(plain)).model)
    for name in ("packed", "bundle", "bundle.secateur", "small.secateur"):
        loaded = load(tmp_path / name)
        assert loaded.source == str(tmp_path / name)
        assert torch.equal(heard(loaded.model), before)
    loaded.save(tmp_path / "out")
    model, report = kind.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values())
    assert torch.equal(heard(model), before)


def test_places_and_sources_that_will_not_do(tiny_sew: Checkpoint, tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    shutil.copytree(tiny_sew.source, plain)
    pack_checkpoint(plain, packed)

    def complain(sentence: str, source: Path, folder: Path) -> None:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(BadInput, match=sentence) as caught:
            pack_checkpoint(source, folder)
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before

    complain("not an empty folder", plain, packed)
    complain("in the checkpoint itself", plain, plain / "packed")
    complain("packed already", packed, tmp_path / "out")
    complain(r"no config\.json", tmp_path, tmp_path / "out")
    whole = (plain / PLAIN_WEIGHTS).read_bytes()
    (plain / PLAIN_WEIGHTS).write_bytes(whole[:5000])
    complain("no sound safetensors file", plain, tmp_path / "out")
    (plain / PLAIN_WEIGHTS).unlink()
    complain(r"no model\.safetensors", plain, tmp_path / "out")
    (packed / PLAIN_WEIGHTS).write_bytes(whole)
    complain("delete the file that you do not want", packed, tmp_path / "out")
    with pytest.raises(BadInput, match="delete the file that you do not want"):
        open_checkpoint(str(packed))
    shutil.rmtree(bundle_of(packed, tmp_path / "bundle") / "pytorch")
    with pytest.raises(BadInput, match=f"{tmp_path}/bundle has no PyTorch checkpoint in it"):
        load(tmp_path / "bundle")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def forget_a_weight(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"fc1.weight", b"fc1.wright"))


def unparse(path: Path) -> None:
    path.write_text("{")


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        (PACKED_WEIGHTS, shorten, f"{PACKED_WEIGHTS} is no sound safetensors file"),
        (PACKED_WEIGHTS, forget_a_weight, "has weights that its configuration does not know"),
        ("generation_config.json", unparse, r"generation_config\.json cannot be read .*: copy it"),
        ("config.json", unparse, r"config\.json is not a configuration"),
    ],
)
def test_damage_is_one_sentence(
    name: str,
    spoil: Callable[[Path], None],
    sentence: str,
    tiny_whisper: Checkpoint,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "packed"
    pack_checkpoint(Path(tiny_whisper.source), folder)
    spoil(folder / name)
    with pytest.raises(BadInput, match=sentence) as caught:
        load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_a_packed_file_of_another_model(
    tiny_whisper: Checkpoint, tiny_sew: Checkpoint, tmp_path: Path
) -> None:
    for checkpoint in (tiny_whisper, tiny_sew):
        pack_checkpoint(Path(checkpoint.source), tmp_path / checkpoint.family)
    shutil.copyfile(tmp_path / "ctc" / PACKED_WEIGHTS, tmp_path / "whisper" / PACKED_WEIGHTS)
    with pytest.raises(BadInput, match="has no decoder, so the model cannot give text"):
        load(tmp_path / "whisper")
    config = json.loads((tmp_path / "ctc" / "config.json").read_text())
    (tmp_path / "ctc" / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(BadInput, match="its weights do not load"):
        load(tmp_path / "ctc")
