"""Why a turn failed, in one sentence and in one word that a table can count."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from bench.agent.events import Reason, TurnEnded
from runtime.out_of_memory import tells_of_memory
from speech.errors import BadInput

_LONGEST = 400  # characters of somebody else's words


def failed_turn(case: str, turn: int, problem: BaseException, limit_mb: int | None) -> TurnEnded:
    """From what was raised in the measuring process."""
    for error in reversed([*_chain(problem)]):  # the first words, not advice put around them
        if tells_of_memory(f"{type(error).__name__}: {error}"):
            told = memory_sentence(str(error) or str(problem), limit_mb)
            return TurnEnded(case, turn, None, told, "memory")
    if isinstance(problem, BadInput):
        return TurnEnded(case, turn, None, str(problem), "input")
    said = f"{type(problem).__name__}: {_last_words(str(problem))}"
    return TurnEnded(case, turn, None, said, "crash")


def ended_badly(case: str, turn: int, code: int, log: str, limit_mb: int | None) -> TurnEnded:
    """From how the measuring process ended without saying so, and what it left in its log."""
    error, reason = _how_it_ended(code, log, limit_mb)
    return TurnEnded(case, turn, None, error, reason)


def too_late(case: str, turn: int, seconds: float) -> TurnEnded:
    error = f"Took longer than {seconds:g} s and was stopped."
    return TurnEnded(case, turn, None, error, "timeout")


def memory_sentence(detail: str, limit_mb: int | None) -> str:
    limit = f" (the limit is {limit_mb} MB)" if limit_mb is not None else ""
    told = _last_words(detail).rstrip(".")
    return f"Memory ran out{limit}: {told}." if told else f"Memory ran out{limit}."


def _how_it_ended(code: int, log: str, limit_mb: int | None) -> tuple[str, Reason]:
    last = _last_words(log) or "it said nothing"
    if code == -signal.SIGKILL:
        why = "Was killed (SIGKILL): most often the system does this when memory runs out."
        return why, "memory"
    if tells_of_memory(log):
        return memory_sentence(last, limit_mb), "memory"
    if code < 0:
        return f"Crashed with {_signal_name(-code)}.", "crash"
    return f"The measuring process ended with code {code}: {last}", "crash"


def _last_words(text: str) -> str:
    """The last line that says something; libraries put advice before it."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line[:_LONGEST] for line in reversed(lines) if line.strip(".")), "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__
