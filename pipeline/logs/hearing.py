"""Logs hear that a bundle was made, now or before, and write down what it says of itself."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.events import Built, Event, Hear, Planned, Warned
from pipeline.logs.record import Record
from pipeline.recipe import Recipe
from runtime.bundle import Bundle
from speech.errors import BadInput

#: Says of the same bundle the same, and once only, however often it is told. Raises BadInput for
#: what it could not write.
Log = Callable[[Record], None]


@contextmanager
def logging(
    hear: Hear, recipe: Recipe, tensorboard: str | None = None, mlflow: str | None = None
) -> Iterator[Hear]:
    """`hear`, which in passing has every bundle logged: in a folder, at a URI."""
    _refuse_nowhere(tensorboard, "--tensorboard", "a folder, such as --tensorboard logs")
    _refuse_nowhere(mlflow, "--mlflow", "a URI, such as --mlflow http://localhost:5000")
    logs = list[Log]()
    if tensorboard is not None:
        from pipeline.logs.to_tensorboard import TensorboardLog

        logs.append(TensorboardLog(Path(tensorboard)))
    if mlflow is not None:
        from pipeline.logs.to_mlflow import MlflowLog

        logs.append(MlflowLog(mlflow, recipe.name))

    def hearing(event: Event) -> None:
        hear(event)
        for bundle in _made(event) if logs else ():
            for why in _logged(Path(recipe.output) / bundle, logs):
                hear(Warned(bundle, f"not logged: {why}"))

    yield hearing


def _logged(bundle: Path, logs: Sequence[Log]) -> Iterator[BadInput]:
    """Why it was not, by each that could not."""
    try:
        record = Record.of(Bundle.open(bundle))
    except BadInput as error:
        yield error
        return
    for log in logs:
        try:
            log(record)
        except BadInput as error:
            yield error


def _made(event: Event) -> tuple[str, ...]:
    match event:
        case Planned(done=bundles):
            return bundles
        case Built(bundle=bundle):
            return (bundle,)
    return ()


def _refuse_nowhere(place: str | None, option: str, example: str) -> None:
    """An empty name would be the folder that we happen to be in."""
    if place is not None and not place.strip():
        raise BadInput(f"{option} names no place: give it {example}.")
