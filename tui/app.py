"""The terminal app: it shows what its source says and remembers how it was left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen
from textual.signal import Signal

from bench.groups import group_of, labels
from speech.errors import BadInput
from speech.printable import printable_lines
from tui.desk import Desk
from tui.remembered import Remembered, read_remembered
from tui.screens.explore import ROOMY, ExploreScreen
from tui.screens.later import LATER
from tui.source.feed import Feed
from tui.source.jobs import JobNews, Landed, Order, Runner
from tui.source.messages import NewsArrived
from tui.source.records import Record, Source
from tui.themes import DARK, THEMES, VARIABLES
from tui.visible import Visible

if TYPE_CHECKING:
    from tui.screens.compare import CompareScreen
    from tui.screens.run import RunScreen

#: Seconds between looks at whether there is something new.
_LOOK = 2.0
#: So many fit beside each other.
_MARKS = 4
_VISIBLE = Visible()


def _device_runner(source: Source) -> Runner:
    """SSH, corpora and all that a job takes are read when somebody wants one."""
    from tui.source.running import DeviceRunner

    return DeviceRunner(source)


class SecateurApp(App[None]):
    """Which variant to keep. `memory` is the file it remembers things in, if it is to."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "app.tcss",
        *(f"widgets/{name}.tcss" for name in
          ("table", "scatter", "detail", "places", "budgets", "board", "head", "key_line",
           "job_log")),
    ]  # fmt: skip
    TITLE = "Secateur"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (ROOMY, "-middle"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-low"), (34, "-tall"), (46, "-high")]  # noqa: RUF012
    SCREENS: ClassVar[Any] = {"explore": ExploreScreen, **LATER}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go('explore')", "Explore", show=False),
        Binding("2", "go('compare')", "Compare", show=False),
        Binding("3", "go('sensitivity')", "Sensitivity", show=False),
        Binding("4", "go('history')", "History", show=False),
        Binding("5", "go('run')", "Run", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("R", "benchmark", "Benchmark"),
        Binding("f", "jump", "Jump"),
        Binding("ctrl+p", "command_palette", "Palette", priority=True),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self, source: Source, memory: Path | None = None, runner: Runner | None = None
    ) -> None:
        super().__init__()
        self.source = source
        self.feed = Feed(source, self)
        self.desk = Desk(lambda: runner or _device_runner(source), self.post_message)
        self.jobs_changed: Signal[str] = Signal(self, "jobs")
        self.marks: list[Record] = []
        self._memory = memory
        self._stamp: object = None
        self.complaint = ""
        self.remembered = self._recall()

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), _VISIBLE]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        known = self.remembered.theme in self.available_themes
        self.theme = self.remembered.theme if known else DARK.name
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))
        self.push_screen("explore")
        self._stamp = self.source.stamp()
        self.set_interval(_LOOK, self._look)

    @property
    def explore(self) -> ExploreScreen:
        return self.get_screen("explore", ExploreScreen)

    @property
    def selected(self) -> Record | None:
        return self.explore.selected

    @property
    def is_busy(self) -> bool:
        """Whether something was asked for that is not shown yet."""
        return self.explore.is_resting or any(not worker.is_finished for worker in self.workers)

    @property
    def marked_keys(self) -> list[str]:
        return [record.key for record in self.marks]

    def mark(self, record: Record) -> str | None:
        """Or no longer, if it is; a sentence where it cannot be."""
        if record.key in self.marked_keys:
            self.marks = [one for one in self.marks if one.key != record.key]
        elif self.marks and group_of(record.row) != group_of(self.marks[0].row):
            others = labels([group_of(record.row), group_of(self.marks[0].row)])
            mine, theirs = others.values()
            return (
                f"{record.row.name} is of {mine}, and the marked ones are of {theirs}, which "
                "cannot be compared: unmark those first."
            )
        elif len(self.marks) == _MARKS:
            return "Four are marked, and no more fit beside each other: unmark one first."
        else:
            self.marks.append(record)
        return None

    def compare(self, records: Sequence[Record]) -> None:
        cast("CompareScreen", self.get_screen("compare")).show(records)
        self.action_go("compare")

    def action_go(self, name: str) -> None:
        """The first screen lies under whichever is shown."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if name != "explore":
            self.push_screen(name)

    def pop_screen(self) -> AwaitComplete:
        """Two keys at once may ask twice to leave a screen: the first one stays all the same."""
        if len(self.screen_stack) <= 2:
            return AwaitComplete()
        return super().pop_screen()

    def on_job_news(self, message: JobNews) -> None:
        before = self.desk.line
        self.desk.take(message)
        if isinstance(message.news, Landed):
            self._look()
        self._tell_jobs(before)

    def action_benchmark(self) -> None:
        """The marked variants, or the selected one; nothing begins before it was agreed to."""
        from tui.screens.start import StartScreen

        if isinstance(self.screen, ModalScreen):
            return
        records = self.marks or [record for record in [self.selected] if record]
        try:
            devices = self.desk.runner.devices()
        except BadInput as problem:
            self.action_go("run")
            self._run_screen.say(str(problem))
            return
        place = self.explore.place
        device = place.name if place and place.name in devices else devices[0]
        self.push_screen(StartScreen(records, devices, device), self._start)

    def _start(self, orders: Sequence[Order] | None) -> None:
        if not orders:
            return
        before, complaint = self.desk.line, ""
        try:
            self.desk.start(orders)
        except BadInput as problem:
            complaint = str(problem)
        self.action_go("run")
        self._run_screen.say(complaint)
        self._tell_jobs(before)

    def _tell_jobs(self, before: str) -> None:
        self._run_screen.tell()
        if self.desk.line != before:
            self.jobs_changed.publish(self.desk.line)

    @property
    def _run_screen(self) -> RunScreen:
        return cast("RunScreen", self.get_screen("run"))

    def action_jump(self) -> None:
        """Letters over all that can be gone to from here."""
        from tui.screens.jump import jump

        if not isinstance(self.screen, ModalScreen):
            jump(self.screen)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Whatever has a key, by its name; themes are chosen here, too."""
        told = set()
        for binding in screen.active_bindings.values():
            words, action = binding.binding.description, binding.binding.action
            if words and binding.node in (screen, self) and words not in told:
                told.add(words)
                key = self.get_key_display(binding.binding)
                node = binding.node
                yield SystemCommand(
                    words, f"key {key}", lambda act=action, on=node: self._run(act, on)
                )
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)

    async def _run(self, action: str, node: Any) -> None:
        await self.run_action(action, node)

    async def action_quit(self) -> None:
        parting = [*self.desk.part(), *self._keep()]
        self.exit(message=Text(printable_lines("\n".join(parting))) if parting else None)

    def _look(self) -> None:
        stamp = self.source.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self.explore.post_message(NewsArrived())

    @property
    def fault(self) -> Exception | None:
        """What ended the app, if it was not the user."""
        return self._exception

    def _fatal_error(self) -> None:
        """Without Textual's pages of traceback: `opening.run` raises it as it is."""
        self._close_messages_no_wait()

    def _recall(self) -> Remembered:
        if self._memory is None:
            return Remembered()
        try:
            return read_remembered(self._memory)
        except BadInput as problem:
            self.complaint = str(problem)
            return Remembered()

    def _keep_theme(self, name: str) -> None:
        self.remembered.theme = name

    def _keep(self) -> list[str]:
        """What could not be, in a sentence."""
        if self._memory is None:
            return []
        try:
            self.remembered.write(self._memory)
        except BadInput as problem:
            return [str(problem)]
        return []
