"""The changes that docs/extending.md shows: each fits the code, and does what the page says."""

import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, Command, blocks
from tests.docs.following import follow
from tests.docs.scratch import Scratch

PAGE = ROOT / "docs" / "extending.md"

TINY_HUBERT = """
from pathlib import Path

from prune import cpu_torchaudio

cpu_torchaudio.allow_import()
from transformers import HubertConfig, HubertForCTC
from tests.tiny_models import CTC_SHAPE, _write_ctc

_write_ctc(Path("hubert"), HubertForCTC, HubertConfig(**CTC_SHAPE), 0)
"""
RECIPE = """
name = "tiny"
models = ["hubert"]
output = "bundles/hubert"
[prune]
methods = ["obs", "obs_structured"]
sparsities = [0.0, 0.5]
heads = 0.25
ffn = 0.5
[export]
precisions = ["fp32", "int8"]
"""


def sections() -> dict[str, list[Block]]:
    """The blocks below each heading."""
    lines = PAGE.read_text().splitlines()
    found: dict[str, list[Block]] = {}
    for block in blocks(PAGE):
        above = [line for line in lines[: block.line] if line.startswith("## ")]
        found.setdefault(above[-1].removeprefix("## "), []).append(block)
    return found


def patch_of(title: str) -> str:
    return "".join(block.text for block in sections()[title] if block.language == "diff")


def apply(patch: str, folder: Path, *words: str) -> None:
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", *words, "-"],
        input=patch,
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder.parent)},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("title", sections())
def test_a_change_still_fits_the_code(title: str) -> None:
    apply(patch_of(title), ROOT, "--check")


@pytest.mark.documented
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("title", sections())
def test_a_change_does_what_the_page_says(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Scratch(tmp_path / "scratch", own_rooms=True)
    monkeypatch.chdir(scratch.folder)
    apply(patch_of(title), scratch.folder)
    failed = [why for block in sections()[title] for why in follow(block, scratch, has_board=False)]
    assert not failed, "\n\n".join(failed)


@pytest.mark.documented
@pytest.mark.timeout(1500)
def test_the_added_family_is_pruned_exported_and_measured(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch", own_rooms=True)
    apply(patch_of("A model family"), scratch.folder)
    assert scratch.python(TINY_HUBERT).code == 0
    scratch.write("tiny.toml", RECIPE)
    ran = scratch.run(Command("hubert", "secateur run tiny.toml"))
    assert ran.code == 0, ran.output
    made = sorted(path.parent.name for path in scratch.folder.glob("bundles/hubert/*/bundle.json"))
    assert len(made) == 6
    assert "hubert-obs_structured-heads25-ffn50-int8" in made
