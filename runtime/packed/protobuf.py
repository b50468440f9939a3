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
    def message(self) -> Bytes:
        """The bytes; ValueError if it holds a number."""
        if isinstance(self.content, int):
            raise ValueError("it has a number where a message belongs")
        return self.content

    @property
    def text(self) -> str:
        return bytes(self.message).decode()


def fields(message: Bytes) -> Iterator[Field]:
    """The fields of a message in their order; ValueError where it does not go on like one.

    Of a memoryview nothing is copied.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        if not tag >> 3:
            raise ValueError("it has a field without a number")
        content: Bytes | int
        if tag & 7 == _VARINT:
            content, at = _varint(message, at)
        else:
            size, at = _size(message, at, tag & 7)
            content = message[at : at + size]
            at += size
            if at > len(message):
                raise ValueError("it ends too early")
        yield Field(tag >> 3, message[start:at], content)


def numbers(field: Field, *, most: int) -> list[int]:
    """The numbers of a repeated field: one, or several packed into bytes."""
    found, at = list[int](), 0
    if isinstance(field.content, int):
        found.append(field.content)
    else:
        while at < len(field.content) and len(found) <= most:
            number, at = _varint(field.content, at)
            found.append(number)
    if len(found) > most:
        raise ValueError("it has a list of too many numbers")
    return found


def head(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of a field that holds bytes."""
    return _as_varint(number << 3 | _BYTES) + _as_varint(size)


def _size(message: Bytes, at: int, wire: int) -> tuple[int, int]:
    if wire == _BYTES:
        return _varint(message, at)
    if wire in (_EIGHT, _FOUR):
        return (8 if wire == _EIGHT else 4), at
    raise ValueError(f"it has a field of kind {wire}")


def _varint(message: Bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; the last byte is below 128."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends too early")
        byte = message[at]
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
