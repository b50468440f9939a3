"""Progress bars on stderr: for people only, silent in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives a callback that takes the count done so far."""
    from tqdm import tqdm

    with tqdm(desc=label, total=total, disable=None, leave=False, delay=1) as shown:
        yield lambda done: _advance(shown, done)


def _advance(shown: object, done: int) -> None:
    shown.update(done - shown.n)  # type: ignore[attr-defined]
