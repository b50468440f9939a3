"""Reading a JSON object key by key: what is missing, mistyped or unknown becomes one sentence."""

from typing import Any, Self

from speech.errors import BadInput

#: How a mismatch names the type that was wanted, and the types that JSON gives for it.
_KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "a whole number": (int,),
    "a number": (int, float),
    "true or false": (bool,),
    "a list": (list,),
    "an object": (dict,),
}


class JsonFields:
    """One JSON object; `where` says in every complaint which file and part it is."""

    def __init__(self, data: object, where: str):
        if not isinstance(data, dict):
            raise BadInput(f"{where} is not a JSON object: export the bundle again.")
        self._data: dict[str, Any] = data
        self._where = where
        self._read: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """A key that nobody asked for is a complaint too, unless there is one already."""
        unknown = sorted(self._data.keys() - self._read)
        if kind is None and unknown:
            raise self.wrong(unknown[0], "is not known to this version of Secateur")

    def wrong(self, key: str, what: str) -> BadInput:
        """The complaint about one key, to be raised."""
        return BadInput(
            f"{self._where}: {key!r} {what}: export the bundle again, or update Secateur."
        )

    def _get(self, key: str, kind: str) -> Any:
        self._read.add(key)
        if key not in self._data:
            raise self.wrong(key, "is missing")
        value = self._data[key]
        types = _KINDS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise self.wrong(key, f"is {type(value).__name__}, not {kind}")
        return value

    def is_null(self, key: str) -> bool:
        """Whether the key is there and holds null."""
        if key in self._data and self._data[key] is None:
            self._read.add(key)
            return True
        return False

    def text(self, key: str) -> str:
        value: str = self._get(key, "text")
        if not value:
            raise self.wrong(key, "is empty")
        return value

    def whole(self, key: str, *, least: int = 0) -> int:
        value: int = self._get(key, "a whole number")
        if value < least:
            raise self.wrong(key, f"is {value}, less than {least}")
        return value

    def share(self, key: str) -> float:
        """A fraction of one."""
        value = self._get(key, "a number")
        if not 0 <= value <= 1:  # before any conversion: JSON's whole numbers have no limit
            raise self.wrong(key, f"is {value}, not between 0 and 1")
        return float(value)

    def flag(self, key: str) -> bool:
        return bool(self._get(key, "true or false"))

    def objects(self, key: str) -> list[object]:
        value: list[object] = self._get(key, "a list")
        return value

    def wholes(self, key: str) -> tuple[int, ...]:
        """A list of token numbers."""
        values = self._get(key, "a list")
        for value in values:
            if type(value) is not int or value < 0:
                raise self.wrong(key, f"holds {value!r}, which is no token number")
        return tuple(values)

    def mapping(self, key: str) -> dict[str, Any]:
        value: dict[str, Any] = self._get(key, "an object")
        return value

    def shares(self, key: str) -> dict[str, float]:
        fields = JsonFields(self.mapping(key), f"{self._where}, {key!r}")
        return {name: fields.share(name) for name in self._data[key]}

    def texts(self, key: str) -> dict[str, str]:
        fields = JsonFields(self.mapping(key), f"{self._where}, {key!r}")
        return {name: fields.text(name) for name in self._data[key]}
