"""An emulated 64-bit ARM board behind a real sshd of its own userland."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.remote.sshd import free_port, make_key, wait_until

HERE = Path(__file__).parent


class ArmBoard:
    """Its home is empty whenever it is made, as that of a new device is."""

    def __init__(self, place: Path, folder: Path):
        self._place, self._folder = place, folder
        self.port = free_port()
        self.home = place / "root" / "home" / "pi"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        self.known_hosts = folder / "known_hosts"
        self.client_settings = folder / "ssh_config"
        make_key(folder / "user_key")
        settings = place / "root" / "etc" / "board"
        shutil.rmtree(settings, ignore_errors=True)
        settings.mkdir()
        make_key(settings / "host_key")
        shutil.copy(folder / "user_key.pub", settings)
        (settings / "sshd_config").write_text(
            f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey /etc/board/host_key
            AuthorizedKeysFile /etc/board/user_key.pub
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            PidFile none
            SetEnv QEMU_CPU=cortex-a76
            """
        )
        self.client_settings.write_text(
            f"""
            Host *
              IdentityFile {folder}/user_key
              IdentitiesOnly yes
              UserKnownHostsFile {self.known_hosts}
              GlobalKnownHostsFile /dev/null
            """
        )

    @property
    def target(self) -> str:
        return f"pi@127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        words = ["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/board/sshd_config"]
        with (self._folder / "sshd.log").open("wb") as log:
            sshd = subprocess.Popen(
                [str(HERE / "enter.sh"), str(self._place), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        try:
            wait_until(self._answers, f"sshd did not start: {self._folder / 'sshd.log'}", 60)
            yield
        finally:
            emulator = str(self._place / "qemu-aarch64")
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    if process.exe() == emulator:
                        process.kill()
            sshd.wait()

    def _answers(self) -> bool:
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as link,
        ):
            return link.recv(4) == b"SSH-"
        return False
