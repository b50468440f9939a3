"""Files and folders that people name: what the system has against them, in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speech.errors import BadInput


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Within it, whatever the system refuses is told of this path."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


def refuse_unreachable(path: Path) -> None:
    """Raise where the system does not even say whether something is there.

    Behind a folder that is closed to us, and for a name that is too long, pathlib answers none of
    its questions.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # then nothing is there
        return
    except OSError as error:
        raise BadInput(
            f"{path} cannot be reached ({error.strerror}): check the name, and that we may open "
            "the folders on the way."
        ) from error


def home() -> Path:
    """The user's; BadInput where nobody knows it."""
    try:
        return Path.home()
    except RuntimeError:
        raise BadInput(
            "Your home directory is unknown: set HOME to a folder that you may write to."
        ) from None


def expanded(name: str) -> Path:
    """With the user's home in place of `~`; of an unknown user's as it is."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)
