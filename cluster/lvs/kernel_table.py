"""The running table, read every two seconds: /proc/net/ip_vs and its totals.

Rows are named by text, ``TCP 10.0.1.31:80`` and ``TCP 10.0.1.31:80 10.0.1.6:80``: that is
how ``ServiceAddress`` prints itself, and text makes the cheapest key. What is needed
once a click rather than every two seconds is in ``counters.py`` and ``rules.py``;
``ipvsadm --stats`` is in ``stats.py``; ``table_reader.py`` reads table after table.
See net/netfilter/ipvs/ip_vs_ctl.c (ip_vs_info_seq_show, ip_vs_stats_show).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from sys import intern
from typing import NamedTuple

from cluster.lvs.counters import Counters
from cluster.lvs.rules import number
from cluster.lvs.table import endpoint

# Replies of these pass the director by: it counts none of them.
BLIND = frozenset(("Route", "Tunnel"))
_KINDS = frozenset(("TCP", "UDP", "SCTP", "FWM"))
HEAD_LINES = 3
# Weights and connections have 32 bits in the kernel.
MOST = 2**32 - 1
_COLUMNS = 5


class KernelServer(NamedTuple):
    """A real server as the kernel lists it now; *forward* is Route, Tunnel, Masq ..."""

    at: str
    forward: str
    weight: int
    active: int
    inactive: int


@dataclass(frozen=True, slots=True)
class KernelService:
    """A virtual service as the kernel lists it now.

    *persistent* is all that can be said: /proc gives the timeout in jiffies.
    """

    key: str
    scheduler: str
    persistent: bool
    servers: tuple[KernelServer, ...]

    @property
    def active(self) -> int:
        return sum(server.active for server in self.servers)

    @property
    def inactive(self) -> int:
        return sum(server.inactive for server in self.servers)


def row_key(service: str, server: str = "") -> str:
    return f"{service} {server}" if server else service


@dataclass(frozen=True, slots=True)
class KernelTable:
    """The services in the order of the kernel, and the lines not understood."""

    services: tuple[KernelService, ...] = ()
    unknown: tuple[str, ...] = ()


def parse_table(text: str) -> KernelTable:
    """Read /proc/net/ip_vs; a last line without its end was cut off."""
    heads: list[tuple[str, str, bool] | None] = []
    servers: list[list[KernelServer]] = []
    unknown: list[str] = []
    for line in text.splitlines(keepends=True)[HEAD_LINES:]:
        words = line.split()
        try:
            if words[:1] == ["->"]:
                servers[-1].append(_server(words, line, heads[-1]))
            elif words:
                heads.append(None)
                servers.append([])
                heads[-1] = _head(words, line)
        except (ValueError, IndexError):
            unknown.append(line.rstrip("\n"))
    found = zip(heads, servers, strict=True)
    return KernelTable(
        tuple(_service(head, tuple(some)) for head, some in found if head),
        tuple(unknown),
    )


def _service(
    head: tuple[str, str, bool], servers: tuple[KernelServer, ...]
) -> KernelService:
    """Join both; the kernel leaves the family of a mark to its real servers."""
    key, scheduler, persistent = head
    if servers and servers[0].at[0] == "[" and key.startswith("FWM "):
        key = f"{key} IPv6"
    return KernelService(key, scheduler, persistent, servers)


def _server(words: list[str], line: str, head: object) -> KernelServer:
    _arrow, place, forward, weight, active, inactive = words
    _check_end(line)
    if head is None:
        raise ValueError("of a service that was not understood")
    three = number(weight), number(active), number(inactive)
    if max(three) > MOST:
        raise ValueError("more than a kernel counts")
    return KernelServer(_place(place), intern(forward), *three)


def _head(words: list[str], line: str) -> tuple[str, str, bool]:
    _check_end(line)
    if words[0] not in _KINDS:
        raise ValueError(words[0])
    place = str(int(words[1], 16)) if words[0] == "FWM" else _place(words[1])
    return f"{words[0]} {place}", intern(words[2]), "persistent" in words[3:]


def _check_end(line: str) -> None:
    if not line.endswith("\n"):
        raise ValueError("cut off")


@lru_cache(maxsize=2048)
def _place(text: str) -> str:
    """Return ``10.0.1.31:80`` for ``0A00011F:0050``."""
    host, _, port = text.rpartition(":")
    if host.startswith("["):
        return endpoint(ip_address(host.strip("[]")), int(port, 16))
    return endpoint(ip_address(int(host, 16)), int(port, 16))


def parse_totals(text: str) -> Counters:
    """Read the totals of the whole director, /proc/net/ip_vs_stats (hexadecimal).

    Raises ValueError when they are not there.
    """
    lines = [line.split() for line in text.splitlines()[:3]]
    if len(lines) < 3 or lines[1][:1] != ["Conns"] or len(lines[2]) != _COLUMNS:
        raise ValueError(f"no totals: {text[:60]!r}")
    return Counters(*(int(word, 16) for word in lines[2]))
