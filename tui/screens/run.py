"""Jobs that measure right now, wherever they were started, and recordings of earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from speech.errors import BadInput
from speech.readable import expanded
from tui.desk import Desk
from tui.run_page import page, state
from tui.screens.pick import Choice, PickScreen
from tui.source.jobs import Playing, Recording
from tui.source.messages import ReadFailed, RecordingsRead
from tui.watched import counted
from tui.widgets.board import Board
from tui.widgets.head import Head
from tui.widgets.job_log import JobLog
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from tui.app import SecateurApp

HOW = (
    "Nothing is measured at the moment. R measures the marked variants, or the selected one, on "
    "this machine or on your devices; a attaches to a job that runs already; p plays a recorded "
    "one. Results are on the first screen as soon as a case has ended."
)
#: Seconds between two paints: a machine that measures itself is to be left alone.
_PAINT_EVERY = 0.25
#: Lines for jobs; of more the last ones are shown.
_JOBS = 4


class RunScreen(Screen[None]):
    CSS_PATH = "run.tcss"
    TITLE = "Run"
    HELP = (
        f"{HOW} Escape leaves everything running, and a line in the head says that it does; x "
        "looks on no longer, while the job goes on; X stops the job itself, and a goes on with it. "
        "Phases are medians; heat and clock are what "
        "the device's sampler reads."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.go('explore')", "Back"),
        Binding("a", "attach", "Attach"),
        Binding("p", "replay", "Replay"),
        Binding("n", "turn", "Next job"),
        Binding("x", "leave", "Look on no longer", show=False),
        Binding("X", "stop", "Stop the job", show=False),
        Binding("space", "pause", "Pause", key_display="␣"),
        Binding("less_than_sign", "slower", "Slower", key_display="<"),
        Binding("comma", "slower", "Slower", show=False),
        Binding("greater_than_sign", "faster", "Faster", key_display=">"),
        Binding("full_stop", "faster", "Faster", show=False),
        Binding("e", "to_the_end", "To its end"),
    ]

    def __init__(self) -> None:
        super().__init__(id="run")
        self._paint_soon: Timer | None = None
        self._complaint = ""

    @property
    def desk(self) -> Desk:
        return cast("SecateurApp", self.app).desk

    def compose(self) -> ComposeResult:
        yield Head("Run")
        yield Static(id="jobs")
        with Container(id="watch"):
            yield Board(id="run-board")
            yield JobLog()
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(Board).focus()

    def on_screen_resume(self) -> None:
        self._paint()

    def tell(self) -> None:
        """There is something new; it is painted soon, together with what comes until then."""
        if self.is_current and self._paint_soon is None:
            self._paint_soon = self.set_timer(_PAINT_EVERY, self._paint)

    def say(self, sentence: str) -> None:
        """A complaint, until something else is done."""
        self._complaint = sentence
        self._paint()

    def on_recordings_read(self, message: RecordingsRead) -> None:
        choices = [Choice(str(one.folder), _told(one)) for one in message.recordings]
        screen = PickScreen(
            "replay",
            choices,
            "There is no recording yet: every job that is measured leaves one.",
            "or the path of a journal.jsonl",
        )
        self.app.push_screen(screen, self._play)

    def on_read_failed(self, message: ReadFailed) -> None:
        self.say(message.sentence)

    def action_attach(self) -> None:
        self._try(self._ask_where)

    def action_replay(self) -> None:
        app = cast("SecateurApp", self.app)
        app.feed.ask_recordings(self, self.desk.runner)

    def action_turn(self) -> None:
        self._try(self.desk.turn)

    def action_leave(self) -> None:
        self._try(self.desk.leave)

    def action_stop(self) -> None:
        self._try(self.desk.stop)

    def action_pause(self) -> None:
        self._steer(lambda playing: playing.pause())

    def action_slower(self) -> None:
        self._steer(lambda playing: playing.slower())

    def action_faster(self) -> None:
        self._steer(lambda playing: playing.faster())

    def action_to_the_end(self) -> None:
        self._steer(lambda playing: playing.to_the_end())

    def _ask_where(self) -> None:
        choices = [Choice(name, name) for name in self.desk.runner.devices()]
        screen = PickScreen(
            "attach to a job on", choices, "", "the job's id; without it the newest one"
        )
        self.app.push_screen(screen, self._follow)

    def _follow(self, picked: tuple[str | None, str] | None) -> None:
        if picked and picked[0]:
            device, job = picked[0], picked[1] or None
            self._try(lambda: self.desk.attach(device, job))

    def _play(self, picked: tuple[str | None, str] | None) -> None:
        if picked and any(picked):
            place = expanded(picked[1] or picked[0] or "")
            self._try(lambda: self.desk.play(place))

    def _steer(self, turn: Callable[[Playing], None]) -> None:
        playing = self.desk.playing
        if playing:
            self._try(lambda: turn(playing))

    def _try(self, work: Callable[[], None]) -> None:
        self._complaint = ""
        try:
            work()
        except BadInput as problem:
            self._complaint = str(problem)
        self._paint()

    def _paint(self) -> None:
        if self._paint_soon:
            self._paint_soon.stop()
            self._paint_soon = None
        if not self.is_mounted:
            return
        job = self.desk.shown
        self.query_one("#jobs", Static).update(self._jobs())
        self.query_one(Board).show(self._content)
        log = self.query_one(JobLog)
        log.display = job is not None
        if job:
            log.show(job, list(job.log), job.logged)

    def _jobs(self) -> Text:
        lines = []
        playing = self.desk.playing
        for at, job in list(enumerate(self.desk.jobs))[-_JOBS:]:
            how = _played(playing) if playing and at == self.desk.at else ""
            line = state(job, how)
            if at == self.desk.at:
                line.stylize("bold reverse" if len(self.desk.jobs) > 1 else "bold")
            lines.append(line)
        if self._complaint:
            lines.append(Text(f"✗ {self._complaint}", "bold"))
        return Text("\n").join(lines)

    def _content(self, width: int) -> RenderableType:
        job = self.desk.shown
        return page(job, width) if job else Text(HOW)


def _played(playing: Playing) -> str:
    return "paused" if playing.is_paused else f"×{playing.speed:g}"


def _told(one: Recording) -> str:
    ending = "" if one.has_ended else ", not its end"
    cases = counted(one.cases, "case")
    return f"{one.created[:16].replace('T', ' ')}  {one.device}  {one.job}  {cases}{ending}"
