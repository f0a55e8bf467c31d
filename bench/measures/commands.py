"""Commands over connections that are open: how long one takes, what 200 idle ones cost.

Beside it stock paramiko, as its manual uses it: ``SSHClient.exec_command``.
"""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import paramiko

from bench.result import CannotRun, Result, at_least
from bench.rounds import ratios, seconds, side_by_side
from cluster.lvs.command import Command
from cluster.remote.paramiko_shell import new_key_pair, open_shell
from cluster.remote.shell import Target
from tests.remote.sshd import Sshd

CALLS = 40
IDLE_CONNECTIONS = 200
IDLE_SECONDS = 4.0
TOTALS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
     F4A     5D2C        0           3D8A10                0

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       2        C        0              42B                0
"""


def stock(target: Target) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 - loopback
    with tempfile.NamedTemporaryFile("w") as key:
        key.write(target.private_key.reveal())
        key.flush()
        client.connect(
            target.address,
            target.port,
            target.user,
            key_filename=key.name,
            allow_agent=False,
            look_for_keys=False,
        )
    return client


def by_stock(client: paramiko.SSHClient, line: str) -> None:
    _stdin, stdout, stderr = client.exec_command(line)
    answer = stdout.read(), stderr.read()
    if answer != (TOTALS.encode(), b"") or stdout.channel.recv_exit_status():
        raise AssertionError(answer)


def p50(call: Callable[[], None]) -> float:
    call()  # the first one opens what is kept open
    return statistics.median(seconds(call) for _ in range(CALLS))


def latency(sshd: Sshd) -> Iterator[Result]:
    file = sshd.folder / "ip_vs_stats"
    file.write_text(TOTALS)
    command = Command(("cat", str(file)), reads=True)
    with ExitStack() as stack:
        shell = stack.enter_context(open_shell(sshd.target()))
        client = stack.enter_context(stock(sshd.target()))

        def ours() -> None:
            answer = shell.run(command)
            if answer.text != TOTALS or not answer.ok:
                raise AssertionError(answer)

        theirs = partial(by_stock, client, command.line)
        times = side_by_side(
            {"ours": lambda: p50(ours), "stock": lambda: p50(theirs)}, 7
        )
    yield Result(
        "p50",
        ratios(times["stock"], times["ours"]),
        at_least(10),
        "times faster than stock paramiko",
        details={name: [1000 * one for one in some] for name, some in times.items()},
    )


def hold(connect: Callable[[Target], Any], target: Target, pipe: Pipe) -> None:
    """Keep connections open, and tell what a few seconds of it cost."""
    with ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            stack.enter_context(connect(target))
        pipe.send(0.0)
        while pipe.recv():
            before = time.process_time()
            time.sleep(IDLE_SECONDS)
            pipe.send(time.process_time() - before)


@contextmanager
def holder(connect: Callable[[Target], Any], target: Target) -> Iterator[Pipe]:
    """Yield the way to a process that holds connections, once it has them all."""
    ours, theirs = multiprocessing.Pipe()
    # A fork: a login key goes through no pipe. There is no thread yet that could mind.
    process = multiprocessing.get_context("fork").Process(
        target=hold, args=(connect, target, theirs), daemon=True
    )
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield ours
        ours.send(False)
        process.join(60)
    finally:
        process.kill()


def asked(pipe: Pipe) -> float:
    pipe.send(True)
    return float(pipe.recv())


def idle(sshd: Sshd) -> Iterator[Result]:
    target = sshd.target()
    with holder(open_shell, target) as ours, holder(stock, target) as theirs:
        contenders = {"ours": partial(asked, ours), "stock": partial(asked, theirs)}
        times = side_by_side(contenders, 5)
    yield Result(
        "idle",
        ratios(times["stock"], times["ours"]),
        at_least(5),
        "times less CPU than stock paramiko",
        details={
            name: {"percent of a core": [100 * one / IDLE_SECONDS for one in some]}
            for name, some in times.items()
        },
    )


def measure() -> Iterator[Result]:
    if shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None:
        raise CannotRun("no sshd: install openssh-server")
    with tempfile.TemporaryDirectory() as folder:
        sshd = Sshd(Path(folder) / "sshd", new_key_pair())
        try:
            yield from idle(sshd)
            yield from latency(sshd)
        finally:
            sshd.stop()
