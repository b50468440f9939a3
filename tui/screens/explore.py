"""The first screen: places, variants as a table and as points, and the selected one below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.remembered import Owner, group_from, text_of
from tui.screens.arranging import ArrangingScreen
from tui.screens.explore_keys import EMPTY, HELP, KEYS
from tui.screens.outgoing import OutgoingScreen
from tui.screens.plotting import PlottingScreen
from tui.screens.recommending import RecommendingScreen
from tui.source.messages import (
    ComputedRead,
    DetailRead,
    NewsArrived,
    PlacesRead,
    ReadFailed,
    RecordsRead,
)
from tui.source.records import ALL_DEVICES, OF_DEVICE, Place, Record
from tui.source.records import Detail as Read
from tui.view import View
from tui.widgets.banner import Banner
from tui.widgets.budgets import BudgetPanel
from tui.widgets.detail import Detail
from tui.widgets.head import Head
from tui.widgets.key_line import KeyLine
from tui.widgets.places import Places
from tui.widgets.scatter import Scatter
from tui.widgets.table import VariantTable
from tui.words import Told

if TYPE_CHECKING:
    from tui.exporting import Outgoing

#: Seconds of rest after which the selected result's samples are asked for.
REST = 0.15
#: Columns from which on there is room for the sidebar beside the rest.
ROOMY = 100
#: Variants of a place whose operations are counted for the table; of more only the selected one's.
_COUNTED = 64


class ExploreScreen(ArrangingScreen, OutgoingScreen, PlottingScreen, RecommendingScreen):
    """Which variant to keep."""

    CSS_PATH = "explore.tcss"
    TITLE = "Explore"
    HELP = HELP
    BINDINGS = KEYS

    def __init__(self) -> None:
        super().__init__(id="explore")
        self.view = View()
        self.place: Place | None = None
        self.places: list[Place] = []
        self._read: Read | None = None
        self._faults: Sequence[str] = ()
        self.is_reading = True
        self._rest: Timer | None = None
        self._wanted: str | None = None  # the record to stand on once it is there

    def compose(self) -> ComposeResult:
        yield Head("Explore")
        with Horizontal(id="body"):
            with Vertical(id="sidebar"):
                yield Places()
                yield BudgetPanel()
            with Vertical(id="main"):
                with Container(id="comparison"):
                    yield VariantTable(self.view)
                    yield Scatter(self.view)
                yield Banner()
                yield Detail()
                yield Input(id="search", placeholder="words, or wer<5 ms<20 …", compact=True)
        yield Static("The terminal is too small: 60 columns and 16 lines are needed.", id="tiny")
        yield KeyLine()

    def on_mount(self) -> None:
        self.arrange_as_before()
        self.view.show_group(group_from(self.secateur.remembered.group))
        self.query_one(VariantTable).focus()
        self.query_one(Detail).say("Reading …")
        self.secateur.feed.ask_places(self)
        self._tell_head()
        if self.secateur.complaint:
            self.say(self.secateur.complaint, is_bad=True)

    # What the feed says.

    def on_places_read(self, message: PlacesRead) -> None:
        self.places = list(message.places)
        if message.faults and message.faults != self._faults:
            self.say(" ".join(message.faults), is_bad=True)
        self._faults = message.faults
        wanted = self.place.id if self.place else self.secateur.remembered.place
        chosen = next((place for place in self.places if place.id == wanted), None)
        chosen = chosen or next(iter(self.places), None)
        self.query_one(Places).show(self.places, chosen)
        if chosen is None:
            self.is_reading = False
            self.query_one(Detail).say(EMPTY)
        else:
            self._show_place(chosen)

    def on_records_read(self, message: RecordsRead) -> None:
        if self.place is None or message.place.id != self.place.id:
            return
        table = self.query_one(VariantTable)
        keep = self._wanted or self._key
        if message.is_first:
            self.view.clear()
            self._read = None
        self.is_reading = not message.is_last
        self.view.add(message.records)
        if message.is_last:
            self._wanted = None
            self._ask_computed()
            self.query_one(Places).count(self.place, len(self.view.records))
        table.show(keep=keep)
        self._tell_group()
        self.recommend()

    def on_detail_read(self, message: DetailRead) -> None:
        if message.detail.key == self._key:
            self._read = message.detail
            self._tell_detail()

    def on_computed_read(self, message: ComputedRead) -> None:
        self.view.computed[message.computed.key] = message.computed
        self.query_one(VariantTable).refresh()
        self._tell_detail()

    def on_news_arrived(self, message: NewsArrived) -> None:
        self._wanted = self._key
        self.secateur.feed.ask_places(self)

    def on_read_failed(self, message: ReadFailed) -> None:
        if message.question in ("places", "records"):
            self.is_reading = False
            self._tell_head()
        self.say(message.sentence, is_bad=True)
        if not self.view.records:
            self.query_one(Detail).say("Nothing could be read.")

    # What the user does.

    def on_places_chosen(self, message: Places.Chosen) -> None:
        self.view.clear()
        self._show_place(message.place)
        self.action_table()

    def on_budget_panel_changed(self, message: BudgetPanel.Changed) -> None:
        if self.place is None:
            return
        self.secateur.remembered.keep_limits(self._owner, message.limits)
        self.change(lambda: self.view.limit(message.limits))
        self.recommend()

    def on_budget_panel_refused(self, message: BudgetPanel.Refused) -> None:
        self.say(message.sentence, is_bad=True)

    def on_variant_table_moved(self) -> None:
        self._draw()
        if self._read and self._read.key == self._key:
            self._tell_detail()
            return
        self._read = None
        self._tell_detail()
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._ask_detail)

    def on_scatter_picked(self, message: Scatter.Picked) -> None:
        self.query_one(VariantTable).select(message.position)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "search":
            self.change(lambda: self.view.look_for(event.value))
            self._tell_head()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "search":
            self.action_table()

    def action_search(self) -> None:
        self.set_focus(self.query_one("#search", Input).add_class("-open"))

    def action_table(self) -> None:
        self._show_sidebar(in_use=False)
        self.set_focus(self.query_one(VariantTable))

    def action_back(self) -> None:
        """Out of the search, the banner, the sidebar: the last that was opened goes first."""
        search = self.query_one("#search", Input)
        in_table = self.focused is self.query_one(VariantTable)
        if self.focused is search or (search.value and in_table):
            search.value = ""
            search.remove_class("-open")
        else:
            self.query_one(Banner).close()
            self.recommend_no_more()
        self.action_table()

    def action_mark(self) -> None:
        if record := self.selected:
            if refusal := self.secateur.mark(record):
                self.say(refusal, is_bad=True)
            self._tell_head()
            self.query_one(VariantTable).marked = self.secateur.marked_keys
            self._draw()
            self.query_one(VariantTable).refresh()

    def action_compare(self) -> None:
        """The marked ones; without marks the selected one beside its dense model."""
        chosen = list(self.secateur.marks)
        at = self.query_one(VariantTable).selected
        if len(chosen) < 2 and at is not None:
            others = [self.view.dense_of(at), *chosen, self.view.records[at]]
            chosen = list({one.key: one for one in others if one}.values())
        if len(chosen) < 2:
            self.say("Mark two to four variants with the space bar, then compare.", is_bad=True)
        else:
            self.secateur.compare(chosen[:4])

    def action_recommend(self) -> None:
        if self.places:
            super().action_recommend()
        elif not self.is_reading:
            self.say(EMPTY)

    def action_group(self, step: int) -> None:
        groups = self.view.groups
        if len(groups) < 2:
            self.say("All results of this device are of one group: they can be compared.")
            return
        at = groups.index(self.view.group) if self.view.group in groups else 0
        group = groups[(at + step) % len(groups)]
        self.secateur.remembered.group = text_of(group)
        self.change(lambda: self.view.show_group(group))
        self._tell_group()
        self._ask_computed()
        self.recommend(moves=True)

    def action_budgets(self) -> None:
        self._show_sidebar(in_use=True)
        self.set_focus(self.query_one(BudgetPanel).first)

    def action_places(self) -> None:
        self._show_sidebar(in_use=True)
        self.set_focus(self.query_one(Places))

    def action_sidebar(self) -> None:
        self.secateur.remembered.sidebar = not self.query_one("#sidebar").display
        self.action_table()

    def action_result(self) -> None:
        from tui.screens.result import ResultScreen

        if told := self._told():
            self.app.push_screen(ResultScreen(told))

    def outgoing(self, svg: str = "") -> Outgoing:
        from tui.exporting import Outgoing

        record, read = self.selected, self._read
        return Outgoing(
            svg,
            [record.row for record in self.secateur.marks],
            [self.view.records[at].row for at in self.view.order],
            read.bundle if read else None,
            record.row.name if record else None,
        )

    def say(self, sentence: str, *, is_bad: bool = False) -> None:
        """Above the detail, until `escape`."""
        self.recommend_no_more()
        self.query_one(Banner).say(sentence, is_bad=is_bad)

    # What is shown.

    @property
    def selected(self) -> Record | None:
        at = self.query_one(VariantTable).selected
        return None if at is None else self.view.records[at]

    @property
    def _key(self) -> str | None:
        record = self.selected
        return record.key if record else None

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_sidebar, in_use=False)

    def before_jump(self) -> bool:
        was_shown = self.query_one("#sidebar").display
        self._show_sidebar(in_use=True)
        return not was_shown

    def jump_to(self, widget: Widget | None) -> None:
        target = widget or self.focused
        is_aside = target is not None and self.query_one("#sidebar") in target.ancestors
        self._show_sidebar(in_use=is_aside)
        if widget:
            self.set_focus(widget)

    def _show_sidebar(self, *, in_use: bool) -> None:
        """In a narrow terminal it is there only while it is used, and lies over the rest."""
        is_narrow = self.app.size.width < ROOMY
        shown = in_use or (self.secateur.remembered.sidebar and not is_narrow)
        self.query_one("#sidebar").display = shown
        self.query_one("#banner").set_class(shown and is_narrow, "-aside")

    def _show_place(self, place: Place) -> None:
        self.is_reading = True
        self.place = place
        self.secateur.remembered.place = place.id
        devices = [one.device for one in self.places if one.id.startswith(OF_DEVICE)]
        self.view.tell_apart(devices if place.id == ALL_DEVICES else ())
        self.secateur.feed.ask_records(self, place)
        self._tell_group()
        self.recommend(moves=True)

    @property
    def _owner(self) -> Owner:
        """Of the budgets that are shown."""
        place = self.place.id if self.place else ""
        return self.secateur.source.id, place, text_of(self.view.group)

    def _tell_group(self) -> None:
        """Another group may be shown, whose budgets are others."""
        if self.place:
            limits = self.secateur.remembered.limits(self._owner, self.place.limits)
            if limits != self.view.limits:
                self.change(lambda: self.view.limit(limits))
            self.query_one(BudgetPanel).show(limits)
        self._tell_head()

    def change(self, work: Callable[[], None]) -> None:
        """The cursor stays on its record, if that is still shown."""
        key = self._key
        work()
        self.query_one(VariantTable).show(keep=key)

    def _draw(self) -> None:
        marked = [self.view.position_of(key) for key in self.secateur.marked_keys]
        selected = self.query_one(VariantTable).selected
        self.query_one(Scatter).show(selected, [at for at in marked if at is not None])

    @property
    def is_resting(self) -> bool:
        """Between a move of the cursor and the question that follows."""
        return self._rest is not None

    def _ask_detail(self) -> None:
        self._rest = None
        at = self.query_one(VariantTable).selected
        if at is not None and self.view.records[at].key.isdigit():
            dense = self.view.dense_of(at)
            self.secateur.feed.ask_detail(self, self.view.records[at], dense)

    def _ask_computed(self) -> None:
        """Only of few: each opens a bundle and its graphs."""
        pairs = self.view.with_dense()
        if len(pairs) <= _COUNTED:
            self.secateur.feed.ask_computed(self, pairs)

    def _told(self) -> Told | None:
        at = self.query_one(VariantTable).selected
        return None if at is None else self.view.told(at, self._read)

    def _tell_detail(self) -> None:
        told = self._told()
        if told:
            self.query_one(Detail).tell(told)
        elif self.view.records:
            more = "n shows the next group, " if len(self.view.groups) > 1 else ""
            self.query_one(Detail).say(f"Nothing is found by this search: {more}escape clears it.")

    def _tell_head(self) -> None:
        view, place = self.view, self.place
        kind = "ESTIMATED " if place and place.kind == "estimated" else ""
        parts = [
            f"{kind}{place.name}" if place else "",
            view.label,
            f"{view.count} variants" if place else "",
            "reading …" if self.is_reading else "",
            f"/{view.search.query}" if view.search else "",
            f"{len(self.secateur.marks)} marked" if self.secateur.marks else "",
            self.secateur.source.title,
        ]
        self.query_one(Head).show(" · ".join(part for part in parts if part))
