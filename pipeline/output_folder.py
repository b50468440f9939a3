"""The folder that a run fills: whether it can be, told before hours of work."""

from pathlib import Path

from pipeline.locked import HOLDER, LOCK
from pipeline.measuring import RESULTS, UNFINISHED
from pipeline.out_of_reach import NOTE
from pipeline.tasks import STATISTICS
from runtime.whole_folder import refuse_unwritable
from speech.errors import BadInput

#: What a run keeps in it beside the bundles.
_FOLDERS = (STATISTICS, UNFINISHED)
_FILES = (LOCK, HOLDER, NOTE, RESULTS, "report.html", "report.md")


def refuse_unfit(output: Path) -> None:
    """Raise where a run could not put what it makes, or finds something else in its place."""
    if "\0" in str(output):
        raise BadInput(f"{str(output)!r} is no name of a folder: give the recipe another output.")
    try:
        _refuse_no_folder(output, "give the recipe another output")
        for name in _FOLDERS:
            _refuse_no_folder(output / name, "move it away")
        for file in (output / name for name in _FILES):
            if file.is_symlink() or (file.exists() and not file.is_file()):
                raise BadInput(f"{file} is no plain file, as a run writes there: move it away.")
    except OSError as error:
        raise BadInput(
            f"{output} cannot be used ({error.strerror}): give the recipe another output."
        ) from error


def _refuse_no_folder(folder: Path, advice: str) -> None:
    if folder.is_symlink() and not folder.exists():
        raise BadInput(f"{folder} is a link to nothing: {advice}.")
    try:
        refuse_unwritable(folder)
    except BadInput as error:
        raise BadInput(f"{str(error).rstrip('.')}: {advice}.") from error
