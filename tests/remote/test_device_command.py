"""`secateur device`: whom we talk to, and whether that can be measured on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.remote.devices import Device, find_device, new_device, read_devices, write_devices
from speech.errors import BadInput
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.remote.sshd import Board

#: What the device's python3 is told to lie about; all else is as it is.
NARROW = "import struct; struct.calcsize = lambda kind: 4"
LACKS_VENV = """
import importlib.util as util
found = util.find_spec
util.find_spec = lambda name: None if name == "venv" else found(name)
"""


def lying_python(board: Board, lie: str) -> None:
    """To the probe, which comes on standard input."""
    python, real = board.bin / "python3", Path(sys.executable).resolve()
    python.unlink()
    code = f"import sys\n{lie}\nexec(sys.stdin.read())"
    python.write_text(f'#!/bin/sh\n[ "$2" = - ] || exec {real} "$@"\nexec {real} -c \'{code}\'\n')
    python.chmod(0o755)


def test_an_unknown_host_key_is_shown_and_stored_only_when_accepted(bare_board: Board) -> None:
    board = bare_board
    board.known_hosts.write_text("")
    refused = secateur("device", "add", "pi", board.target)
    assert_one_sentence(refused, "The host key of pi", "is not known", "--accept-host-key")
    assert board.fingerprint() in refused.stderr
    assert board.known_hosts.read_text() == ""
    assert "pi" not in read_devices()
    added = secateur("device", "add", "pi", board.target, "--accept-host-key")
    assert added.returncode == 0, added.stderr
    assert board.fingerprint() in added.stderr
    [known] = board.known_hosts.read_text().splitlines()
    assert known.split()[2] == (board.folder / "host_key.pub").read_text().split()[1]
    assert find_device("pi") == new_device("pi", board.target)
    assert secateur("device", "doctor", "pi").returncode == 0


def test_jump_hosts_and_aliases_of_the_user_s_configuration_count(bare_board: Board) -> None:
    board = bare_board
    settings = board.client_settings
    far = f"HostName localhost\nPort {board.port}\nUser {board.user}\nHostKeyAlias far.example"
    settings.write_text(f"Host far\n{far}\nProxyJump {board.target}\n{settings.read_text()}")
    known = board.known_hosts.read_text()
    refused = secateur("device", "add", "pi", "far")
    assert_one_sentence(refused, "The host key of pi", board.fingerprint())
    assert secateur("device", "add", "pi", "far", "--accept-host-key").returncode == 0
    added = board.known_hosts.read_text().removeprefix(known)
    assert added.startswith("far.example ssh-ed25519 ")


def test_a_changed_host_key_is_never_accepted(bare_board: Board) -> None:
    board = bare_board
    board.stop()
    board.new_host_key()
    board.start()
    known = board.known_hosts.read_text()
    refused = secateur("device", "add", "pi", board.target, "--accept-host-key")
    assert_one_sentence(refused, str(board.known_hosts), "someone is in between")
    assert board.known_hosts.read_text() == known
    assert "pi" not in read_devices()


def test_a_wrong_user_and_a_closed_port_are_one_sentence(bare_board: Board) -> None:
    place = bare_board.target.partition("@")[2]
    stranger = secateur("device", "add", "pi", f"nobody@{place}")
    assert_one_sentence(stranger, "does not let us in", "Permission denied", "ssh-agent")
    bare_board.stop()
    off = secateur("device", "add", "pi", bare_board.target)
    assert_one_sentence(off, "cannot be reached", "Connection refused", "is it on")


def test_a_configuration_of_ssh_that_is_not_there_is_named(
    bare_board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECATEUR_SSH_CONFIG", "/nowhere/config")
    done = secateur("device", "add", "pi", bare_board.target)
    assert_one_sentence(done, "configuration", "/nowhere/config", "mend that")


def test_doctor_says_what_stands_in_the_way_and_how_to_mend_it(
    bare_board: Board, device: Device
) -> None:
    write_devices({device.name: device})
    for lie, name, fix in (
        (NARROW, "userland", "install the 64-bit Raspberry Pi OS"),
        (LACKS_VENV, "venv", "sudo apt install python3-venv"),
    ):
        lying_python(bare_board, lie)
        done = secateur("device", "doctor", "pi")
        assert done.returncode == 1
        [failed] = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
        assert name in failed
        assert fix in failed
    (bare_board.bin / "python3").unlink()
    (bare_board.bin / "python3").symlink_to("/nowhere")
    if not Path("/usr/bin/python3").exists():
        assert_one_sentence(secateur("device", "doctor", "pi"), "sudo apt install python3")


def test_doctor_gives_facts_and_checks_as_json() -> None:
    told = json.loads(secateur("device", "doctor", "this", "--json").stdout)
    assert told["facts"]["pointer_bits"] == 64
    assert {"python", "memory", "disk", "clock"} <= {check["name"] for check in told["checks"]}


def test_doctor_tells_of_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "file" / "cache"))
    done = secateur("device", "doctor", "this")
    [failed] = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert "file/cache cannot be written" in failed
    assert "SECATEUR_CACHE=/another/folder" in failed


def test_devices_are_listed_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECATEUR_CONFIG", str(tmp_path))
    write_devices({"a": new_device("a", "me@host:2222"), "b": new_device("b", "me@[fe80::1]:22")})
    listed = json.loads(secateur("device", "list", "--json").stdout)
    assert listed == {"this": "localhost", "a": "me@host:2222", "b": "me@[fe80::1]:22"}
    assert secateur("device", "remove", "a").returncode == 0
    assert set(read_devices()) == {"this", "b"}
    assert_one_sentence(secateur("device", "remove", "this"), "cannot be removed")
    assert_one_sentence(secateur("device", "doctor", "c"), "No device is called 'c'")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("this", "me@host"),
        ("a b", "me@host"),
        ("a", "-oProxyCommand=reboot"),
        ("a", "me@-host;ls"),
        ("a", "me@host:0"),
        ("a", "me@host:70000"),
        ("a", "@host"),
        ("a", ""),
        ("a", "me@ho st"),
    ],
)
def test_what_can_be_no_device_is_refused(name: str, target: str) -> None:
    with pytest.raises(BadInput):
        new_device(name, target)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pi = 3", "pi is not an object; write target"),
        ("[pi]", "pi lacks the key 'target'; write target"),
        ("[pi]\ntarget = 3", "pi.target must be str, got 3"),
        ('[pi]\ntarget = "me@host"\ncolour = 1', "pi has an unknown key 'colour'"),
        ('[pi]\ntarget = "-x"', "no target for ssh"),
        ('[pi]\ntarget = "me@host"\nport = "x"', "pi.port must be int, got 'x'"),
        ('[pi]\ntarget = "me@host"\nport = -1', "pi.port must be between 1 and 65535"),
        (f'[pi]\ntarget = "me@host"\nport = 0x{"f" * 5000}', "the number of 'port' is larger"),
        (f'[{"p" * 5000}]\ntarget = "me@host"', "cannot be a device's name"),
        ('["a\\u001b"]\ntarget = "me@host"', "cannot be a device's name"),
        ("[pi", "mend or delete"),
    ],
)
def test_a_spoilt_file_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "devices.toml").write_text(text)
    with pytest.raises(BadInput, match=complaint) as refusal:
        read_devices(tmp_path)
    assert "devices.toml" in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_spoilt_entry_costs_no_other_device(tmp_path: Path) -> None:
    (tmp_path / "devices.toml").write_text('[pi]\ntarget = "me@host"\n[off]\ntarget = 3\n')
    assert find_device("pi", tmp_path) == Device("pi", "me@host")
    for name in ("off", "unknown"):
        with pytest.raises(BadInput, match=r"off\.target must be str"):
            find_device(name, tmp_path)
