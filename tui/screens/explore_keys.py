"""The keys of the explore screen, and what it says of itself."""

from __future__ import annotations

from textual.binding import Binding, BindingType

EMPTY = (
    "Nothing has been measured yet. `make prune-and-export` cuts and measures the bundled demo; "
    "R measures a bundle of yours from here, `secateur bench BUNDLE` from the command line."
)

HELP = (
    "Each row and each point is a bundle in one group of settings on one device. Only results of "
    "one model on the same speech can be compared: `n` shows the next group of those. "
    "The line joins what nothing else beats on both axes; dashes are budgets. "
    "`/` takes words, letters in order (`ob70` finds obs-70), and comparisons such as `wer<5`, "
    "`ms<20`, `peak<100`, `zeros>50`. The mouse selects, sorts, drags and zooms."
)

KEYS: list[BindingType] = [
    Binding("slash", "search", "Search", key_display="/"),
    Binding("s", "sort", "Sort"),
    Binding("S", "turn", "Turn order", show=False),
    Binding("x", "across", "X axis"),
    Binding("y", "up", "Y axis"),
    Binding("space", "mark", "Mark", key_display="␣"),
    Binding("c", "compare", "Compare"),
    Binding("n", "group(1)", "Next group", show=False),
    Binding("N", "group(-1)", "Group before", show=False),
    Binding("r", "recommend", "Recommend"),
    Binding("m", "copy('markdown')", "Copy as Markdown", show=False),
    Binding("v", "copy('csv')", "Copy as CSV", show=False),
    Binding("e", "export", "Export"),
    Binding("b", "budgets", "Budgets"),
    Binding("d", "places", "Devices"),
    Binding("t", "table", "Table", show=False),
    Binding("enter", "result", "All of it", show=False),
    Binding("o", "sidebar", "Sidebar on or off", show=False),
    Binding("plus,equals_sign", "zoom(1)", "Nearer", show=False, key_display="+"),
    Binding("minus", "zoom(-1)", "Farther", show=False, key_display="-"),
    Binding("0", "whole", "Whole plot", show=False),
    Binding("shift+left,H", "pan(-1, 0)", "Plot to the left", show=False),
    Binding("shift+right,L", "pan(1, 0)", "Plot to the right", show=False),
    Binding("shift+up,K", "pan(0, 1)", "Plot up", show=False),
    Binding("shift+down,J", "pan(0, -1)", "Plot down", show=False),
    Binding("escape", "back", "Back", show=False),
]
