"""A real sshd on 127.0.0.1 whose sessions have a home, a PATH and a python3 of their own."""

from __future__ import annotations

import getpass
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "build" / "sshd"  # where get-sshd.sh puts it

# As root sshd wants a user and a folder of its own: lent to it where nobody else sees them.
PRIVATE = """
mount --bind "$1/passwd" /etc/passwd
mkdir -p /run/sshd 2>/dev/null || { mount -t tmpfs none /run && mkdir /run/sshd; }
shift; exec "$@"
"""


def find_sshd() -> Path | None:
    named = os.environ.get("SECATEUR_SSHD") or shutil.which("sshd")
    choices = [Path(named)] if named else []
    choices += [Path("/usr/sbin/sshd"), UNPACKED / "usr" / "sbin" / "sshd"]
    return next((path for path in choices if path.exists()), None)


def lacks_privilege() -> bool:
    """Whether sshd, run as root, is without the user and the folder that it then wants."""
    known = any(line.startswith("sshd:") for line in Path("/etc/passwd").read_text().splitlines())
    return os.geteuid() == 0 and not (known and Path("/run/sshd").is_dir())


def why_no_board() -> str | None:
    if find_sshd() is None:
        return "there is no sshd: tests/remote/get-sshd.sh unpacks one"
    words = ["unshare", "--mount", "mount", "--bind", "/etc/passwd", "/etc/passwd"]
    if lacks_privilege() and subprocess.run(words, capture_output=True).returncode:
        return "sshd needs its user, or the right to unshare mounts: install openssh-server"
    return None


class Board:
    """A device: what survives its reboots is in `folder`, also the keys of host and user."""

    def __init__(self, folder: Path, sshd: Path):
        self.folder, self._sshd = folder, sshd
        self.home, self.bin = folder / "home", folder / "bin"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for place in (self.home, self.bin):
            place.mkdir(parents=True)
        (self.bin / "python3").symlink_to(Path(sys.executable).resolve())
        self.known_hosts = folder / "known_hosts"
        make_key(folder / "host_key")
        make_key(folder / "user_key")
        (folder / "passwd").write_text(
            Path("/etc/passwd").read_text() + "sshd:x:9999:9999::/run/sshd:/usr/sbin/nologin\n"
        )
        self._write_settings()
        self.know()

    @property
    def user(self) -> str:
        return getpass.getuser()

    @property
    def target(self) -> str:
        return f"{self.user}@127.0.0.1:{self.port}"

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "secateur"

    @property
    def client_settings(self) -> Path:
        return self.folder / "ssh_config"

    def know(self) -> None:
        """The host key is among the user's known ones."""
        key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}\n")

    def new_host_key(self) -> None:
        """As after a new card in the board."""
        for path in self.folder.glob("host_key*"):
            path.unlink()
        make_key(self.folder / "host_key")

    def fingerprint(self) -> str:
        words = ["ssh-keygen", "-l", "-f", str(self.folder / "host_key.pub")]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[1]

    def _write_settings(self) -> None:
        (self.folder / "sshd_config").write_text(
            f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {self.folder}/host_key
            AuthorizedKeysFile {self.folder}/user_key.pub
            AllowUsers {self.user}
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PidFile none
            SetEnv HOME={self.home} PATH={self.bin}:/usr/bin:/bin OMP_NUM_THREADS=1
            """
        )
        self.client_settings.write_text(
            f"""
            Host *
              IdentityFile {self.folder}/user_key
              IdentitiesOnly yes
              UserKnownHostsFile {self.known_hosts}
              GlobalKnownHostsFile /dev/null
            """
        )

    def start(self, *, largest_file: int | None = None) -> None:
        """`largest_file` bounds the bytes of any file that is written on it: its full disk."""
        words = [str(self._sshd), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        if lacks_privilege():
            private = ["unshare", "--mount", "/bin/sh", "-ec", PRIVATE, "sh", str(self.folder)]
            words = [*private, *words]
        libraries = ":".join(str(path) for path in UNPACKED.glob("**/*-linux-gnu"))
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": libraries},
                preexec_fn=None if largest_file is None else limited(largest_file),
            )
        wait_until(self._answers, f"sshd did not start: {self.folder / 'sshd.log'}")

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def cut(self) -> int:
        """Every connection that is open breaks; how many did. What runs on the board goes on."""
        assert self._process
        sessions = psutil.Process(self._process.pid).children()
        for session in sessions:
            with suppress(psutil.NoSuchProcess):
                for process in [*session.children(), session]:
                    if process.name().startswith("sshd"):
                        process.kill()
        return len(sessions)

    def stop(self) -> None:
        """The power fails: sshd, its sessions and all that was started from them are gone."""
        if self._process is None:
            return
        own = psutil.Process(self._process.pid)
        for process in [own, *own.children(recursive=True), *self.running()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._process = None

    def running(self) -> list[psutil.Process]:
        """Processes of this board that outlived their session."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("HOME") == str(self.home):
                    found.append(process)
        return found

    def supervisor(self, job: str) -> psutil.Process:
        """The process that has the job in hand."""
        agent = ["-m", "bench.agent", "run", str(self.cache / "jobs" / job)]
        [found] = [process for process in self.running() if process.cmdline()[1:] == agent]
        return found

    @contextmanager
    def paused(self, job: str) -> Iterator[None]:
        """Its supervisor keeps what it has and does nothing."""
        supervisor = self.supervisor(job)
        supervisor.suspend()
        yield
        supervisor.resume()


@contextmanager
def running_board(folder: Path, sshd: Path) -> Iterator[Board]:
    board = Board(folder, sshd)
    board.start()
    try:
        yield board
    finally:
        board.stop()


def limited(size: int) -> object:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def make_key(path: Path) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(words, check=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(ready: object, complaint: str, seconds: float = 20.0) -> None:
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, complaint
        time.sleep(0.02)
