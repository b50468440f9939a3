"""Numbers that no command can use are refused as options, before anything is read."""

import pytest

from tests.pipeline.command_line import secateur

SEEDED = (
    "bench none",
    "eval none",
    "prune none --method mp_local --sparsity 0.5 -o none",
    "sensitivity none --corpus demo",
    "sweep --model none --corpus demo --methods mp_local --sparsities 0.5 -o none",
)


def complaint(command: str, *words: str) -> str:
    done = secateur(*command.split(), *words)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
@pytest.mark.parametrize("command", SEEDED)
def test_a_seed_that_not_everything_takes(command: str, seed: str) -> None:
    assert "Invalid value for '--seed'" in complaint(command, "--seed", seed)


@pytest.mark.parametrize("option", ["--budget", "--sustained"])
@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_seconds_that_are_none(option: str, seconds: str) -> None:
    assert f"Invalid value for '{option}'" in complaint("bench none", option, seconds)
