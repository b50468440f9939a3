"""pack, unpack, inspect and verify as a user calls them, on bundles that work and that do not."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

from export.bundle import write_bundle
from export.variant import write_variant
from prune.checkpoint import open_checkpoint
from runtime.bundle import Bundle, BundleFile, Manifest, Sparsity
from runtime.rules import WhisperRules
from speech.score import Score
from tests.export.exported import noise, sew, whisper
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.test_prune_command import small_disk
from tests.runtime.archives import everything

COMMANDS = ("pack", "unpack", "inspect", "verify")
FAMILIES: dict[str, Callable[[], Any]] = {"whisper": whisper, "ctc": sew}


@pytest.fixture(params=FAMILIES)
def bundle(request: pytest.FixtureRequest) -> Path:
    """Each family in turn; not to be written to."""
    return bundle_of(request.param)


def bundle_of(family: str) -> Path:
    folder: Path = FAMILIES[family]()[1].folder
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    def copy(family: str) -> Path:
        return Path(shutil.copytree(bundle_of(family), tmp_path / family))

    return copy


def rewritten(folder: Path, **changes: object) -> Path:
    """The manifest with these changes, and with the hashes of the files as they are now."""
    path = folder / "bundle.json"
    manifest = Manifest.from_json(json.loads(path.read_text()), "")
    files = tuple(BundleFile.of(folder, file.path) for file in manifest.files)
    path.write_text(json.dumps(replace(manifest, files=files, **changes).to_json()))
    return folder


def said(*words: str) -> str:
    done = secateur(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress bars in a pipe"
    return done.stdout


def test_a_bundle_goes_through_a_file_and_comes_out(bundle: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "packed.secateur", tmp_path / "out"
    assert f"packed into {file}" in said("pack", str(bundle), "-o", str(file))
    assert f"unpacked into {out}: the bundle 'tiny'" in said("unpack", str(file), "-o", str(out))
    assert everything(out) == everything(bundle)
    assert f"{file} is whole" in said("verify", str(file))
    assert f"{out} is whole" in said("verify", str(out))


def test_without_a_place_it_is_here(
    copied: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = copied("ctc").rename(tmp_path / "a.b-50")
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    said("pack", str(bundle))
    assert_one_sentence(secateur("pack", str(bundle)), "a.b-50.secateur exists", "--replace")
    said("pack", str(bundle), "--replace", "--device-only")
    said("unpack", "a.b-50.secateur")
    assert sorted(path.name for path in place.iterdir()) == ["a.b-50", "a.b-50.secateur"]
    assert not (place / "a.b-50" / "pytorch").exists()
    assert_one_sentence(secateur("unpack", "a.b-50.secateur"), "a.b-50", "not an empty folder")


def test_the_table_says_what_a_bundle_is(bundle: Path, tmp_path: Path) -> None:
    table = said("inspect", str(bundle))
    manifest = Bundle.open(bundle).manifest
    for fact in (f"{manifest.family} ({manifest.architecture}), fp32", "dense", "not measured"):
        assert fact in table
    rows = {words[0]: words for line in table.splitlines() if (words := line.split())}
    assert rows["seed"] == ["seed", "0"]
    for file in manifest.files:
        row = rows[file.path]
        assert f"{file.size:,}" in row or "MiB" in row
        assert row[-1] == ("no" if file.path.startswith("pytorch/") else "yes")
    file = tmp_path / "packed"
    said("pack", str(bundle), "--device-only", "-o", str(file))
    assert "left out" in (packed := said("inspect", str(file))) and "packed " in packed


def test_the_table_fits_into_80_columns(copied: Callable[[str], Path]) -> None:
    provenance = {"parent": "0123456789abcdef" * 4, "versions": {"onnx": "1.23.2"}, "seed": 0}
    bundle = rewritten(copied("whisper"), provenance=provenance)
    lines = [line.rstrip() for line in said("inspect", str(bundle), "--sizes").splitlines()]
    assert max(map(len, lines)) <= 80
    assert f"sha256         {Bundle.open(bundle).sha256[:16]}…" in lines
    assert "parent bundle  0123456789abcdef…" in lines
    assert ["weights", "encoder", "decoder", "pytorch", "all"] in [row.split() for row in lines]
    for name in ("on disk", "sent, in zstd", "in memory, dense", "bitmask and values", "COO"):
        (row,) = (line.strip() for line in lines if line.strip().startswith(name))
        assert len(re.findall(r"[\d,.]+ (?:bytes|MiB)", row)) == 4


def test_sizes_are_those_of_the_files_and_of_other_forms(bundle: Path, tmp_path: Path) -> None:
    file, small = tmp_path / "packed.secateur", tmp_path / "small"
    said("pack", str(bundle), "-o", str(file))
    of_folder, of_file = (
        json.loads(said("inspect", str(path), "--sizes", "--json"))["sizes"]
        for path in (bundle, file)
    )
    assert of_folder == of_file
    assert list(of_folder) == [*Bundle.open(bundle).manifest.graphs, "pytorch", "all"]
    assert of_folder["all"]["transfer"] < file.stat().st_size
    plain = bundle / "pytorch" / "model.safetensors"
    weights = load_file(plain).values()
    found = of_folder["pytorch"]
    assert found["on_disk"] == plain.stat().st_size >= found["packed"]
    assert found["in_memory"] == sum(weight.nbytes for weight in weights)
    values = [int((weight.view(torch.int32) != 0).sum()) for weight in weights]
    assert found["coo"] == sum(n * (8 * w.ndim + 4) for n, w in zip(values, weights, strict=True))
    assert 0 < found["gzip"] < found["in_memory"] < found["csr"]
    write_variant(Bundle.open(bundle), small, "fp16", name="small")
    of_small = json.loads(said("inspect", str(small), "--sizes", "--json"))["sizes"]
    for role, graph in Bundle.open(small).manifest.graphs.items():
        sizes = [(small / graph).with_suffix(end).stat().st_size for end in (".onnx", ".weights")]
        assert of_small[role]["on_disk"] == sum(sizes)
        assert sizes[1] <= of_small[role]["packed"] < sum(sizes)
        assert of_small[role]["in_memory"] == of_folder[role]["in_memory"], "it is fp32 there"
    assert json.loads(said("inspect", str(bundle), "--json"))["sizes"] is None


def test_json_says_the_same_of_folder_and_file(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "packed"
    said("pack", str(bundle), "-o", str(file))
    of_folder, of_file = (json.loads(said("inspect", str(p), "--json")) for p in (bundle, file))
    assert of_file.pop("archive_bytes") == file.stat().st_size
    assert of_folder.pop("archive_bytes") is None
    assert (of_folder.pop("bundle"), of_file.pop("bundle")) == (str(bundle), str(file))
    assert of_folder == of_file
    assert of_file["sha256"] == Bundle.open(bundle).sha256
    assert of_file["bytes"] == sum(entry["size"] for entry in of_file["files"])
    assert of_file["device_bytes"] == sum(f.size for f in Bundle.open(bundle).device_files)


def test_scores_and_strange_texts(copied: Callable[[str], Path]) -> None:
    score = Score(0.0423, 0.03, 0.057, 0.02, 20, 2, 2, 200, 567, "basic")
    sparsity = Sparsity(None, 0.5, 0.25, {})
    provenance = {"model": "x\x1b[2J", "seed": [1], "versions": {"torch": "2"}, "parent": 7}
    bundle = rewritten(copied("ctc"), score=score, sparsity=sparsity, provenance=provenance)
    table = " ".join(said("inspect", str(bundle)).split())
    assert "4.23 % (95 %: 3.00 to 5.70) on 200 clips, normaliser basic" in table
    assert "– asked for, 50.0 % of the prunable weights, 25.0 % of the model" in table
    assert "\x1b" not in table and r"x\x1b[2J" in table
    rewritten(bundle, score=None, provenance={"versions": "new"})
    assert "not measured" in said("inspect", str(bundle))


def test_a_sound_bundle_is_compared_with_its_checkpoint(bundle: Path) -> None:
    done = secateur("verify", str(bundle), "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["graphs"] == sorted(Bundle.open(bundle).manifest.graphs)
    assert record["files"] == len(Bundle.open(bundle).manifest.files)
    assert record["not_compared"] is None
    parity = record["parity"]
    assert (parity["clips"], parity["corpus"], parity["ties"]) == (8, "demo:test", 0)
    assert parity["decisions"] > 8 and 0 < parity["largest_difference"] < 1e-3
    assert "It says what PyTorch says on 8 clips of demo:test" in said("verify", str(bundle))


def test_other_clips(bundle: Path, tmp_path: Path) -> None:
    corpus = write_noise(tmp_path / "corpus", (1, 2, 5))
    record = json.loads(said("verify", str(bundle), "--clips", str(corpus), "--json"))
    assert record["parity"]["clips"] == 3
    done = secateur("verify", str(bundle), "--clips", "dmeo")
    assert_one_sentence(done, "dmeo", "did you mean 'demo'")


def test_what_cannot_be_compared_is_said(
    copied: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, file = copied("ctc"), tmp_path / "packed"
    said("pack", str(bundle), "--device-only", "-o", str(file))
    assert "not compared with PyTorch: the PyTorch checkpoint is not in" in said(
        "verify", str(file)
    )
    with monkeypatch.context() as patched:
        patched.setenv("SECATEUR_ASSETS", str(tmp_path / "none"))
        assert "not compared with PyTorch: there are no clips" in said("verify", str(bundle))
        corpus = write_noise(tmp_path / "corpus", (1,))
        assert "on 1 clip of" in said("verify", str(bundle), "--clips", str(corpus))
    with monkeypatch.context() as patched:
        patched.setattr(
            "pipeline.commands.verify_checks.find_spec", lambda name: None if name == "torch" else 1
        )
        record = json.loads(said("verify", str(bundle), "--json"))
        assert (record["parity"], record["not_compared"]) == (None, "torch is not installed here")
    rewritten(bundle, precision="int8")
    assert "its graphs are rounded to int8" in said("verify", str(bundle))


def test_a_checkpoint_with_a_file_that_no_hash_was_checked_of(
    copied: Callable[[str], Path],
) -> None:
    """transformers reads what it finds."""
    bundle = copied("ctc")
    (bundle / "pytorch" / "adapter_config.json").write_text("{}")
    told = "has pytorch/adapter_config.json, which its bundle.json does not list"
    assert_one_sentence(secateur("verify", str(bundle)), str(bundle), told)
    (bundle / "pytorch" / "adapter_config.json").unlink()
    (bundle / "README.md").write_text("It may have a card.")
    said("verify", str(bundle))


def test_the_language_of_the_export_is_found_again(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(tiny_folders["whisper-multilingual"]))
    bundle = write_bundle(
        checkpoint,
        tmp_path / "german",
        name="german",
        method="dense",
        sparsity=Sparsity(None, 0.0, 0.0, {}),
        score=None,
        provenance={},
        parity_clips=[noise(90, 2.0)],
        language="de",
        task="translate",
    )
    assert json.loads(said("verify", str(bundle.folder), "--json"))["parity"]["clips"] == 8
    rules = bundle.manifest.decoding
    assert isinstance(rules, WhisperRules)
    rewritten(bundle.folder, decoding=replace(rules, prefix=rules.prefix[:1]))
    assert_one_sentence(secateur("verify", str(bundle.folder)), "0 languages and 0 tasks")


def spoil_graph(path: Path, value: float) -> None:
    """Every weight of the graph's largest matrix, multiplied."""
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda weight: int(np.prod(weight.dims)))
    largest.CopyFrom(
        numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(value), largest.name)
    )
    onnx.save(model, path)


@pytest.mark.parametrize("family", FAMILIES)
def test_broken_weights(family: str, copied: Callable[[str], Path]) -> None:
    bundle = copied(family)
    graph = Bundle.open(bundle).graph("model" if family == "ctc" else "encoder")
    shutil.copyfile(graph, kept := bundle / "kept")
    spoil_graph(graph, 1.5)
    assert_one_sentence(secateur("verify", str(bundle)), graph.name)
    rewritten(bundle)
    assert_one_sentence(secateur("verify", str(bundle)), "ONNX", "PyTorch", "cannot be trusted")
    spoil_graph(graph, float("nan"))
    rewritten(bundle)
    assert_one_sentence(secateur("verify", str(bundle)), str(bundle), "NaN or infinity")
    shutil.copyfile(kept, graph)
    weights = load_file(bundle / "pytorch" / "model.safetensors")
    name = max(weights, key=lambda key: weights[key].numel())
    weights[name] = torch.full_like(weights[name], torch.nan)
    save_file(weights, bundle / "pytorch" / "model.safetensors", metadata={"format": "pt"})
    rewritten(bundle)
    assert_one_sentence(secateur("verify", str(bundle)), f"{bundle}/pytorch", "NaN", name)


def test_another_model_than_the_manifest_says(
    copied: Callable[[str], Path], tmp_path: Path
) -> None:
    bundle, other = copied("ctc"), copied("whisper")
    shutil.copyfile(other / "onnx" / "encoder.onnx", bundle / "onnx" / "model.onnx")
    rewritten(bundle)
    sentence = "model.onnx has no input 'input_values': export the bundle again"
    assert_one_sentence(secateur("verify", str(bundle)), str(bundle), sentence)
    file = tmp_path / "packed"
    said("pack", str(bundle), "-o", str(file))
    assert_one_sentence(secateur("verify", str(file)), sentence)
    decoder, encoder = (other / "onnx" / f"{role}.onnx" for role in ("decoder", "encoder"))
    shutil.copyfile(encoder, decoder)
    rewritten(other)
    assert_one_sentence(secateur("verify", str(other)), f"{decoder} does not give 'logits' first")
    decoder.write_bytes(b"no graph")
    rewritten(other)
    assert_one_sentence(secateur("verify", str(other)), f"{decoder} is no graph of a bundle")


def test_another_checkpoint_than_the_manifest_says(copied: Callable[[str], Path]) -> None:
    bundle = rewritten(copied("ctc"), architecture="wav2vec2")
    done = secateur("verify", str(bundle))
    assert_one_sentence(done, "calls itself ctc (wav2vec2)", "PyTorch checkpoint is ctc (sew)")


def test_a_changed_file_is_named(copied: Callable[[str], Path], tmp_path: Path) -> None:
    bundle = copied("ctc")
    (bundle / "vocab.json").write_bytes((bundle / "vocab.json").read_bytes().swapcase())
    for words in (["verify"], ["pack", "-o", str(tmp_path / "packed")]):
        assert_one_sentence(secateur(*words, str(bundle)), "vocab.json", "has changed")
    assert [path.name for path in tmp_path.iterdir()] == ["ctc"]


def test_a_damaged_file_is_one_sentence_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "packed.secateur"
    said("pack", str(bundle), "-o", str(file))
    whole = file.read_bytes()
    middle = len(whole) // 2
    turned = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    for data in (whole[:middle], turned, whole + b"x", b"", bundle.name.encode()):
        file.write_bytes(data)
        for words in (["unpack", "-o", str(tmp_path / "out")], ["inspect"], ["verify"]):
            assert_one_sentence(secateur(*words, str(file)), str(file))
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_bundle(command: str, tmp_path: Path) -> None:
    words = ["-o", str(tmp_path / "out")] if command.endswith("pack") else []
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "none", tmp_path / "empty", Path("/dev/null"), tmp_path / ("x" * 300)):
        assert_one_sentence(secateur(command, str(place), *words), str(place))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    file, place = tmp_path / "packed", tmp_path / "small"
    said("pack", str(bundle), "-o", str(file))
    place.mkdir()
    with small_disk(place) as limit:
        for words in (["pack", str(bundle)], ["unpack", str(file)]):
            done = secateur(*words, "-o", str(place / "out"), **limit)
            assert_one_sentence(done, str(place / "out"), "disk")
            assert list(place.iterdir()) == []
        if not limit:
            for command in ("verify", "inspect"):
                done = secateur(command, str(file), TMPDIR=str(place))
                if command == "inspect":
                    assert done.returncode == 0, "it needs no room"
                else:
                    assert_one_sentence(done, str(file), "disk")
            assert list(place.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    assert f"Example: secateur {command} " in said(command, "--help")
