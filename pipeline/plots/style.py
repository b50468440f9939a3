"""How every picture looks, and how it gets to the disk; importing this loads no matplotlib."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.whole_folder import whole_file
from speech.errors import BadInput
from speech.readable import refuse_unreachable

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

#: Of a slide, 16 by 9: inches, dots per inch, points of its texts and of its title.
_SLIDE, _SLIDE_DPI, _SLIDE_TEXT, _SLIDE_TITLE = (12.8, 7.2), 125, 13, 18

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
_SLIDE_SETTINGS: Any = {
    **_SETTINGS,
    "font.size": _SLIDE_TEXT,
    "axes.titlesize": 14,
    "axes.linewidth": 0.9,
    # the same file from the same numbers
    "svg.hashsalt": "secateur",
}
#: What a picture that carries no date or program is to say of itself, by format.
_ANONYMOUS: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def styled() -> AbstractContextManager[None]:
    """Draw within this: everything takes on the house's fonts and colours."""
    import matplotlib

    return matplotlib.rc_context(_SETTINGS)


def styled_slide() -> AbstractContextManager[None]:
    """The same, to be read from the back of a room."""
    import matplotlib

    return matplotlib.rc_context(_SLIDE_SETTINGS)


def slide(title: str, note: str = "") -> "Figure":
    """An empty slide with its title, and a line below that says how to read it.

    Whoever draws says where: layout by trial costs as much time as drawing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=_SLIDE, dpi=_SLIDE_DPI)
    FigureCanvasAgg(drawn)
    drawn.text(
        0.025, 0.965, literal(_cut_to(title, _TITLE_CHARACTERS)), ha="left", va="top",
        fontsize=_SLIDE_TITLE, fontweight="bold",
    )  # fmt: skip
    drawn.text(0.025, 0.022, literal(note), ha="left", va="bottom", fontsize=11, color=FAINT)
    return drawn


#: So many characters of the title fit on a slide.
_TITLE_CHARACTERS = 88


def _cut_to(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def literal(text: str) -> str:
    """Dollars would begin a formula."""
    return text.replace("$", r"\$")


def figure(width: float, height: float) -> "Figure":
    """An empty picture of so many inches that needs no screen and leaves no trace in pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def check_picture(path: Path, suffixes: Sequence[str] = (".png",)) -> None:
    """Raise for a path that no picture can be written to, before anything is measured for it."""
    if path.suffix.lower() not in suffixes:
        if len(suffixes) == 1:
            raise BadInput(f"{path} does not end in .png, and only PNG pictures are drawn.")
        raise BadInput(f"{path} ends in none of {', '.join(suffixes)}: say which it is to be.")
    refuse_unreachable(path)
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give the name of a picture in it.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent} to put {path.name} into: make it first.")


def save(drawn: "Figure", path: Path) -> None:
    """As the name's end says, whole or not at all; a picture that is there gives way to it.

    A PNG is in 256 colours where no eye misses the others: the file is half as large.
    """
    kind = path.suffix.lower().removeprefix(".")
    with whole_file(path, replace=True) as file:
        if kind in _ANONYMOUS:
            drawn.savefig(file, format=kind, metadata=_ANONYMOUS[kind])
            return
        from PIL import Image

        canvas: Any = drawn.canvas
        canvas.draw()
        whole = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
        _in_few_colours(whole.convert("RGB")).save(file, format="PNG")


def _in_few_colours(picture: Any) -> Any:
    """The 256 that it has most of stay as they are; the rest, at edges, become the nearest.

    Pillow's own ways take averages, or look colours up in too coarse a table: white turns grey.
    What has many colours in its plains, as maps do, is left alone.
    """
    import numpy as np
    from PIL import Image

    whole = picture.width * picture.height
    counted = sorted(picture.getcolors(whole), reverse=True)
    if sum(count for count, _ in counted[256:]) > _MOST_CHANGED * whole:
        return picture
    colours = np.array([colour for _, colour in counted], np.float32)
    kept = colours[:256]
    apart = (kept**2).sum(axis=1) - 2 * colours @ kept.T  # less what a colour has in common
    nearest = np.zeros(1 << 24, np.uint8)
    nearest[_numbered(colours.astype(np.uint32))] = apart.argmin(axis=1)
    few = Image.fromarray(nearest[_numbered(np.asarray(picture).astype(np.uint32))], "P")
    few.putpalette(kept.astype(np.uint8).tobytes())
    return few


#: Of the pixels: what lies at the edges of lines and letters.
_MOST_CHANGED = 0.03


def _numbered(colours: Any) -> Any:
    """One number for red, green and blue."""
    return (colours[..., 0] << 16) | (colours[..., 1] << 8) | colours[..., 2]


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
