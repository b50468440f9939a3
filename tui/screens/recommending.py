"""A screen that names the variant to take for as long as somebody wants to know."""

from __future__ import annotations

from abc import abstractmethod

from textual.screen import Screen
from textual.widgets import Input

from tui.source.records import ALL_DEVICES, Place, Record
from tui.view import View
from tui.widgets.banner import Banner
from tui.widgets.table import VariantTable


class RecommendingScreen(Screen[None]):
    """`recommend` is to be bound to a key, and called after whatever the answer depends on changes.

    So the sentence is of what is on the screen, or says that this is still being read.
    """

    view: View
    place: Place | None
    is_reading: bool
    _recommends = False
    _moves = False  # whether the cursor goes to the next pick wherever it stands
    _pick: str | None = None  # the last one's key

    @property
    @abstractmethod
    def selected(self) -> Record | None: ...

    def action_recommend(self) -> None:
        self._recommends = self._moves = True
        self.recommend()

    def recommend_no_more(self) -> None:
        self._recommends = False

    def recommend(self, *, moves: bool = False) -> None:
        """If that was asked for. The cursor follows, unless somebody has taken it elsewhere."""
        if not self._recommends or self.place is None:
            return
        banner, name = self.query_one(Banner), self.place.name
        self._moves |= moves
        if self.is_reading:
            banner.say(f"Reading the results of {name} …")
        elif not self.view.records:
            banner.say(f"There are no results of {name} to choose from.")
        else:
            banner.say(self._recommended())

    def _recommended(self) -> str:
        """What is best depends on the device: among several it is that of the selected row."""
        record = self.selected
        one_of_several = self.place and self.place.id == ALL_DEVICES and record
        device = record.row.device if one_of_several and record else None
        found, at = self.view.recommended(device)
        follows = self._moves or (record is not None and record.key == self._pick)
        if at is not None and follows:
            if at not in self.view.order and self._moves:
                self.query_one("#search", Input).value = ""
                self.view.look_for("")
                self.query_one(VariantTable).show()
            self.query_one(VariantTable).select(at)
        self._pick = None if at is None else self.view.records[at].key
        self._moves = False
        told = f"{found.why} {found.price}".strip()
        return told if device is None else f"On {device}: {told}"
