"""A real OpenSSH server on 127.0.0.1, for the length of a test session."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cluster.remote.shell import HostKey, KeyPair, Target

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
{host_keys}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxSessions 100
MaxStartups 200
LogLevel ERROR
# The login shell is bash for many: keep it from reading the ~/.bashrc of a developer.
SetEnv HOME={folder}
{more}
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Sshd:
    """`host_keys` are by type; `pair` is the one login key that it accepts."""

    def __init__(self, folder: Path, pair: KeyPair, types=("ed25519",), more=""):
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            pytest.fail("no sshd: these tests need the package openssh-server")
        if os.geteuid() == 0:  # sshd refuses to start as root without it
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(exist_ok=True)
        self.folder, self.pair = folder, pair
        self.port = free_port()
        self.host_keys = {kind: self._make_host_key(kind) for kind in types}
        (folder / "authorized_keys").write_text(pair.public + "\n")
        lines = "\n".join(f"HostKey {folder}/{kind}" for kind in types)
        config = folder / "sshd_config"
        config.write_text(
            CONFIG.format(port=self.port, folder=folder, host_keys=lines, more=more)
        )
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-D", "-e", "-f", config],
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._wait()

    def _make_host_key(self, kind: str) -> HostKey:
        path = self.folder / kind
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "host key", "-f", path],
            check=True,
        )
        return HostKey.parse(path.with_suffix(".pub").read_text())

    def _wait(self) -> None:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        pytest.fail(f"sshd does not start: {self.log.read_text()}")

    def target(self, **other) -> Target:
        values: dict[str, Any] = {
            "name": "lb01",
            "address": "127.0.0.1",
            "port": self.port,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "host_key": next(iter(self.host_keys.values())),
            "private_key": self.pair.private,
        }
        return Target(**(values | other))

    def kill_sessions(self) -> None:
        """Let every session die at once, as the power supply would."""
        for pid in descendants(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self) -> None:
        below = descendants(self.process.pid)
        self.process.terminate()
        self.process.wait()
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    found = []
    for child in map(int, children):
        found += [child, *descendants(child)]
    return found
