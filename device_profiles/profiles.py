"""Device profiles: what data sheets say of each machine, and the targets a model should meet there.

A profile holds facts (cores, memory, instruction sets) and budgets (targets, freely edited).
It never holds measurements: those come from `bench` and carry their own environment.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

PROFILE_FOLDER = Path(__file__).parent
PRECISIONS = ("fp32", "fp16", "int8", "int4")
# Only what decides which kernels onnxruntime can pick; not every flag a CPU reports.
INSTRUCTION_SETS = (
    *("neon", "fp16", "dotprod", "i8mm", "bf16", "sve", "sme"),
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
)


class ProfileError(ValueError):
    """One sentence: which file and key, what is wrong there, and the nearest valid spelling."""


@dataclass(frozen=True)
class Budgets:
    """What a model may cost on the device: targets to edit, not measurements."""

    real_time_factor: float  # seconds of work per second of audio, end to end
    memory_mb: int  # peak resident memory of the recogniser's process, MiB
    size_mb: int  # files the device needs, MiB
    wer_loss_points: float  # percentage points of WER above the dense model


@dataclass(frozen=True)
class Peaks:
    """What the hardware could do at best, by its makers' figures: a guess starts from it.

    Billions of operations a second of one core, where a multiplication and its addition are two;
    billions of bytes a second that all cores together can read.
    """

    fp32_gops: float
    int8_gops: float
    bandwidth_gb: float


@dataclass(frozen=True)
class Profile:
    """One kind of device, as its makers describe it."""

    id: str
    name: str
    cpu: str
    cores: int
    architecture: str  # as `platform.machine()` reports it on Linux: aarch64, x86_64
    instruction_sets: tuple[str, ...]  # see INSTRUCTION_SETS
    memory_mb: int  # nominal, MiB; the kernel always reports a little less
    page_kb: int
    threads: int  # to start with; more is rarely faster than the count of big cores
    recommended_precision: str  # to start with; see PRECISIONS
    detect: tuple[str, ...]  # a machine whose model or CPU begins with one of these is this device
    sources: tuple[str, ...]  # where the facts come from
    notes: str
    budgets: Budgets
    peaks: Peaks

    def with_memory(self, memory_mb: int) -> Profile:
        """The same board in another memory size (`pi-4b-2gb`); budget at most half of it."""
        gigabytes = memory_mb // 1024
        budget = replace(self.budgets, memory_mb=min(self.budgets.memory_mb, memory_mb // 2))
        return replace(
            self,
            id=f"{self.id}-{gigabytes}gb",
            name=f"{self.name} ({gigabytes} GB)",
            memory_mb=memory_mb,
            budgets=budget,
        )


_TEXTS = ("id", "name", "cpu", "architecture", "recommended_precision", "notes")
_COUNTS = ("cores", "memory_mb", "page_kb", "threads")
_LISTS = ("instruction_sets", "detect", "sources")
_VARIANTS = "memory_options_mb"


def load_profiles(folder: Path = PROFILE_FOLDER) -> dict[str, Profile]:
    """Every profile in the folder by id; a board with several memory sizes appears once per size.

    The plain id (`pi-4b`) stays too and means the size its file names first.
    """
    profiles: dict[str, Profile] = {}
    for path in sorted(folder.glob("*.toml")):
        for profile in read_profile(path):
            if profile.id in profiles:
                raise ProfileError(f"{path.name}: id {profile.id!r} is taken by another profile.")
            profiles[profile.id] = profile
    return profiles


def load_profile(identifier: str, folder: Path = PROFILE_FOLDER) -> Profile:
    """The profile with this id (`pi-5-8gb`, `m2`, …); see `probe.this_profile` for this machine."""
    profiles = load_profiles(folder)
    if identifier not in profiles:
        raise ProfileError(
            f"No device profile is called {identifier!r}{_nearest(identifier, profiles)}"
        )
    return profiles[identifier]


def read_profile(path: Path) -> list[Profile]:
    """One TOML file: the profile itself, then one per memory size in `memory_options_mb`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise ProfileError(f"{path}: cannot be read ({problem}).") from problem
    except tomllib.TOMLDecodeError as problem:
        raise ProfileError(f"{path.name}: is not valid TOML ({problem}).") from problem
    profile = _profile(table, path.name)
    options = table.get(_VARIANTS, [])
    if not isinstance(options, list) or not all(_is_count(size) for size in options):
        raise ProfileError(
            f"{path.name}: {_VARIANTS} must be a list of whole MiB, got {options!r}."
        )
    return [profile, *(profile.with_memory(size) for size in options)]


def _profile(table: Mapping[str, object], file: str) -> Profile:
    known = [field.name for field in fields(Profile)]
    _check_keys(table, known, file, "", optional=(_VARIANTS,))
    values: dict[str, object] = {}
    for key in _TEXTS:
        values[key] = _expect(table[key], isinstance(table[key], str), file, key, "text")
    for key in _COUNTS:
        values[key] = _expect(
            table[key], _is_count(table[key]), file, key, "a whole number above 0"
        )
    for key in _LISTS:
        values[key] = tuple(_texts(table[key], file, key))
    values["budgets"] = _budgets(table["budgets"], file)
    values["peaks"] = _peaks(table["peaks"], file)
    profile = Profile(**values)  # type: ignore[arg-type]  # every value was checked just above
    _check_words((profile.recommended_precision,), PRECISIONS, file, "recommended_precision")
    _check_words(profile.instruction_sets, INSTRUCTION_SETS, file, "instruction_sets")
    if profile.threads > profile.cores:
        raise ProfileError(
            f"{file}: threads is {profile.threads}, more than its {profile.cores} cores."
        )
    return profile


def _budgets(value: object, file: str) -> Budgets:
    if not isinstance(value, dict):
        raise ProfileError(f"{file}: budgets must be a table, got {value!r}.")
    _check_keys(value, [field.name for field in fields(Budgets)], file, "budgets.")
    for key in ("real_time_factor", "wer_loss_points"):
        _expect(value[key], _is_above_0(value[key]), file, f"budgets.{key}", "a number above 0")
    for key in ("memory_mb", "size_mb"):
        _expect(value[key], _is_count(value[key]), file, f"budgets.{key}", "whole MiB above 0")
    return Budgets(**value)


def _peaks(value: object, file: str) -> Peaks:
    if not isinstance(value, dict):
        raise ProfileError(f"{file}: peaks must be a table, got {value!r}.")
    known = [field.name for field in fields(Peaks)]
    _check_keys(value, known, file, "peaks.")
    for key in known:
        _expect(value[key], _is_above_0(value[key]), file, f"peaks.{key}", "a number above 0")
    return Peaks(**value)


def _check_keys(
    table: Mapping[str, object],
    known: list[str],
    file: str,
    prefix: str,
    optional: tuple[str, ...] = (),
) -> None:
    for key in table:
        if key not in known and key not in optional:
            raise ProfileError(
                f"{file}: unknown key {prefix + key!r}{_nearest(key, [*known, *optional])}"
            )
    for key in known:
        if key not in table:
            raise ProfileError(f"{file}: the key {prefix + key!r} is missing.")


def _check_words(words: tuple[str, ...], valid: tuple[str, ...], file: str, key: str) -> None:
    for word in words:
        if word not in valid:
            raise ProfileError(f"{file}: {key} has unknown value {word!r}{_nearest(word, valid)}")


def _expect(value: object, good: bool, file: str, key: str, wanted: str) -> object:
    if not good:
        raise ProfileError(f"{file}: {key} must be {wanted}, got {value!r}.")
    return value


def _texts(value: object, file: str, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProfileError(f"{file}: {key} must be a list of texts, got {value!r}.")
    return value


def _is_above_0(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _nearest(word: str, valid: Iterable[str]) -> str:
    choices = list(valid)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(choices)}."
