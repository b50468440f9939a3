"""One device, reached by the user's own `ssh`: their configuration, agent, keys and jump hosts.

The first call opens a connection that the later ones share, through a socket in a private folder.
Nothing is ever asked of the user, no password is in any argument, and host keys are always checked.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, Self

from bench.remote.devices import Device
from bench.remote.refusals import refusal
from speech.errors import BadInput
from speech.records import brief

#: ssh's own exit code, as against that of the command on the device.
SSH_FAILED = 255

#: Seconds: until a device that says nothing is given up, by the connection and by ssh's keep-alive.
CONNECT_TIMEOUT = 15
ALIVE_INTERVAL = 5
ALIVE_TRIES = 3

#: Where sockets go: their paths may have about a hundred bytes, and TMPDIR can be long.
_SHORT = "/tmp" if os.access("/tmp", os.W_OK) else None

#: In front of the user's configuration, which may say everything else.
OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": str(CONNECT_TIMEOUT),
    "ServerAliveInterval": str(ALIVE_INTERVAL),
    "ServerAliveCountMax": str(ALIVE_TRIES),
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "RequestTTY": "no",
    "RemoteCommand": "none",
    "PermitLocalCommand": "no",
}


class Link(Protocol):
    """A way to run words on a machine, here or there."""

    device: Device

    def open(self, words: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts the words with pipes for standard input and output."""
        ...

    def explain(self, program: str, code: int, errors: str) -> Exception:
        """Why a program ended with this code, to be raised."""
        ...

    def drop(self) -> None:
        """Forgets a connection that may be dead."""
        ...

    def interrupt(self) -> None:
        """Ends every program that was opened, from another thread."""
        ...

    def close(self) -> None: ...


def ssh_words(program: str = "ssh") -> list[str]:
    """The client, with another configuration file where the user names one."""
    if shutil.which(program) is None:
        raise BadInput(f"There is no {program} on this machine: install OpenSSH's client.")
    config = os.environ.get("SECATEUR_SSH_CONFIG")
    return [program, *(["-F", config] if config else [])]


def target_words(device: Device) -> list[str]:
    return [*([] if device.port is None else ["-p", str(device.port)]), "--", device.target]


class Connection:
    """Use as a context: at its end the shared connection is closed."""

    def __init__(self, device: Device):
        self.device = device
        self._folder = Path(tempfile.mkdtemp(prefix="secateur-", dir=_SHORT))
        self._opened: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.drop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        return self._folder / "s"

    def words(self, *options: str) -> list[str]:
        shared = {"ControlMaster": "auto", "ControlPersist": "60", "ControlPath": self._socket}
        given = [f"-o{key}={value}" for key, value in {**OPTIONS, **shared}.items()]
        return [*ssh_words(), *given, *options, *target_words(self.device)]

    def open(self, words: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C is for us, who end it in our own way."""
        process = subprocess.Popen(
            [*self.words("-T"), shlex.join(words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
        self._opened = [*(other for other in self._opened if other.poll() is None), process]
        return process

    def explain(self, program: str, code: int, errors: str) -> Exception:
        if code == SSH_FAILED:
            return refusal(self.device, errors)
        if code == 127:
            return BadInput(
                f"{self.device.name} has no {program}: sudo apt install python3 installs it there."
            )
        last = errors.strip().splitlines()[-1:] or ["it said nothing"]
        return BadInput(f"{self.device.name}: {program} ended with code {code}: {brief(last[0])}")

    def drop(self) -> None:
        if self._socket.exists():
            self._control("exit")
            self._socket.unlink(missing_ok=True)

    def interrupt(self) -> None:
        for process in self._opened:
            if process.poll() is None:
                process.terminate()

    def _control(self, command: str) -> None:
        """Its words are few and a dead master answers at once or never."""
        with suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run(
                self.words("-O", command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=5,
            )
