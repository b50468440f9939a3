"""Packed files taken apart and put together again with other headers."""

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

from runtime.packed.layout import KEY

LENGTH = struct.Struct("<Q")


def header_of(data: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(data[8 : body_of(data)])
    return header


def body_of(data: bytes) -> int:
    """Where the header ends."""
    return 8 + int(LENGTH.unpack(data[:8])[0])


def with_header(data: bytes, header: object) -> bytes:
    text = json.dumps(header).encode()
    return LENGTH.pack(len(text)) + text + data[body_of(data) :]


def with_layout(data: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    """The list of arrays edited, with a checksum that fits, as only malice would have it."""
    header = header_of(data)
    layout = json.loads(header["__metadata__"][KEY])
    edit(layout)
    if isinstance(layout.get("names"), list) and isinstance(layout.get("arrays"), list):
        layout["check"] = checksum(layout["names"], layout["arrays"])
    header["__metadata__"][KEY] = json.dumps(layout)
    return with_header(data, header)


def checksum(names: list[Any], arrays: list[Any]) -> int:
    return zlib.crc32(json.dumps([names, arrays], separators=(",", ":")).encode())
