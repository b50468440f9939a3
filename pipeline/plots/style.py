"""How every picture looks, and how it gets to the disk; importing this loads no matplotlib."""

from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speech.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Dots per inch: a picture of 9 inches fills a web page and stays under 120 kB.
DPI = 110

#: For magnitudes: dark is little, bright is much, to every kind of eye and on a grey printer.
GRADIENT = "viridis"

#: For lines and kinds: Okabe and Ito's, which the colour-blind can tell apart.
KINDS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Text, and text that is less important.
INK, FAINT = "#222222", "#666666"

#: Where nothing was measured, or nothing changed.
EMPTY = "#E8E8E8"

_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def styled() -> AbstractContextManager[None]:
    """Draw within this: everything takes on the house's fonts and colours."""
    import matplotlib

    return matplotlib.rc_context(_SETTINGS)


def figure(width: float, height: float) -> "Figure":
    """An empty picture of so many inches that needs no screen and leaves no trace in pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def check_picture(path: Path) -> None:
    """Raise for a path that no PNG can be written to, before anything is measured for it."""
    if path.suffix.lower() != ".png":
        raise BadInput(f"{path} does not end in .png, and only PNG pictures are drawn.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give the name of a picture in it.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent} to put {path.name} into: make it first.")


def save(drawn: "Figure", path: Path) -> None:
    """Write beside and rename, so that no reader meets half a picture.

    In 256 colours, which no eye misses and which make the file a third as large.
    """
    from PIL import Image

    whole = BytesIO()
    drawn.savefig(whole, format="png", dpi=DPI)
    picture = (
        Image.open(whole)
        .convert("RGB")
        .quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    beside = path.with_name(f".{path.name}.part")
    try:
        picture.save(beside, format="PNG", optimize=True)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def brief(value: float) -> str:
    """A number at least 0 in four or five characters: damage is read for its size."""
    if value == 0:
        return "0"
    if value < 0.00095:
        digits, _, power = f"{value:.0e}".partition("e")
        return f"{digits}e{int(power)}"
    return f"{value:.{3 if value < 0.0995 else 2 if value < 9.95 else 1 if value < 99.5 else 0}f}"


def percent(share: float) -> str:
    """A share as a percentage without needless zeros."""
    return f"{100 * share:.4g} %"
