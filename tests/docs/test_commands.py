"""Every command of README, CONTRIBUTING and docs/ does what the page says it does.

`make test-docs` runs these. A page's commands share a scratch, in the page's order; what takes long
is made shorter by the rules in tests/docs/rules.py.
"""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.plan import cells
from pipeline.recipe import read_recipe
from tests.docs.blocks import ROOT, Command, blocks, commands, commands_of, pages
from tests.docs.following import differs, follow, wants_board
from tests.docs.rules import why_not_run
from tests.docs.scratch import Scratch
from tests.remote.environment import write_environment
from tests.remote.sshd import find_sshd, running_board, why_no_board

pytestmark = [pytest.mark.documented, pytest.mark.timeout(1500)]

#: Its commands are typed into changed copies of the rooms: tests/docs/test_extending.py.
ELSEWHERE = {"docs/extending.md"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def runs_something(path: Path) -> bool:
    """Or has Python in it."""
    if name_of(path) in ELSEWHERE:
        return False
    return any(
        block.language == "python" or any(why_not_run(c.text) is None for c in commands(block))
        for block in blocks(path)
    )


@pytest.fixture(scope="session")
def loaded() -> None:
    """Commands run in copies of this process: what takes seconds to import is here already."""
    for name in ("pipeline.pruning", "pipeline.evaluate", "export.bundle", "export.variant"):
        importlib.import_module(name)


@pytest.fixture(scope="session")
def prepared(loaded: None) -> Path:
    """Bundles and results of the demo's recipe, made once by whichever worker comes first."""
    place = Path(os.environ["SECATEUR_TESTS"]) / "documented"
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / "lock"), pytest.MonkeyPatch.context() as patch:
        made = place / "scratch"
        if not (place / "ready").exists():
            scratch = Scratch(made)
            patch.chdir(made)
            ran = scratch.run(Command("the demo", "secateur run recipes/demo.toml"))
            assert ran.code == 0, ran.output
            (place / "ready").touch()
    return made / "bundles"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def board(tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The device of the pages: a real sshd here, to which the agent's libraries were sent."""
    sshd = find_sshd()
    if why_no_board() or sshd is None:
        yield ""
        return
    with running_board(tmp_path / "board", sshd) as found:
        monkeypatch.setenv("SECATEUR_SSH_CONFIG", str(found.client_settings))
        found.cache.mkdir(parents=True)
        (found.cache / environment.name).symlink_to(environment)
        yield found.target


@pytest.mark.parametrize("page", [path for path in pages() if runs_something(path)], ids=name_of)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    typed = [command.text for command in commands_of(page)]
    board = request.getfixturevalue("board") if any(map(wants_board, typed)) else ""
    scratch = Scratch(tmp_path / "scratch", prepared=prepared, board=board)
    monkeypatch.chdir(scratch.folder)
    failed: list[str] = []
    for block in blocks(page):
        failed += follow(block, scratch, has_board=bool(board))
    assert not failed, "\n\n".join(failed)


def test_the_demo_s_table_in_the_readme_is_of_variants_that_it_makes() -> None:
    shown = (ROOT / "README.md").read_text().partition("<!-- make prune-and-export -->\n")[2]
    rows = [line.split("|")[1].strip() for line in shown.splitlines() if line.startswith("| demo")]
    made = {cell.name for cell in cells(read_recipe(ROOT / "recipes" / "demo.toml"))}
    assert rows and {*rows} <= made


def test_a_page_that_shows_another_output_is_caught() -> None:
    printed = "pruned-70 on demo:test: 10 clips\nWER 3.1 % (95 %: 1.0 to 4.0)\n"
    assert differs(("pruned-70 on demo:test: 200 clips", "…"), printed) is None
    assert differs(("…", "WER 2.56 % …"), printed) is None
    assert differs(("pruned-70 on demo:test: 200 clips", "CER 2.0 %"), printed)
    assert differs(("", "…", "WER 2.5"), "nothing\n")
