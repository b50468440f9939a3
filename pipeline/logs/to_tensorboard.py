"""A folder that TensorBoard shows: a run a bundle, with its hyperparameters."""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from pipeline.logs.record import Record
from runtime.whole_folder import refuse_unwritable, whole_file
from speech.errors import BadInput

try:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter
    from torch.utils.tensorboard.summary import hparams, scalar
except ModuleNotFoundError as error:
    raise BadInput(
        "--tensorboard needs tensorboard, which is not installed here: "
        "pip install 'secateur[tensorboard]'."
    ) from error

#: How files begin that TensorBoard reads.
_EVENTS = "events.out.tfevents."


class TensorboardLog:
    def __init__(self, folder: Path):
        refuse_unwritable(folder)
        self._folder = folder

    def __call__(self, record: Record) -> None:
        folder = self._folder / record.name
        file = folder / f"{_EVENTS}{time.time_ns()}"
        with whole_file(file) as out:
            out.write(_events(record))
        try:
            for old in folder.glob(f"{_EVENTS}*"):  # of the bundle as it was before
                if old != file:
                    old.unlink()
        except OSError as error:
            raise BadInput(f"{folder} cannot be written: {error.strerror or error}.") from error


def _events(record: Record) -> bytes:
    """What a `SummaryWriter` writes in a thread of its own, where a full disk is a traceback."""
    out, now = BytesIO(), time.time()
    writer = RecordWriter(out)
    writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    for step, summary in _summaries(record):
        writer.write(Event(wall_time=now, step=step, summary=summary).SerializeToString())
    return out.getvalue()


def _summaries(record: Record) -> Iterator[tuple[int, Any]]:
    """Each with its step."""
    for name, losses in record.losses.items():
        for step, loss in losses:
            yield step, scalar(name, loss)
    for summary in hparams(dict(record.parameters), dict(record.scalars)):
        yield 0, summary
    for name, value in record.scalars.items():
        yield 0, scalar(name, value)
