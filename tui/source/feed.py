"""Asks a source in threads of its own, so that nobody waits, and sends on what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from textual.message import Message
from textual.worker import Worker, get_current_worker

from runtime.crash import sentence_about
from speech.cache_folder import cache_folder
from speech.errors import BadInput
from tui.source.jobs import Runner
from tui.source.messages import (
    ComputedRead,
    DetailRead,
    PastRead,
    PlacesRead,
    ReadFailed,
    RecordingsRead,
    RecordsRead,
    SensitivitiesRead,
)
from tui.source.records import Detail, Place, Record, Source
from tui.source.shown import shown

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.message_pump import MessagePump

Say = Callable[[Message], object]


class Feed:
    """Of one kind of question only the last is answered: whoever asks again has moved on."""

    def __init__(self, source: Source, owner: DOMNode):
        self.source = source
        self._owner = owner

    def ask_places(self, to: MessagePump) -> None:
        def answer(say: Say) -> None:
            places = self.source.places()
            say(PlacesRead(places, self.source.faults))

        self._ask("places", to, answer)

    def ask_records(self, to: MessagePump, place: Place) -> None:
        def answer(say: Say) -> None:
            is_first = True
            with closing(self.source.records(place)) as batches:  # type: ignore[type-var]
                for batch in batches:
                    say(RecordsRead(place, batch, is_first, False))
                    is_first = False
            say(RecordsRead(place, (), is_first, True))

        self._ask("records", to, answer)

    def ask_detail(self, to: MessagePump, record: Record, dense: Record | None) -> None:
        """First what was measured, then what takes longer: counting operations."""

        def answer(say: Say) -> None:
            found = self.source.detail(record)
            say(DetailRead(found))
            base: Detail | None = None
            if found.bundle and dense:
                base = self.source.detail(dense)
            counted = self.source.computed(found, base)
            if counted:
                say(ComputedRead(counted))

        self._ask("detail", to, answer)

    def ask_computed(self, to: MessagePump, pairs: Sequence[tuple[Record, Record]]) -> None:
        """Of each of the pairs, whose second one is the dense model, as soon as it is counted."""

        def answer(say: Say) -> None:
            for record, dense in pairs:
                found = self.source.detail(record)
                base = self.source.detail(dense) if found.bundle else None
                counted = self.source.computed(found, base)
                if counted:
                    say(ComputedRead(counted))

        self._ask("computed", to, answer)

    def ask_past(self, to: MessagePump, record: Record) -> None:
        self._ask("past", to, lambda say: say(PastRead(record, self.source.past(record))))

    def ask_sensitivities(self, to: MessagePump) -> None:
        self._ask(
            "sensitivities", to, lambda say: say(SensitivitiesRead(self.source.sensitivities()))
        )

    def ask_recordings(self, to: MessagePump, runner: Runner) -> None:
        self._ask("recordings", to, lambda say: say(RecordingsRead(runner.recordings())))

    def _ask(self, kind: str, to: MessagePump, answer: Callable[[Say], object]) -> Worker[None]:
        def work() -> None:
            worker = get_current_worker()

            def say(message: Message) -> None:
                if worker.is_cancelled:
                    raise _MovedOn
                to.post_message(shown(message))

            try:
                answer(say)
            except BadInput as problem:
                if not worker.is_cancelled:
                    to.post_message(shown(ReadFailed(str(problem), kind)))
            except _MovedOn:
                return
            except Exception as fault:  # of ours: it costs this answer, and not the app
                to.post_message(ReadFailed(sentence_about(fault, cache_folder)))

        return self._owner.run_worker(work, thread=True, group=kind, exclusive=True)


class _MovedOn(Exception):  # noqa: N818 - not a fault
    """Nobody waits for this answer any more."""
