"""What `ssh` says when it cannot go on, as one sentence that says what to do."""

from __future__ import annotations

import re

from bench.remote.devices import Device
from speech.errors import BadInput
from speech.records import brief


class Unreachable(BadInput):
    """The connection is not there now; it may be later."""


class UnknownHostKey(BadInput):
    """The device's key is in no file of known hosts."""


#: Patterns in what ssh says. The first that is found counts.
_REFUSALS: tuple[tuple[str, type[BadInput], str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed",
        BadInput,
        "The host key of {device} is not the one that {file} holds: it was installed anew, or "
        "someone is in between; compare fingerprints at the device itself, and then remove the old "
        "key with ssh-keygen -R.",
    ),
    (
        r"REVOKED HOST KEY",
        BadInput,
        "The host key of {device} is marked as revoked: do not connect to it.",
    ),
    (
        r"No \S+ host key is known for|Host key verification failed",
        UnknownHostKey,
        "The host key of {device} is not known: `secateur device doctor {name}` shows it.",
    ),
    (
        r"Permission denied|Too many authentication failures",
        BadInput,
        "The device {device} does not let us in ({last}): check user and key with `ssh`; a key "
        "that has a passphrase must be in ssh-agent.",
    ),
    (
        r"Could not resolve hostname",
        Unreachable,
        "The device {device} cannot be found ({last}): check the name and the network.",
    ),
    (
        r"Can't open user config file|Bad configuration option|"
        r"terminating, \d+ bad configuration|no argument after keyword",
        BadInput,
        "The ssh of this machine refuses its configuration ({last}): mend that.",
    ),
)


def refusal(device: Device, said: str) -> BadInput:
    """The error to raise; `Unreachable` where nothing speaks against trying again."""
    lines = [line for line in said.replace("\r", "").splitlines() if line.strip()]
    last = brief(lines[-1].strip().rstrip(".")) if lines else "it said nothing"
    offending = re.search(r"Offending .* key in (\S+)", said)
    shown = f"{device.name} ({device})"
    known = offending[1] if offending else "your file of known hosts"
    for pattern, kind, sentence in _REFUSALS:
        if re.search(pattern, said):
            return kind(sentence.format(device=shown, name=device.name, last=last, file=known))
    return Unreachable(
        f"The device {shown} cannot be reached ({last}): is it on, and in this network?"
    )
