"""The agent gets onto a device as a whole, also where pip, venv or the internet is missing."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bench.remote.answers import Installed, Ready
from bench.remote.courier import Folder, ask, place
from bench.remote.deploy import code_files
from bench.remote.facts import facts_here
from bench.remote.there.environment import MADE, MODULES, last_line
from bench.remote.wheels import collected_wheels, platforms
from bench.remote.work import Request, Worker
from runtime.bundle import Bundle
from speech.corpora.corpus import Clip, Corpus
from speech.errors import BadInput
from tests.remote.environment import entries
from tests.remote.sshd import Board
from tests.remote.test_device_command import LACKS_VENV, NARROW, lying_python

REQUIREMENT = "tiny-part==1.0"


def write_wheel(folder: Path) -> Path:
    """One module, and one more in the folder that a wheel keeps for it."""
    folder.mkdir()
    info = "tiny_part-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_part-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_part.py", "VALUE = 7\n")
        wheel.writestr("tiny_part-1.0.data/purelib/tiny_more.py", "VALUE = 8\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture
def stub(tmp_path: Path) -> Folder:
    """An agent of which every module only wants the wheel."""
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "wants.py").write_text("import tiny_part, tiny_more\n")
    files = {}
    for module in MODULES:
        parts = module.split(".")
        for count in range(1, len(parts)):
            files["/".join([*parts[:count], "__init__.py"])] = tmp_path / "empty.py"
        files["/".join(parts) + ".py"] = tmp_path / "wants.py"
    return Folder.of("code", files)


def install(worker: Worker, name: str, wheels: str, code: Folder) -> Installed:
    words = ("environment", name, wheels, code.name)
    data = json.dumps([REQUIREMENT]).encode()
    return ask(worker.link, Installed, *words, data=data, seconds=300)


def test_wheels_from_the_host_need_neither_pip_nor_internet(
    bare_board: Board, worker: Worker, stub: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(write_wheel(tmp_path / "index")))
    collected = collected_wheels(facts_here(), [REQUIREMENT])
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert collected_wheels(facts_here(), [REQUIREMENT]) == collected  # not asked for again
    wheels = Folder.of("wheels", {path.name: path for path in collected.glob("*.whl")})
    place(worker.link, [stub, wheels], lambda *_: None)
    broken = bare_board.cache / "env-x" / "bin"  # left by a deploy that was cut short
    broken.mkdir(parents=True)
    (broken / "python").write_text("half")
    answer = install(worker, "env-x", wheels.name, stub)
    assert Path(answer.python).is_relative_to(bare_board.cache / "env-x")
    assert not list((bare_board.cache / "env-x").rglob("pip"))
    assert ask(worker.link, Ready, "is_ready", "env-x").ready
    assert not (bare_board.cache / wheels.name).exists()  # its disk is small
    assert len(list((bare_board.cache / "store").iterdir())) == 2  # the agent's files
    ready = bare_board.cache / "env-x" / "ready.json"
    first = ready.stat().st_mtime_ns
    assert install(worker, "env-x", wheels.name, stub) == answer
    assert ready.stat().st_mtime_ns == first


def write_venv_with_pip(place: Path) -> None:
    """As `python3 -m venv` makes it, in seconds less: with the pip of this Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    [packages] = place.glob("lib/*/site-packages")
    for entry in entries(["pip"]):
        (packages / entry.name).symlink_to(entry)
    (place / MADE).write_text("pip")


def test_the_device_s_own_pip_is_used_where_there_is_one(
    bare_board: Board, worker: Worker, stub: Folder, tmp_path: Path
) -> None:
    settings = bare_board.home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\nno-index = true\nfind-links = /nowhere\n")
    write_venv_with_pip(bare_board.cache / "env-x")
    place(worker.link, [stub], lambda *_: None)
    with pytest.raises(BadInput, match=r"pip on the device could not install .*tiny-part"):
        install(worker, "env-x", "", stub)
    assert not (bare_board.cache / "env-x" / "ready.json").exists()
    index = write_wheel(tmp_path / "index")
    settings.write_text(f"[global]\nno-index = true\nfind-links = {index}\n")
    install(worker, "env-x", "", stub)
    assert list((bare_board.cache / "env-x").rglob("tiny_more.py"))


def test_an_agent_that_does_not_start_is_no_deploy(
    bare_board: Board, worker: Worker, stub: Folder
) -> None:
    empty = Folder("wheels-none", {})
    (bare_board.cache / "wheels-none").mkdir(parents=True)
    place(worker.link, [stub, empty], lambda *_: None)
    with pytest.raises(BadInput, match=r"does not start there .*tiny_part"):
        install(worker, "env-x", "wheels-none", stub)
    assert not (bare_board.cache / stub.name / "ready.json").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("ERROR: Exception:\nTraceback (most recent call last):\nMemoryError", "memory ran out"),
        ("libz.so: failed to map segment from shared object", "memory ran out"),
        ("ERROR: No matching distribution\nArguments: ()", "ERROR: No matching distribution"),
        ("", "it said nothing"),
    ],
)
def test_the_reason_of_a_failure_is_the_line_that_says_something(output: str, reason: str) -> None:
    assert last_line(subprocess.CompletedProcess([], 1, "", output)).startswith(reason)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (LACKS_VENV, "venv: python3 has no venv module; fix: sudo apt install python3-venv"),
        (NARROW, "userland: 32 bits .*fix: install the 64-bit Raspberry Pi OS"),
    ],
)
def test_an_unfit_device_is_refused_before_anything_is_sent(
    lie: str, said: str, bare_board: Board, worker: Worker, bundle: Path, clips: tuple[Clip, ...]
) -> None:
    lying_python(bare_board, lie)
    with pytest.raises(BadInput, match=f"pi cannot be measured on: {said}"):
        worker.begin(Request([Bundle.open(bundle)], Corpus("two", clips)))
    assert not bare_board.cache.exists()


def test_only_what_a_device_runs_is_sent() -> None:
    rooms = {path.split("/")[0] for path in code_files()}
    assert rooms == {"bench", "device_profiles", "runtime", "speech"}
    assert not [path for path in code_files() if path.startswith("bench/remote")]


def test_wheels_are_chosen_for_the_device_not_the_host() -> None:
    pi = replace(facts_here(), system="Linux", machine="aarch64", pointer_bits=64, glibc="2.28")
    assert platforms(pi)[0] == "manylinux_2_28_aarch64"
    assert platforms(pi)[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    mac = replace(pi, system="Darwin", machine="arm64", macos="14.5")
    assert platforms(mac) == ["macosx_14_0_arm64"]
