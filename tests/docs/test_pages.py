"""The pages name only what there is: commands, options, files, methods. What they say is run by
tests/docs/test_commands.py (`make test-docs`)."""

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
import yaml
from pymdownx.slugs import slugify

from pipeline.recipe import read_recipe
from pipeline.recipe.check import findings
from pipeline.reference import command_page
from prune.methods import METHODS
from tests.docs import reading
from tests.docs.blocks import LANGUAGES, ROOT, blocks, commands_of, pages
from tests.docs.rules import NOT_RUN, why_not_run

PAGES = [*pages(), ROOT / "CHANGELOG.md"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_only_commands_and_options_that_there_are(page: Path) -> None:
    for command in commands_of(page):
        try:
            reading.check(command.text)
        except Exception as problem:
            pytest.fail(f"{command.where}: {command.text}\n{problem}")


@pytest.mark.parametrize(
    "line",
    (
        "secateur prune demo-whisper --sparseness 0.5 --method obs -o out",
        "secateur prun demo-whisper",
        "secateur device ad pi pi@raspberrypi.local",
        "secateur results && secateur bench --nonsense",
        "make prune-and-exprot",
        "python -m benchmarks.nothing",
        "docker compose run --rm nobody",
        "frobnicate the model",
    ),
)
def test_a_command_that_is_none_is_caught(line: str) -> None:
    with pytest.raises((AssertionError, click.ClickException)):
        reading.check(line)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_code_block_says_its_language(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.where}: {block.language or 'no language'!r}"


def test_what_is_not_run_is_still_written_somewhere() -> None:
    written = [command.text for page in pages() for command in commands_of(page)]
    for pattern in NOT_RUN:
        assert any(fnmatchcase(text, pattern) for text in written), f"{pattern!r} is of no use"
    assert sum(why_not_run(text) is None for text in written) > len(written) / 2


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{name_of(page)}: {target}"


def anchors(page: Path) -> set[str]:
    """Headings as code hosts and the site make anchors of them."""
    slug = slugify(case="lower")
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return {slug(heading, "-") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def test_the_reference_of_commands_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == command_page(), (
        "write it anew: make reference"
    )


def test_every_method_has_its_formula_cost_and_trap() -> None:
    text = (ROOT / "docs" / "methods.md").read_text()
    sections = dict(re.findall(r"^## `?(\w+)`?\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert list(sections) == list(METHODS)
    for method, section in sections.items():
        for part in ("**Formula.**", "**Costs.**", "**Misleads when**"):
            assert part in section, f"{method} does not say {part}"


def test_fragments_of_recipes_are_good_recipes(tmp_path: Path) -> None:
    """Each TOML block of a page is a recipe, or part of one beside the demo's models."""
    seen = 0
    for page in pages():
        for block in blocks(page):
            if block.language != "toml" or page.name == "extending.md":
                continue
            recipe = tmp_path / "fragment.toml"
            whole = "name" in tomllib.loads(block.text)
            recipe.write_text(block.text if whole else _completed(block.text))
            assert findings(read_recipe(recipe)).faults == [], block.where
            seen += 1
    assert seen >= 3


def _completed(fragment: str) -> str:
    table = tomllib.loads(fragment)
    prune = 'methods = ["mp_global"]\nsparsities = [0.5]\n'
    missing = "" if "prune" in table else f"\n[prune]\n{prune}"
    return f'name = "fragment"\nmodels = ["demo-whisper"]\n{fragment}{missing}'


def test_the_citation_has_what_its_format_wants_and_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["title"] == "Secateur"
    assert all(citation[key] for key in ("message", "abstract", "keywords"))
    assert citation["authors"] == [{"name": "Secateur contributors"}]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_every_page_is_in_the_navigation() -> None:
    # mkdocs' own tags are not YAML's
    text = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text())
    listed = set(re.findall(r"[\w-]+\.md", str(yaml.safe_load(text)["nav"])))
    there = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert there <= listed
    assert listed - there == {"CONTRIBUTING.md", "CHANGELOG.md"}
