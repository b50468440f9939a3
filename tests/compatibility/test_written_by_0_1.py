"""What version 0.1.0 wrote opens, and says what it said then.

`0.1.0/` was made by that version: bundles, structured checkpoints, a job's folder with its journal,
a store, a results file, the demo recipe, what `secateur results --json` printed, and hashes and
error rates of every bundle of the demo recipe (`demo-run.json`).
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.results import read_results
from prune.checkpoint import open_checkpoint
from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
from speech.assets import assets_folder
from speech.audio import read_audio
from tests.pipeline.command_line import secateur

WRITTEN = Path(__file__).parent / "0.1.0"
BUNDLES = sorted((WRITTEN / "exported").iterdir())
CHECKPOINTS = sorted((WRITTEN / "checkpoints").iterdir())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A copy: a store that is opened may be migrated."""
    return shutil.copytree(WRITTEN, tmp_path / "written")


@pytest.fixture
def expected() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((WRITTEN / "expected-results.json").read_text())
    return rows


def _printed(*words: str, **environment: str) -> list[dict[str, Any]]:
    done = secateur("results", *words, "--json", **environment)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _refuse_other(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Columns may have been added, and nothing that was there says something else."""
    assert [{key: row[key] for key in was} for row, was in zip(rows, expected, strict=True)] == (
        expected
    )


def test_the_files_are_as_they_were_written() -> None:
    lines = (WRITTEN / "SHA256SUMS").read_text().splitlines()
    assert len(lines) > 20
    for line in lines:
        sha256, name = line.split("  ")
        assert hashlib.sha256((WRITTEN / name).read_bytes()).hexdigest() == sha256, name


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)
def test_a_bundle_transcribes_what_it_did(folder: Path) -> None:
    bundle = Bundle.open(folder, check_hashes=True)
    recognizer = open_recognizer(bundle)
    texts = {
        found.clip: found.text
        for measured in read_results(WRITTEN / "results.jsonl")
        if measured.name == folder.name
        for found in measured.transcripts
    }
    assert len(texts) == 4
    for clip, text in texts.items():
        assert (
            recognizer.transcribe(read_audio(assets_folder() / "clips" / "test" / clip)).text
            == text
        )


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)
def test_a_bundle_passes_verify(folder: Path) -> None:
    done = secateur("verify", str(folder))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_a_checkpoint_that_was_cut_opens(folder: Path) -> None:
    checkpoint = open_checkpoint(str(folder))
    assert sum(weight.numel() for weight in checkpoint.model.parameters())


def test_the_store_gives_the_same_rows(written: Path, expected: list[dict[str, Any]]) -> None:
    _refuse_other(_printed(str(written / "results.sqlite")), expected)


def test_the_results_file_gives_the_same_rows(expected: list[dict[str, Any]]) -> None:
    rows = _printed(str(WRITTEN / "results.jsonl"), "--bundles", str(WRITTEN / "exported"))
    _refuse_other(rows, expected)


def test_the_journal_gives_the_same_rows_when_it_is_imported_anew(
    written: Path, expected: list[dict[str, Any]]
) -> None:
    """Only what comes from the manifests is not in a journal."""
    rows = _printed(SECATEUR_DATA=str(written / "data"), SECATEUR_STORE=str(written / "new.sqlite"))
    known = [{**row, "precision": "", "model": ""} for row in expected]
    assert len(rows) == len(known)
    _refuse_other([{**row, "precision": "", "model": ""} for row in rows], known)


def test_the_recipe_is_good() -> None:
    done = secateur("recipe", "check", str(WRITTEN / "demo.toml"))
    assert done.returncode == 0, done.stderr
