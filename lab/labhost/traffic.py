"""Gentle traffic from the lab's client to whatever virtual services exist.

Independent of the dashboard: one quiet SSH connection to each director reads its
table every few seconds, another one hands the list of URLs to the client, whose
service lab-traffic asks them. Reading /proc/net/ip_vs, unlike ipvsadm, does not load
the IPVS module on a director that has no use for it yet.

    python3 -m labhost.traffic
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from labhost import process
from labhost.instance import Instance, read_instance
from labhost.shell import ssh_words
from labhost.table import Host

READ_TABLE = (
    "while :; do [ -e /proc/net/ip_vs ] && cat /proc/net/ip_vs; echo; sleep 5; done"
)
WRITE_TARGETS = (
    "cd /run/lab-traffic || exit; trap 'rm -f targets' EXIT;"
    " while read -r urls; do printf '%s\\n' $urls >new; mv new targets; done"
)
PAUSE = 3.0


def record(instance: Instance) -> Path:
    return instance.state / "traffic.json"


def services(table: str) -> set[str]:
    """URLs of the TCP services in the text of /proc/net/ip_vs.

    >>> services("TCP  0A00011F:0050 rr \\n  -> 0A000106:0050      Route   1 0 0\\n")
    {'http://10.0.1.31:80/'}
    """
    rows = (line.split() for line in table.splitlines())
    return {_url(row[1]) for row in rows if len(row) > 1 and row[0] == "TCP"}


def _url(place: str) -> str:
    address, _, port = place.rpartition(":")
    number = int(port, 16) or 80  # 0 is all ports
    if address.startswith("["):
        host = f"[{IPv6Address(address[1:-1])}]"
    else:
        host = str(IPv4Address(bytes.fromhex(address)))
    return f"{'https' if number == 443 else 'http'}://{host}:{number}/"


class Targets:
    """What each director serves now, and a bell that rings when that changes."""

    def __init__(self) -> None:
        self._by_director: dict[str, set[str]] = {}
        self.changed = asyncio.Event()

    def put(self, director: str, urls: set[str]) -> None:
        if self._by_director.get(director) != urls:
            self._by_director[director] = urls
            self.changed.set()

    @property
    def line(self) -> str:
        return " ".join(sorted(set().union(*self._by_director.values())))


async def watch(instance: Instance, director: Host, targets: Targets) -> None:
    while True:
        words = [*ssh_words(instance, director), READ_TABLE]
        ssh = await asyncio.create_subprocess_exec(
            *words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
        await _read(ssh.stdout, director, targets)
        targets.put(director.name, set())
        await ssh.wait()
        await asyncio.sleep(PAUSE)


async def _read(
    tables: asyncio.StreamReader | None, director: Host, targets: Targets
) -> None:
    """One table after the other, each with an empty line at its end."""
    table = ""
    while tables and (line := await tables.readline()):
        table += line.decode()
        if line == b"\n":
            targets.put(director.name, services(table))
            table = ""


async def hand_over(instance: Instance, client: Host, targets: Targets) -> None:
    while True:
        words = [*ssh_words(instance, client), WRITE_TARGETS]
        ssh = await asyncio.create_subprocess_exec(
            *words, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
        )
        targets.changed.set()
        await asyncio.gather(_feed(ssh, targets), ssh.wait())
        await asyncio.sleep(PAUSE)


async def _feed(ssh: asyncio.subprocess.Process, targets: Targets) -> None:
    while ssh.stdin and ssh.returncode is None:
        try:
            await asyncio.wait_for(targets.changed.wait(), PAUSE)
        except TimeoutError:
            continue
        targets.changed.clear()
        try:
            ssh.stdin.write(targets.line.encode() + b"\n")
            await ssh.stdin.drain()
        except ConnectionError:
            return


async def run(instance: Instance) -> None:
    targets = Targets()
    hosts = instance.hosts.values()
    directors = [host for host in hosts if host.role == "director"]
    clients = [host for host in hosts if host.role == "probe"]
    await asyncio.gather(
        *(watch(instance, host, targets) for host in directors),
        *(hand_over(instance, host, targets) for host in clients[:1]),
    )


def stop(instance: Instance) -> None:
    path = record(instance)
    if known := process.recorded(path):
        known.kill()
        path.unlink()


if __name__ == "__main__":
    asyncio.run(run(read_instance()))
