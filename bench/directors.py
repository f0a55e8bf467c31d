"""Many directors on one machine: sshd behind 127.0.x.y, each with counters of its own.

    python -m bench.directors FOLDER COUNT PORT

is what they run in. It starts an ``sshd -i`` for each login, as inetd would, so that no
port is open to others; each line on its standard input is answered with the seconds of
CPU of all sessions that have ended, and the number of those that have not.

The counters are files in the format of /proc/net/ip_vs and ipvsadm; all of them move
every two seconds, as on a busy director.
"""

from __future__ import annotations

import getpass
import os
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.result import CannotRun
from cluster.lvs.command import Command
from cluster.lvs.frame import PERIOD, SELDOM, watch_command
from cluster.remote.connection import new_key_pair
from cluster.remote.shell import HostKey, Secret, Target

# Reads the files of the folder that it is started in.
LOOP = watch_command(
    ".",
    ("cat", "stats"),
    ("cat", "addresses"),
    seldom={name: ("cat", name) for name in SELDOM},
    sudo=(),
)
ROOT = Path(__file__).resolve().parent.parent
SERVICES, SERVERS = 20, 5
CONFIG = """\
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxSessions 100
LogLevel ERROR
SetEnv HOME={folder}
"""


def address_of(number: int) -> str:
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


class Directors:
    """*count* directors in *folder*; a context manager that ends them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.user = getpass.getuser()
        self._moved = 0
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._write_keys()
        for number in range(self.count):
            self._make_files(number)
        self.move()
        self.port = _free_port()
        words = [str(self.folder), str(self.count), str(self.port)]
        self._server = subprocess.Popen(
            [sys.executable, "-m", "bench.directors", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask()  # it answers: it listens
        self._mover = threading.Thread(target=self._keep_moving)
        self._mover.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._mover.join()
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait(30)

    @property
    def pid(self) -> int:
        return self._server.pid

    def cpu(self) -> float:
        """Return the seconds of CPU of all sessions so far, when all have ended."""
        while (answer := self._ask())[1]:
            time.sleep(0.05)
        return answer[0]

    def _ask(self) -> tuple[float, int]:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        if not answer:
            raise CannotRun("the directors have ended")
        used, running = answer.split()
        return float(used), int(running)

    def place(self, number: int | str) -> Path:
        return self.folder / "proc" / str(number)

    def command(self, number: int) -> Command:
        """Return the loop of the product for one of them.

        The script is one object for all, as it is in the product, where it is the same
        for all: each is started in the place of its director.
        """
        there = ("sh", "-c", 'cd "$1" && exec sh -s', "sh", str(self.place(number)))
        return replace(LOOP, argv=there)

    def files(self, number: int | str) -> str:
        """Return what the loop reads itself every period, as words for a shell."""
        names = ("sys/kernel/random/boot_id", "net/ip_vs", "net/ip_vs_stats")
        return " ".join(str(self.place(number) / name) for name in names)

    def fetching(self, number: int | str) -> str:
        """Return a command that prints once what the loop sends every period."""
        return f"cat {self.files(number)} {self.place(number)}/stats"

    @cached_property
    def host_key(self) -> HostKey:
        return HostKey.parse((self.folder / "host_key.pub").read_text())

    def target(self, number: int) -> Target:
        key = Secret((self.folder / "login_key").read_text())
        address = address_of(number)
        return Target(f"lb{number}", address, self.port, self.user, self.host_key, key)

    def ssh(self, number: int, *options: str) -> list[str]:
        """Return the words of a login with the client of OpenSSH, as cheap as it gets."""
        quick = ("KexAlgorithms=curve25519-sha256", "Ciphers=aes128-gcm@openssh.com")
        trust = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no")
        chosen = (*quick, *trust, "IdentitiesOnly=yes", "LogLevel=ERROR")
        words = ["ssh", "-T", "-F", "none", "-i", str(self.folder / "login_key")]
        words += ["-p", str(self.port), "-l", self.user]
        words += [word for one in chosen for word in ("-o", one)]
        return [*words, *options, address_of(number)]

    # -- what they say ----------------------------------------------------------------

    def _write_keys(self) -> None:
        pair = new_key_pair()
        (self.folder / "authorized_keys").write_text(pair.public + "\n")
        login = self.folder / "login_key"
        login.touch(mode=0o600)
        login.write_text(pair.private.reveal())
        key = str(self.folder / "host_key")
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]
        subprocess.run(words, check=True)
        config = CONFIG.format(folder=self.folder)
        (self.folder / "sshd_config").write_text(config)

    def _make_files(self, number: int) -> None:
        place = self.place(number)
        (place / "net").mkdir(parents=True)
        (place / "sys/kernel/random").mkdir(parents=True)
        (place / "sys/kernel/random/boot_id").write_text(f"boot-{number}\n")
        (place / "addresses").write_text("[]\n")
        (place / "thresholds").write_text("")
        (place / "daemons").write_text("")
        (place / "timeouts").write_text("Timeout (tcp tcpfin udp): 900 120 300\n")

    def move(self) -> None:
        """Let every counter of every director grow."""
        self._moved += 1
        texts = (("net/ip_vs", table(self._moved)), ("stats", stats(self._moved)))
        total = totals(self._moved)
        for number in range(self.count):
            place = self.place(number)
            high, low = divmod(number, 256)
            _write(place / "net/ip_vs_stats", total)
            for name, text in texts:
                text = text.replace("@@", f"{high:02X}{low:02X}")
                _write(place / name, text.replace("@", f"{high}.{low}"))

    def _keep_moving(self) -> None:
        while not self._over.wait(PERIOD):
            self.move()


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole: who reads it gets the old one or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def table(turn: int) -> str:
    lines = [
        "IP Virtual Server version 1.2.1 (size=4096)",
        "Prot LocalAddress:Port Scheduler Flags",
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn",
    ]
    for n in range(SERVICES):
        lines.append(f"TCP  0A@@{n + 1:02X}:0050 wlc  ")
        for m in range(n * SERVERS, (n + 1) * SERVERS):
            active, inactive = 40 + (turn * 7 + m) % 20, 100 + (turn * 13 + m) % 90
            place = f"0B@@{m + 1:02X}:0050"
            lines.append(
                f"  -> {place}      Route   100    {active:<10} {inactive:<10}"
            )
    return "\n".join(lines) + "\n"


def totals(turn: int) -> str:
    words = [f"{n * turn:X}" for n in (5000, 31000, 0, 7_100_000, 0)]
    return (
        "   Total Incoming Outgoing         Incoming         Outgoing\n"
        "   Conns  Packets  Packets            Bytes            Bytes\n"
        f"{words[0]:>8} {words[1]:>8} {words[2]:>8} {words[3]:>16} {words[4]:>16}\n\n"
    )


def stats(turn: int) -> str:
    lines = [
        "IP Virtual Server version 1.2.1 (size=4096)",
        "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
        "  -> RemoteAddress:Port",
    ]
    for n in range(SERVICES):
        lines.append(_counted(f"TCP  10.@.{n + 1}:80", turn * 250 + n))
        lines += [
            _counted(f"  -> 11.@.{m + 1}:80", turn * 50 + m)
            for m in range(n * SERVERS, (n + 1) * SERVERS)
        ]
    return "\n".join(lines) + "\n"


def _counted(name: str, conns: int) -> str:
    return f"{name:<33} {conns:8} {conns * 6:8} {0:8} {conns * 1440:8} {0:8}"


# -- the process that they run in -----------------------------------------------------


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def serve(folder: Path, addresses: Sequence[str], port: int) -> None:
    """Start an sshd for whoever connects, until standard input ends."""
    words = _sshd(folder)
    waiting = selectors.DefaultSelector()
    for address in addresses:
        listener = socket.create_server((address, port), backlog=16)
        waiting.register(listener, selectors.EVENT_READ, listener)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    sessions: list[subprocess.Popen[bytes]] = []
    while True:
        for key, _events in waiting.select():
            sessions = [one for one in sessions if one.poll() is None]
            if key.data is not None:
                connection, _peer = key.data.accept()
                with connection:
                    session = subprocess.Popen(
                        words, stdin=connection, stdout=connection
                    )
                sessions.append(session)
            elif not _answer(len(sessions)):
                for session in sessions:
                    session.terminate()
                return


def _sshd(folder: Path) -> list[str]:
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise SystemExit("no sshd: install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return [program, "-i", "-f", str(folder / "sshd_config")]


def _answer(running: int) -> bool:
    """Answer a line of standard input; False at its end."""
    if not sys.stdin.readline():
        return False
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(used.ru_utime + used.ru_stime, running, flush=True)
    return True


if __name__ == "__main__":
    _folder, _count, _port = sys.argv[1:]
    serve(Path(_folder), [address_of(n) for n in range(int(_count))], int(_port))
