"""Whether this machine only pretends to be an ARM one, so that no figure of it counts as one.

qemu's user mode runs a foreign program on the host's own kernel. It hides much, but not all: the
kernel still tells of an x86 processor, and another process is still seen to be qemu itself.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

_MODALIAS = Path("/sys/devices/system/cpu/modalias")
_INTERRUPTS = Path("/proc/interrupts")


def emulation_signs() -> tuple[str, ...]:
    """Why this machine is believed to be emulated; empty for a real one."""
    return signs_in(
        architecture=platform.machine(),
        modalias=_text(_MODALIAS),
        interrupts=_text(_INTERRUPTS),
        child_program=_program_of_a_child(),
    )


def signs_in(
    *, architecture: str, modalias: str, interrupts: str, child_program: str
) -> tuple[str, ...]:
    """From the texts of those two files, and what a child's /proc/PID/exe leads to."""
    claims_x86 = architecture in ("x86_64", "i686", "AMD64")
    signs = []
    if not claims_x86 and modalias.startswith("cpu:type:x86"):
        signs.append("the kernel names an x86 processor")
    if not claims_x86 and "IO-APIC" in interrupts:
        signs.append("interrupts come from an x86 controller")
    if Path(child_program).name.startswith("qemu-"):
        signs.append("processes run in qemu")
    return tuple(signs)


def _program_of_a_child() -> str:
    """qemu answers for the process itself with the program it plays, but not for another one."""
    if not Path("/proc/self/exe").exists():
        return ""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)  # until the parent has looked
        os._exit(0)
    try:
        return str(Path(f"/proc/{child}/exe").readlink())
    except OSError:
        return ""
    finally:
        os.close(reading)
        os.close(writing)
        os.waitpid(child, 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
