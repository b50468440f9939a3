"""A host key that nobody has seen before: shown, and stored only if the user says so.

The key is asked for by `ssh` itself with every way to log in turned off, into a file of our own.
So jump hosts, aliases and ports count as they do later, and only the key that was shown is stored.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.remote.connection import CONNECT_TIMEOUT, OPTIONS, ssh_words, target_words
from bench.remote.devices import Device
from bench.remote.refusals import refusal
from speech.errors import BadInput


@dataclass(frozen=True)
class HostKey:
    """A line for a file of known hosts, and what people compare."""

    line: str
    fingerprint: str  # such as "SHA256:… (ED25519)"


def seen_host_key(device: Device) -> HostKey:
    """The key that the device shows at this moment; nothing is sent to it but the greeting."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        known = Path(folder) / "known_hosts"
        wanted = {
            **OPTIONS,
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "/dev/null",
            "PreferredAuthentications": "none",
            "HashKnownHosts": "no",
            "ControlPath": "none",
        }
        options = [f"-o{key}={value}" for key, value in wanted.items()]
        said = _said([*ssh_words(), *options, *target_words(device), "true"])
        if not known.exists():
            raise refusal(device, said)
        return HostKey(known.read_text(encoding="utf-8"), _fingerprint(known))


def _fingerprint(known: Path) -> str:
    words = _said(["ssh-keygen", "-l", "-f", str(known)]).split()
    return f"{words[1]} {words[-1]}"


def unknown_key_sentence(device: Device, key: HostKey) -> str:
    return (
        f"The host key of {device.name} ({device}) is not known: {key.fingerprint}. Compare it at "
        "the device (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and say --accept-host-key."
    )


def store_host_key(device: Device, key: HostKey) -> Path:
    """Append the key to the first file of known hosts that the user's configuration names."""
    settings = _said([*ssh_words(), "-G", *target_words(device)]).splitlines()
    files = [line.split()[1:] for line in settings if line.startswith("userknownhostsfile ")]
    if not files or not files[0] or files[0][0] in ("none", os.devnull):
        raise BadInput(
            f"ssh's configuration names no file of known hosts for {device}: add the key yourself."
        )
    file = Path(files[0][0]).expanduser()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as known:
            known.write(key.line)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}.") from error
    return file


def _said(words: list[str]) -> str:
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
            timeout=2 * CONNECT_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return "it did not answer in time"
    return done.stdout
