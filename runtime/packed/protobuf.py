"""As much of protobuf's wire format as it takes to see a message's fields and to write one."""

from collections.abc import Iterator
from dataclasses import dataclass

Bytes = bytes | memoryview

#: How a field's content ends: a number, 8 bytes, a length and as many bytes, 4 bytes.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its number, its bytes as they stand there, and what it holds."""

    number: int
    whole: Bytes
    #: The bytes, or the number if it holds one.
    content: Bytes | int

    @property
    def text(self) -> str:
        return "" if isinstance(self.content, int) else bytes(self.content).decode()


def fields(message: Bytes) -> Iterator[Field]:
    """The fields of a message in their order; ValueError where it does not go on like one."""
    end = 0
    for number, value, begin, stop in spans(message, 0, len(message)):
        content = message[begin:stop] if value is None else value
        yield Field(number, message[end:stop], content)
        end = stop


def spans(data: Bytes, at: int, end: int) -> Iterator[tuple[int, int | None, int, int]]:
    """The same of a message from `at` to `end`, and nothing copied: number, the number that it
    holds or None, and where its bytes begin and end."""
    while at < end:
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = _varint(data, at - 1, end)
        wire, value = tag & 7, None
        if wire == _BYTES:
            size, at = _varint(data, at, end)
        elif wire == _VARINT:
            begin = at
            value, at = _varint(data, at, end)
            size = 0
        elif wire in (_EIGHT, _FOUR):
            size = 8 if wire == _EIGHT else 4
        else:
            raise ValueError(f"it has a field of kind {wire}")
        if not tag >> 3:
            raise ValueError("it has a field without a number")
        stop = at + size
        if stop > end:
            raise ValueError("it ends too early")
        yield tag >> 3, value, at if value is None else begin, stop
        at = stop


def numbers(field: Field, *, most: int) -> list[int]:
    """The numbers of a repeated field: one, or several packed into bytes."""
    found, at = list[int](), 0
    if isinstance(field.content, int):
        found.append(field.content)
    else:
        while at < len(field.content) and len(found) <= most:
            number, at = _varint(field.content, at, len(field.content))
            found.append(number)
    if len(found) > most:
        raise ValueError("it has a list of too many numbers")
    return found


def head(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of a field that holds bytes."""
    return _as_varint(number << 3 | _BYTES) + _as_varint(size)


def _varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; the last byte is below 128."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("it ends too early")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("it has a number of more than 64 bits")


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
