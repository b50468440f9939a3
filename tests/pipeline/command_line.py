"""The `secateur` command as a user calls it: a process of its own."""

import io
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

import psutil

from tests.privileges import give_up_privileges

NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1"}


def _limited(size: str | None) -> Callable[[], None]:
    """Files that this process writes may not become larger than so many bytes."""
    if size is None:
        return lambda: None
    limits = (int(size), int(size))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def secateur(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a copy of this process, which has the libraries loaded already.

    What depends on a fresh start, or on variables that libraries read as they load, wants
    `fresh_secateur`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = begun_secateur(*words, out=out.fileno(), err=err.fileno(), **environment)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        code, said, complained = os.waitstatus_to_exitcode(status), out.read(), err.read()
    return subprocess.CompletedProcess(words, code, said.decode(), complained.decode())


def begun_secateur(*words: str, out: int, err: int, **environment: str) -> int:
    """The id of the process."""
    child = os.fork()
    if child == 0:
        _become_the_command(words, out, err, environment)
    return child


def killed_once(happened: Callable[[], bool], *words: str) -> None:
    """Begin the command, and kill it with all that it started as soon as something happened."""
    with tempfile.TemporaryFile() as said:
        child = begun_secateur(*words, out=said.fileno(), err=said.fileno())
        deadline, ended = time.monotonic() + 120, 0
        while not (seen := happened()) and not ended and time.monotonic() < deadline:
            time.sleep(0.01)
            ended, _ = os.waitpid(child, os.WNOHANG)
        if not ended:
            for process in (*psutil.Process(child).children(recursive=True), psutil.Process(child)):
                process.kill()
            os.waitpid(child, 0)
        said.seek(0)
        assert seen and not ended, f"it was not killed in time: {said.read().decode()}"


def _become_the_command(
    words: tuple[str, ...], out: int, err: int, environment: dict[str, str]
) -> NoReturn:
    """In the copy: never comes back."""
    code = 1
    try:
        _limited(environment.get("SECATEUR_TEST_FILE_LIMIT"))()
        if "SECATEUR_TEST_UNPRIVILEGED" in environment:
            give_up_privileges()
        tempfile.tempdir = None  # asked for before, perhaps with another environment
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.stdin = io.StringIO(environment.pop("SECATEUR_TEST_STDIN", ""))
        sys.argv = ["secateur", *words]
        os.environ |= {**NOWHERE, **environment}
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)  # the pool of threads did not come along
        from pipeline.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def fresh_secateur(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command from nothing, deaf to the network unless told otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **NOWHERE, **environment},
        preexec_fn=_limited(environment.get("SECATEUR_TEST_FILE_LIMIT")),
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], *fragments: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for fragment in fragments:
        assert fragment in done.stderr


def planted_secateur(code: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command after a few lines that plant a fault."""
    run = f"{code}\nimport sys; sys.argv = ['secateur', *sys.argv[1:]]\n"
    run += "from pipeline.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", run, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **NOWHERE, **more},
        timeout=120,
    )


def assert_one_line(said: str, *fragments: str) -> None:
    """After an empty one, perhaps, that ends the line in which a terminal shows ^C."""
    assert said.lstrip("\n").count("\n") == 1 and "Traceback" not in said, said
    assert all(fragment in said for fragment in fragments), said
