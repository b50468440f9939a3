"""What one machine says of itself: pure parsers of the texts that Linux and macOS offer.

Reading those texts is the work of `reading`; here a recorded text gives the same answer anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Names the kernel or sysctl uses, and the name a profile uses for the same thing.
_LINUX_FLAGS = {
    "asimd": "neon",
    "neon": "neon",
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sme": "sme",
    "avx2": "avx2",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni",
    "avx_vnni": "avx_vnni",
    "amx_int8": "amx_int8",
}
_SYSCTL_FLAGS = {
    "hw.optional.AdvSIMD": "neon",
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_FP16": "fp16",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_SME": "sme",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.avx512f": "avx512f",
}
# MIDR implementer and part numbers; the kernel gives no name for ARM cores.
_ARM_PARTS = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
}


@dataclass(frozen=True)
class Machine:
    """The facts that decide how a bundle runs here."""

    model: str  # the board or Mac model; empty where nothing says
    cpu: str
    cores: int  # logical CPUs
    memory_mb: int  # as the kernel reports it, so below the nominal size; 0 where unknown
    architecture: str  # aarch64, armv7l, x86_64; of the running Python, not of the kernel
    page_kb: int
    instruction_sets: tuple[str, ...]


def linux_machine(
    *,
    cpuinfo: str,
    meminfo: str,
    device_tree_model: str,
    architecture: str,
    pointer_bits: int,
    page_kb: int,
) -> Machine:
    """From /proc/cpuinfo, /proc/meminfo and /proc/device-tree/model (NUL-terminated, or empty)."""
    pairs = _pairs(cpuinfo)
    flags = f"{pairs.get('Features', '')} {pairs.get('flags', '')}".split()
    return Machine(
        model=device_tree_model.strip("\0\n ") or pairs.get("Model", ""),
        cpu=_linux_cpu(pairs, architecture),
        cores=max(1, sum(line.startswith("processor") for line in cpuinfo.splitlines())),
        memory_mb=_kilobytes(_pairs(meminfo).get("MemTotal", "")) // 1024,
        architecture=_userland(architecture, pointer_bits),
        page_kb=page_kb,
        instruction_sets=_translated(_LINUX_FLAGS, flags),
    )


def macos_machine(sysctl: str, *, architecture: str) -> Machine:
    """From the output of `sysctl -a` or `sysctl hw machdep.cpu`: one `key: value` a line."""
    pairs = _pairs(sysctl)
    flags = [key for key, value in pairs.items() if key in _SYSCTL_FLAGS and value == "1"]
    return Machine(
        model=pairs.get("hw.model", ""),
        cpu=pairs.get("machdep.cpu.brand_string", ""),
        cores=max(1, _number(pairs.get("hw.logicalcpu", pairs.get("hw.ncpu", "")))),
        memory_mb=_number(pairs.get("hw.memsize", "")) // 2**20,
        architecture="aarch64" if architecture == "arm64" else architecture,
        page_kb=max(1, _number(pairs.get("hw.pagesize", "")) // 1024),
        instruction_sets=_translated(_SYSCTL_FLAGS, flags),
    )


def _linux_cpu(pairs: Mapping[str, str], architecture: str) -> str:
    name = pairs.get("model name", "")
    if name and not name.startswith("ARMv"):
        return name
    part = (pairs.get("CPU implementer", ""), pairs.get("CPU part", ""))
    return _ARM_PARTS.get(part) or name or architecture


def _userland(architecture: str, pointer_bits: int) -> str:
    """A 32-bit Python on a 64-bit kernel is common on a Pi and cannot load 64-bit wheels."""
    if pointer_bits == 32:
        return {"aarch64": "armv7l", "arm64": "armv7l", "x86_64": "i686"}.get(
            architecture, architecture
        )
    return "aarch64" if architecture == "arm64" else architecture


def _pairs(text: str) -> dict[str, str]:
    """`key : value` lines; the first value of a key wins, so the first core speaks for all."""
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            pairs.setdefault(key.strip(), value.strip())
    return pairs


def _translated(names: Mapping[str, str], flags: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names[flag] for flag in names if flag in flags))


def _kilobytes(text: str) -> int:
    return _number(text.removesuffix("kB").strip())


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
