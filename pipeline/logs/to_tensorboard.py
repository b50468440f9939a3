"""A folder that TensorBoard shows: a run a bundle, with its hyperparameters."""

from pathlib import Path

from pipeline.logs.record import Record
from runtime.whole_folder import refuse_unwritable
from speech.errors import BadInput

try:
    from torch.utils.tensorboard import SummaryWriter
except ModuleNotFoundError as error:
    raise BadInput(
        "--tensorboard needs tensorboard, which is not installed here: "
        "pip install 'secateur[tensorboard]'."
    ) from error


class TensorboardLog:
    def __init__(self, folder: Path):
        refuse_unwritable(folder)
        self._folder = folder

    def __call__(self, record: Record) -> None:
        folder = self._folder / record.name
        try:
            for old in folder.glob("events.out.tfevents.*"):  # of the bundle as it was before
                old.unlink()
            with SummaryWriter(str(folder)) as writer:
                for name, losses in record.losses.items():
                    for step, loss in losses:
                        writer.add_scalar(name, loss, step)
                writer.add_hparams(dict(record.parameters), dict(record.scalars), run_name=".")
        except OSError as error:
            raise BadInput(f"{folder} cannot be written: {error.strerror or error}.") from error
