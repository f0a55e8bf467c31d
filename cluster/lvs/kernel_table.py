"""The running table, read every two seconds: /proc/net/ip_vs and ``--stats`` by row.

Rows are named by text, ``TCP 10.0.1.31:80`` and ``TCP 10.0.1.31:80 10.0.1.6:80``: that is
how ``ServiceAddress`` prints itself, and text makes the cheapest key. What is needed
once a click rather than every two seconds is in ``counters.py`` and ``rules.py``.
See net/netfilter/ipvs/ip_vs_ctl.c (ip_vs_info_seq_show, ip_vs_stats_show).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from cluster.lvs.counters import Counters
from cluster.lvs.table import endpoint

# Replies of these pass the director by: it counts none of them.
BLIND = frozenset(("Route", "Tunnel"))
_PROTOCOLS = frozenset(("TCP", "UDP", "SCTP"))
_LAST_HEAD = "RemoteAddress:Port"
_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class KernelServer:
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


def parse_table(text: str) -> tuple[KernelService, ...]:
    """Read /proc/net/ip_vs; lines that are not understood are left out."""
    services: list[KernelService] = []
    head: tuple[str, str, bool] | None = None
    servers: list[KernelServer] = []

    def close() -> None:
        if head:
            services.append(KernelService(*head, tuple(servers)))
        servers.clear()

    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        if words[0] == "->":
            if head and len(words) == 6 and words[3].isdigit():
                numbers = (int(words[3]), int(words[4]), int(words[5]))
                servers.append(KernelServer(_place(words[1]), words[2], *numbers))
        elif words[0] in _PROTOCOLS or words[0] == "FWM":
            close()
            head = _head(words)
    close()
    return tuple(services)


def _head(words: list[str]) -> tuple[str, str, bool] | None:
    if len(words) < 3:
        return None
    place = str(int(words[1], 16)) if words[0] == "FWM" else _place(words[1])
    return f"{words[0]} {place}", words[2], "persistent" in words[3:]


@lru_cache(maxsize=16384)
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


def parse_stats_rows(text: str) -> dict[str, Counters]:
    """Read ``ipvsadm -Ln --stats --exact`` by row, as ``counters.parse_stats`` does.

    Nearly every listing has seven words a row; then no line is looked at alone.
    """
    words = text.split()
    if _LAST_HEAD not in words:
        return {}
    body = words[words.index(_LAST_HEAD) + 1 :]
    if len(body) % 7 == 0 and "IPv6" not in body:
        return _even_rows(body)
    rows: dict[str, Counters] = {}
    service = ""
    for line in text.partition(_LAST_HEAD)[2].splitlines()[1:]:
        cells = line.split()
        if len(cells) < 2 + _COLUMNS:
            continue
        if cells[0] == "->":
            key = row_key(service, cells[1])
        else:
            key = service = f"{cells[0]} {cells[1]}"
        rows[key] = Counters(*map(int, cells[-_COLUMNS:]))
    return rows


def _even_rows(body: list[str]) -> dict[str, Counters]:
    rows: dict[str, Counters] = {}
    service = ""
    columns = [map(int, body[column::7]) for column in range(2, 7)]
    for mark, name, *numbers in zip(body[0::7], body[1::7], *columns, strict=True):
        if mark == "->":
            key = f"{service} {name}"
        else:
            key = service = f"{mark} {name}"
        rows[key] = Counters(*numbers)
    return rows
