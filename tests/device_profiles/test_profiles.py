"""Profiles: true facts, and a sentence for every way a file can be wrong."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from device_profiles.profiles import (
    PROFILE_FOLDER,
    ProfileError,
    load_profile,
    load_profiles,
    read_profile,
)


def test_every_shipped_profile_loads_and_is_called_like_its_file() -> None:
    profiles = load_profiles()
    for path in PROFILE_FOLDER.glob("*.toml"):
        assert profiles[path.stem].id == path.stem
    boards = {f"pi-4b-{size}gb" for size in (2, 4, 8)} | {f"pi-5-{size}gb" for size in (4, 8, 16)}
    macs = {"m1", "m2", "m3", "m4"}
    assert profiles.keys() >= boards | macs | {"pi-zero-2w", "pi-3b-plus", "generic-arm64"}


def test_facts_that_decide_kernels_and_memory() -> None:
    profiles = load_profiles()
    assert "dotprod" not in profiles["pi-zero-2w"].instruction_sets
    assert "dotprod" not in profiles["pi-4b"].instruction_sets
    assert "dotprod" in profiles["pi-5"].instruction_sets
    assert "i8mm" not in profiles["m1"].instruction_sets
    assert "i8mm" in profiles["m2"].instruction_sets
    assert profiles["pi-zero-2w"].memory_mb == 512
    assert [profiles[name].page_kb for name in ("pi-4b", "pi-5", "m1")] == [4, 16, 16]
    assert all(profile.cores == 4 for name, profile in profiles.items() if name.startswith("pi-"))


def test_a_variant_differs_only_in_memory_and_never_budgets_over_half_of_it() -> None:
    small, plain = load_profile("pi-4b-1gb"), load_profile("pi-4b")
    assert (small.memory_mb, small.budgets.memory_mb) == (1024, 512)
    assert (small.cpu, small.instruction_sets) == (plain.cpu, plain.instruction_sets)
    for profile in load_profiles().values():
        assert profile.budgets.memory_mb <= profile.memory_mb / 2


def test_unknown_id_names_the_nearest() -> None:
    with pytest.raises(ProfileError, match=r"'pi-4'.*did you mean 'pi-4b'"):
        load_profile("pi-4")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("cores = 4", "coers = 4", "pi-4b.toml: unknown key 'coers'; did you mean 'cores'?"),
        ("cores = 4", "", "pi-4b.toml: the key 'cores' is missing"),
        ("cores = 4", "cores = true", "cores must be a whole number above 0, got True"),
        ("cores = 4", 'cores = "4"', "cores must be a whole number above 0, got '4'"),
        ("threads = 4", "threads = 8", "threads is 8, more than its 4 cores"),
        ('["neon"]', '["neno"]', "unknown value 'neno'; did you mean 'neon'?"),
        ('["neon"]', '"neon"', "instruction_sets must be a list of texts"),
        ('"int8"', '"int9"', "recommended_precision has unknown value 'int9'"),
        ("[budgets]", "[budget]", "unknown key 'budget'; did you mean 'budgets'?"),
        ("size_mb = 256", "size_mb = 0.5", "budgets.size_mb must be whole MiB above 0, got 0.5"),
        ("size_mb = 256", "size = 256", "unknown key 'budgets.size'; did you mean 'size_mb'?"),
        ("real_time_factor = 0.5", "real_time_factor = -1", "budgets.real_time_factor must be"),
        (
            "fp32_gops = 12.0",
            "fp32_gops = inf",
            "peaks.fp32_gops must be a number above 0, got inf",
        ),
        ("[peaks]", "[peak]", "unknown key 'peak'; did you mean 'peaks'?"),
        ("bandwidth_gb = 12.8", "", "the key 'peaks.bandwidth_gb' is missing"),
        ("[1024, 2048, 4096, 8192]", "[-1]", "memory_options_mb must be a list of whole MiB"),
        ('id = "pi-4b"', "id = ", "pi-4b.toml: is not valid TOML"),
    ],
)
def test_each_mistake_is_one_sentence_naming_file_key_and_nearest(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    file = tmp_path / "pi-4b.toml"
    text = (PROFILE_FOLDER / "pi-4b.toml").read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ProfileError, match=re.escape(complaint)):
        read_profile(file)


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        shutil.copy(PROFILE_FOLDER / "m1.toml", tmp_path / name)
    with pytest.raises(ProfileError, match=r"b\.toml: id 'm1' is taken"):
        load_profiles(tmp_path)


def test_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        read_profile(tmp_path / "none.toml")
