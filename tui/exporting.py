"""The view and the chosen bundle as files, each whole or not at all."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import markdown
from bench.report_files import csv_parts
from bench.rows import Row
from runtime.archive import pack
from runtime.bundle import MANIFEST, Bundle
from runtime.whole_folder import whole_file, written_whole
from speech.errors import BadInput

#: More rows than these are too long for a clipboard.
COPIED_AT_MOST = 500
_MONOSPACE = "DejaVu Sans Mono"


@dataclass(frozen=True)
class Kind:
    """Something that can be exported, and how its file is called."""

    key: str
    name: str
    suffix: str


KINDS = (
    Kind("svg", "This screen as SVG", ".svg"),
    Kind("png", "This screen as PNG", ".png"),
    Kind("markdown", "The rows that are shown, as Markdown", ".md"),
    Kind("csv", "The rows that are shown, all columns, as CSV", ".csv"),
    Kind("folder", "The selected bundle's folder", ""),
    Kind("archive", "The selected bundle as one file", ".secateur"),
)
OF_BUNDLE = ("folder", "archive")


@dataclass(frozen=True)
class Outgoing:
    """What can be taken out of a view."""

    svg: str
    marked: Sequence[Row]
    rows: Sequence[Row]  # that are shown
    bundle: Path | None  # the selected one, where it lies
    bundle_name: str | None

    def write(self, kind: Kind, place: Path) -> None:
        """BadInput for a place that is taken, or a bundle that is not here."""
        if kind.key == "svg":
            write_text(self.svg, place)
        elif kind.key == "png":
            write_png(self.svg, place)
        elif kind.key not in OF_BUNDLE:
            write_text(rows_text(self.rows, kind.key), place)
        elif self.bundle is None:
            raise BadInput(
                "The selected bundle does not lie on this machine as it was measured: choose "
                "another one, or make it again with its recipe."
            )
        else:
            write_bundle(self.bundle, place, kind.key)


def write_text(text: str, file: Path) -> None:
    with whole_file(file) as out:
        out.write(text.encode())


def write_png(svg: str, file: Path) -> None:
    """The font is one that is there: pictures must not ask the net for theirs."""
    try:
        import resvg_py
    except ModuleNotFoundError as error:
        raise BadInput(
            "A PNG needs resvg-py, which is not installed here: pip install 'secateur[tui]', "
            "or take the SVG."
        ) from error
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg.replace("Fira Code", _MONOSPACE),
        monospace_family=_MONOSPACE,
        font_files=_font_files(),
    )
    with whole_file(file) as out:
        out.write(bytes(drawn))


def _font_files() -> list[str]:
    """Matplotlib brings them along; without it the system has some."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return [str(path) for path in sorted(folder.glob("DejaVuSansMono*.ttf"))]


def copied(rows: Sequence[Row], kind: str) -> str:
    """For the clipboard; BadInput for none, and for more than it holds."""
    if not rows:
        raise BadInput("There is nothing to copy: no row is shown.")
    if len(rows) > COPIED_AT_MOST:
        raise BadInput(
            f"{len(rows):,} rows are too many to copy: search for fewer, mark some, or export "
            "them with e."
        )
    return rows_text(rows, kind)


def rows_text(rows: Sequence[Row], kind: str) -> str:
    return "".join(csv_parts(rows)) if kind == "csv" else markdown(rows)


def write_bundle(folder: Path, place: Path, kind: str) -> None:
    """Every file is hashed on its way."""
    if kind == "archive":
        pack(folder, place)
        return
    bundle = Bundle.open(folder, check_hashes=True, on_device=True)
    with written_whole(place) as beside:
        for name in (MANIFEST, *(file.path for file in bundle.manifest.files)):
            if (folder / name).exists():
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, beside / name)
        Bundle.open(beside, check_hashes=True, on_device=True)
