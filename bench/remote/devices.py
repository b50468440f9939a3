"""The devices that a user has named, in a TOML file of theirs."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime.beside import alone_in
from runtime.whole_folder import whole_file
from speech.errors import BadInput
from speech.parsed import toml_from
from speech.readable import home
from speech.records import Name, Range, record_from, shortened

#: The machine that the command runs on; it is always there and needs no SSH.
THIS = "this"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.IGNORECASE | re.ASCII)
_TARGET = re.compile(r"(?P<host>\[[^\]\s]+\]|[^:\s]+)(:(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class Device:
    """A name, and the words by which the user's `ssh` finds it: `[user@]host` or an alias."""

    name: str
    target: str
    port: int | None = None  # None: as ssh's configuration says

    @property
    def is_this(self) -> bool:
        return self.name == THIS

    def __str__(self) -> str:
        user, at, host = self.target.rpartition("@")
        host = f"[{host}]" if ":" in host else host
        return f"{user}{at}{host}" + ("" if self.port is None else f":{self.port}")


def new_device(name: str, target: str) -> Device:
    """From what a user types; raises BadInput for what can be neither name nor target."""
    if name == THIS:
        raise BadInput(f"The name {THIS!r} means the machine you are at: choose another one.")
    refuse_name(name)
    user, at, place = target.rpartition("@")
    parts = _TARGET.fullmatch(place)
    port = int(parts["port"]) if parts and parts["port"] else None
    strange = target.startswith("-") or not target.isprintable() or set(target) & set(" '\"`$\\;")
    if not parts or strange or (at and not user) or (port is not None and not 0 < port < 65536):
        told = shortened(target)
        raise BadInput(f"{told} is no target for ssh: write user@host or user@host:port.")
    return Device(name, f"{user}{at}{parts['host'].strip('[]')}", port)


def refuse_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{shortened(name)} cannot be a device's name: use up to 40 letters, digits, - and _."
        )


def config_folder() -> Path:
    named = os.environ.get("SECATEUR_CONFIG")
    return Path(named) if named else home() / ".config" / "secateur"


@dataclass(frozen=True)
class _Entry:
    """What the file has of a device."""

    target: Name
    port: Annotated[int, Range(1, 65535)] | None = None


def read_devices(
    folder: Path | None = None, problems: list[str] | None = None
) -> dict[str, Device]:
    """By name; `this` is always the first.

    Whoever only looks for a device gives a list, to which a sentence on each wrong one is added.
    """
    file = (folder or config_folder()) / "devices.toml"
    found = {THIS: Device(THIS, "localhost")}
    try:
        table = toml_from(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return found
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read ({error}): mend or delete it.") from error
    for name, entry in table.items():
        try:
            found[name] = _device(name, entry, file)
        except BadInput as problem:
            if problems is None:
                raise
            problems.append(str(problem))
    return found


def _device(name: str, entry: object, file: Path) -> Device:
    try:
        found = record_from(_Entry, entry, name if _NAME.fullmatch(name) else shortened(name))
    except ValueError as error:
        raise BadInput(
            f'{file}: {error}; write target = "user@host", and port = 2222 where it is another.'
        ) from error
    try:
        return new_device(name, str(Device(name, found.target, found.port)))
    except BadInput as error:
        raise BadInput(f"{file}: {error}") from error


@contextmanager
def changed_devices() -> Iterator[dict[str, Device]]:
    """By name, to be changed; written at the end. Of two commands at once the second one waits."""
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        devices = read_devices()
        yield devices
        write_devices(devices)


def write_devices(devices: Mapping[str, Device], folder: Path | None = None) -> None:
    """The whole file at once, so that an interruption leaves the old one."""
    lines = []
    for device in devices.values():
        if not device.is_this:
            lines += [f"[{device.name}]", f'target = "{device.target}"']
            lines += [f"port = {device.port}"] if device.port is not None else []
            lines.append("")
    with whole_file((folder or config_folder()) / "devices.toml", replace=True) as file:
        file.write("\n".join(lines).encode())


def find_device(name: str, folder: Path | None = None) -> Device:
    """Raises BadInput that names the nearest one."""
    problems: list[str] = []
    devices = read_devices(folder, problems)
    if name in devices:
        return devices[name]
    if problems:
        raise BadInput(problems[0])
    near = difflib.get_close_matches(name, devices, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(devices)};"
    raise BadInput(
        f"No device is called {name!r}: {hint} `secateur device add {name} user@host` adds one."
    )
