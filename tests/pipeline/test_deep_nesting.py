"""Brackets by the thousand, with which Python's readers cannot go on, are one sentence."""

from pathlib import Path

import pytest

from tests.pipeline.command_line import assert_one_sentence, secateur

DEEP = "[" * 200_000

#: What is read, what it begins with, and by which command.
FILES = (
    ("deep.toml", "a = ", "run {file}"),
    ("deep.json", "", "recipe import {file}"),
    ("deep.jsonl", "", "results {file}"),
    ("deep.jsonl", "", "plot {file} --json"),
    ("deep.json", "", "plot {file} --json"),
    ("deep.json", "", "sweep --model m --corpus demo --methods mp_local --sparsities 0 -o {file}"),
    ("deep.jsonl", "", "tui {file}"),
    ("bundle.json", "", "inspect {folder}"),
    ("config.json", '{"model_type": ', "prune {folder} --method mp_local --sparsity 0.5 -o out"),
    ("metadata.jsonl", "", "eval demo-sew --corpus {folder}"),
    ("devices.toml", "a = ", "device list"),
)


@pytest.mark.parametrize(("name", "beginning", "command"), FILES)
def test_every_command_says_so_in_one_sentence(
    name: str, beginning: str, command: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(beginning + DEEP)
    words = command.format(file=file, folder=tmp_path).split()
    done = secateur(*words, SECATEUR_CONFIG=str(tmp_path))
    assert_one_sentence(done, name, "ested too deeply")


def test_a_recipe_is_checked_beside_others(tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(f"a = {DEEP}")
    done = secateur("recipe", "check", str(file), "recipes/demo.toml")
    assert done.returncode == 2
    assert done.stderr == f"{file} is not TOML: Nested too deeply.\n"
    assert "recipes/demo.toml is good" in done.stdout
