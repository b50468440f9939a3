"""The inside of a measuring process: its limits, and how it talks with the supervisor."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from bench.agent.events import Event, event_to_json
from bench.agent.failure import failed_turn
from bench.agent.turn import TurnOrder, limit_memory, read_order, take_turn


def run_turn(file: Path) -> int:
    """Take the turn that `file` asks for and print its events; the exit code."""
    order = read_order(file)
    if order.acknowledged:  # Ctrl-C is for the supervisor, which then ends this process
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_the_supervisor()
    _be_first_to_go()
    talk = _Talk(order.acknowledged)
    try:
        if order.memory_limit_mb is not None:
            limit_memory(order.memory_limit_mb)
        take_turn(order, talk.tell)
    except Exception as problem:
        traceback.print_exc()
        talk.tell(_failure(order, problem))
    return 0


def _failure(order: TurnOrder, problem: Exception) -> Event:
    return failed_turn(order.case, order.turn, problem, order.memory_limit_mb)


class _Talk:
    """Events on what was standard output; what libraries print there goes to standard error."""

    def __init__(self, acknowledged: bool):
        self._acknowledged = acknowledged
        sys.stdout.flush()
        self._out = os.dup(1)
        os.dup2(2, 1)

    def tell(self, event: Event) -> None:
        rest = memoryview(f"{event_to_json(event)}\n".encode())
        while rest:
            rest = rest[os.write(self._out, rest) :]
        if self._acknowledged and not os.read(0, 1):
            os._exit(1)  # the supervisor is gone, and nobody would hear the rest


def _die_with_the_supervisor() -> None:
    """However it goes: a turn that runs on would disturb the next one."""
    if sys.platform != "linux":
        return
    import ctypes

    set_death_signal = 1  # PR_SET_PDEATHSIG
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)


def _be_first_to_go() -> None:
    """When the machine's memory runs out, the system is to kill this process, not another."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
