"""Colours that people who tell red from green badly tell apart: those of Okabe and Ito."""

from __future__ import annotations

from textual.theme import Theme

_OKABE_ITO = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
#: Darker ones, for a light ground.
_ON_LIGHT = ("#0072B2", "#B36B00", "#00795A", "#8A7F00", "#A3497D", "#B34700", "#2B6CB0")

#: What widgets may name, whatever the theme. Parts of widgets that are drawn character by character
#: take no transparency, so these colours are whole ones: `faint` for frames, `soft` for what stands
#: back, `under` for what lies under the cursor.
VARIABLES = {f"method-{number}": colour for number, colour in enumerate(_OKABE_ITO)} | {
    "faint": "#5A6472",
    "soft": "#8B95A5",
    "under": "#27506B",
}

DARK = Theme(
    name="secateur",
    primary="#56B4E9",
    secondary="#E69F00",
    accent="#CC79A7",
    warning="#E69F00",
    error="#D55E00",
    success="#009E73",
    background="#0E1116",
    surface="#0E1116",
    panel="#242B35",
    dark=True,
    variables=VARIABLES,
)
LIGHT = Theme(
    name="secateur-light",
    primary="#0072B2",
    secondary="#B36B00",
    accent="#A3497D",
    warning="#B36B00",
    error="#B34700",
    success="#00795A",
    background="#FBFBF8",
    surface="#FBFBF8",
    panel="#DDDDD5",
    dark=False,
    variables={f"method-{number}": colour for number, colour in enumerate(_ON_LIGHT)}
    | {"faint": "#A9AFB8", "soft": "#6B7280", "under": "#CFE6F5"},
)
THEMES = (DARK, LIGHT)
