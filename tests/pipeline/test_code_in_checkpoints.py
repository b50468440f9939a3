"""Code that lies in a checkpoint is never run, and nobody is asked whether it should be."""

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from prune.checkpoint import open_checkpoint
from tests.export.exported import whisper
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.doors import DOORS, through
from tests.pipeline.test_bundle_commands import rewritten
from tests.test_house import ROOMS, ROOT

#: The classes that transformers looks up there, by file.
PLANTED = {
    "config.json": ["AutoConfig", "AutoModel", "AutoModelForSpeechSeq2Seq", "AutoModelForCTC"],
    "processor_config.json": ["AutoProcessor", "AutoFeatureExtractor"],
    "preprocessor_config.json": ["AutoProcessor", "AutoFeatureExtractor"],
    "tokenizer_config.json": ["AutoProcessor", "AutoTokenizer"],
    "generation_config.json": ["AutoModel"],
}
#: What tells transformers which of its own classes to take. It has none for the tokenizer of a SEW
#: unless the checkpoint names one.
OWN = {"processor_class", "feature_extractor_type"}
TOKENIZER = "tokenizer_class"


def planted(folder: Path, marker: Path) -> Path:
    """Code in the folder, which every file of settings asks for; it would leave the marker."""
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    (folder / "planted.py").write_text(code)
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(code)
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    own = OWN if kind == "sew" else OWN | {TOKENIZER}
    for file, classes in PLANTED.items():
        path = folder / file
        content = json.loads(path.read_text()) if path.exists() else {}
        content = {key: value for key, value in content.items() if key not in own}
        content["auto_map"] = dict.fromkeys(classes, "planted.Model")
        if "AutoTokenizer" in classes:
            content["auto_map"]["AutoTokenizer"] = ["planted.Model", "planted.Model"]
        if extractor := content.get("feature_extractor"):
            content |= {key: value for key, value in extractor.items() if key not in own}
            content["feature_extractor"] = {k: v for k, v in extractor.items() if k not in own}
        path.write_text(json.dumps(content))
    processor = json.loads((folder / "processor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def assert_nothing_ran(done: subprocess.CompletedProcess[str], marker: Path) -> None:
    assert not marker.exists()
    assert "y/N" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


#: Doors behind which much is done after the checkpoint is open, which any kind shows.
SLOW = {"run", "export-optimum", "sensitivity"}


@pytest.mark.long_but("sew", *(DOORS.keys() - SLOW))
@pytest.mark.parametrize("kind", ["whisper", "sew", "wav2vec2"])
@pytest.mark.parametrize("door", DOORS)
def test_no_command_runs_it(
    tiny_folders: dict[str, Path], tmp_path: Path, door: str, kind: str
) -> None:
    """A checkpoint of a kind that transformers knows opens with transformers' own classes."""
    folder = planted(Path(shutil.copytree(tiny_folders[kind], tmp_path / kind)), tmp_path / "ran")
    done = through(door, folder, tmp_path, SECATEUR_TEST_STDIN="y\n" * 50)
    assert_nothing_ran(done, tmp_path / "ran")
    assert done.returncode == 0, done.stderr
    if door == "prune":
        saved = " ".join(path.read_text() for path in (tmp_path / "out").glob("*.json"))
        assert "auto_map" not in saved


@pytest.mark.parametrize("door", DOORS)
def test_a_kind_that_only_such_code_knows_is_one_sentence(
    tiny_folders: dict[str, Path], tmp_path: Path, door: str
) -> None:
    folder = planted(Path(shutil.copytree(tiny_folders["sew"], tmp_path / "odd")), tmp_path / "ran")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "murmur"}))
    done = through(door, folder, tmp_path, SECATEUR_TEST_STDIN="y\n" * 50)
    assert_nothing_ran(done, tmp_path / "ran")
    assert_one_sentence(done, "'murmur'", "Secateur knows")


def test_no_command_runs_it_out_of_an_archive(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    folder = Path(shutil.copytree(whisper()[1].folder, tmp_path / "bundle"))
    planted(folder / "pytorch", marker)
    files = {path.relative_to(folder).as_posix() for path in (folder / "pytorch").rglob("*")}
    manifest = json.loads((folder / "bundle.json").read_text())
    listed = {file["path"] for file in manifest["files"]}
    new = [path for path in files - listed if (folder / path).is_file()]
    manifest["files"] += [{"path": path, "size": 0, "sha256": "0" * 64} for path in sorted(new)]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    rewritten(folder)
    archive, out = tmp_path / "b.secateur", tmp_path / "out"
    for words in (
        ["verify", str(folder)],
        ["pack", str(folder), "-o", str(archive)],
        ["verify", str(archive)],
        ["unpack", str(archive), "-o", str(tmp_path / "unpacked")],
        ["load", str(archive), "-o", str(out)],
        ["export-optimum", str(archive), str(tmp_path / "optimum")],
    ):
        done = secateur(*words, SECATEUR_TEST_STDIN="y\n" * 50)
        assert_nothing_ran(done, marker)
        assert done.returncode == 0, (words, done.stderr)
    assert open_checkpoint(str(out))


def test_nothing_in_the_product_leaves_it_to_transformers() -> None:
    """GenerationConfig alone has no code to run."""
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr != "from_pretrained":
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "GenerationConfig":
                continue
            told = {key.arg: key.value for key in node.keywords}
            trusted = told.get("trust_remote_code")
            assert isinstance(trusted, ast.Constant) and trusted.value is False, (
                f"{path}:{node.lineno}"
            )
