"""How a bundle is run: what a device can be tuned by without another export."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from speech.errors import BadInput

#: Who computes: onnxruntime's own kernels, or Apple's Core ML where it can and those for the rest.
Provider = Literal["cpu", "coreml"]

#: onnxruntime would start as many as it is told to, and no device that this is for has more cores.
MOST_THREADS = 256

#: Seconds; less holds no word.
SHORTEST_WINDOW = 0.5


@dataclass(frozen=True)
class Settings:
    """Checked when made: impossible ones are BadInput that names the setting."""

    #: Cores that compute; the calling one is among them.
    threads: int = 1
    #: Whether idle threads spin: that costs a core each, and on a few slow cores also time.
    spinning: bool = False
    #: Whether onnxruntime keeps the memory that it has used for the next run.
    arena: bool = True
    #: Seconds heard at a time. None: as the model was trained (Whisper), or all in one piece
    #: as far as memory should allow (CTC).
    window: float | None = None
    provider: Provider = "cpu"

    def __post_init__(self) -> None:
        if type(self.threads) is not int or not 1 <= self.threads <= MOST_THREADS:
            raise _impossible("threads", self.threads, f"a whole number from 1 to {MOST_THREADS}")
        for name in ("spinning", "arena"):
            if type(value := getattr(self, name)) is not bool:
                raise _impossible(name, value, "true or false")
        if self.window is not None and (
            type(self.window) not in (int, float) or not SHORTEST_WINDOW <= self.window <= 3600
        ):
            rule = f"seconds from {SHORTEST_WINDOW:g} to 3600, or null for the trained one"
            raise _impossible("window", self.window, rule)
        if self.provider not in get_args(Provider):
            raise _impossible("provider", self.provider, " or ".join(get_args(Provider)))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        """What is not said is as by default; `where` names file and key in complaints."""
        known = [field.name for field in fields(cls)]
        if not isinstance(data, dict):
            raise BadInput(f"{where}: settings must be a JSON object, with {', '.join(known)}.")
        if unknown := sorted(map(str, data.keys() - set(known))):
            raise BadInput(
                f"{where}: {unknown[0]!r} is no setting of this version; there are "
                f"{', '.join(known)}."
            )
        try:
            return cls(**data)
        except BadInput as error:
            raise BadInput(f"{where}: {error}") from None


def _impossible(name: str, value: object, rule: str) -> BadInput:
    return BadInput(f"{name!r} is {value!r} and must be {rule}.")


#: One thread, which sleeps when idle, and the window that the model was trained for.
DEFAULT = Settings()
