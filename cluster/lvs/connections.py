"""The connection table of a director: one bounded question, and its answer as values.

``/proc/net/ip_vs_conn`` is what ``ipvsadm -Lcn`` reads and prints; any user may read it.
Its entries are in the order of a hash that the kernel seeds at random, so those that were
read when the time is up are a random sample of all. Time is what has to be bounded: most
kernels find each page of 4 KB by walking the table from its start again
(ip_vs_conn_array), so that reading a million entries to the end would take minutes.

Everything is filtered and counted on the director, see ``_AWK``; a few hundred lines
travel. See net/netfilter/ipvs/ip_vs_conn.c (ip_vs_conn_seq_show).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from enum import Enum
from ipaddress import (
    IPv4Network,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Self, TypeAlias

from cluster.lvs.command import Command
from cluster.lvs.table import IPAddress, endpoint
from cluster.lvs.terms import Protocol

Network: TypeAlias = IPv4Network | IPv6Network

TABLE = "/proc/net/ip_vs_conn"
# Lines that travel, seconds of reading, entries whose clients are counted, keys a count
# may have, and how many of them are told.
LINES = 300
SECONDS = 2
CLIENTS = 50_000
KEYS = 10_000
TOP = 10
STATES = (
    "ESTABLISHED",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "SYN_SENT",
    "LISTEN",
    "SYNACK",
    "UDP",
    "NONE",
    "ASSURED",
)
_STATE = re.compile(r"[A-Z0-9_!-]{1,16}")
_GROUPS = ("state", "service", "server", "client")
# How timeout(1) ends when the time is up: coreutils, a killed child, busybox.
_TIME_UP = frozenset((124, 137, 143))


class Kind(Enum):
    """A persistence template stands for a client, not for a connection."""

    CONNECTIONS = "connections"
    TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; what is None or empty is not looked at."""

    kind: Kind = Kind.CONNECTIONS
    protocol: Protocol | None = None
    client: Network | None = None
    virtual: IPAddress | None = None
    virtual_port: int | None = None
    server: IPAddress | None = None
    server_port: int | None = None
    state: str = ""

    def __post_init__(self) -> None:
        for port in (self.virtual_port, self.server_port):
            if port is not None and not 0 <= port <= 65535:
                raise ValueError(f"not a port: {port}")
        if self.state and not _STATE.fullmatch(self.state):
            raise ValueError(f"not a state: {self.state!r}")

    def as_json(self) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value.value
            if isinstance(value, Enum)
            else value
            if isinstance(value, int)
            else str(value)
            for name, value in values.items()
            if value is not None and value != ""
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it again; raises ValueError for whatever is not one."""
        readers: dict[str, Any] = {
            "kind": Kind,
            "protocol": Protocol,
            "client": ip_network,
            "virtual": ip_address,
            "virtual_port": int,
            "server": ip_address,
            "server_port": int,
            "state": str,
        }
        try:
            return cls(**{name: readers[name](value) for name, value in data.items()})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a filter: {data!r}") from error


# Words are compared as text: in hexadecimal of one length that is the order of numbers.
# A key that comes when a count is full is left out: its group is then not whole.
_AWK = r"""
function inside(word, low, high) {
  return low == "" || (length(word) == length(low) && low <= word && word <= high)
}
function count(group, key) {
  if (!((group, key) in n)) {
    if (keys[group] >= most) { over[group] = 1; return }
    keys[group]++
  }
  n[group, key]++
}
$1 == "#status" { status = $2; next }
NR == 1 && $1 == "Pro" { next }
NF == 0 { next }
NF < 9 { strange++; next }
{
  seen++
  if (proto != "" && $1 "" != proto) next
  if (port != "" && $5 "" != port) next
  if (sport != "" && $7 "" != sport) next
  if (state != "" && $8 "" != state) next
  if (!inside($2 "", clow "", chigh "")) next
  if (!inside($4 "", vip "", vip "")) next
  if (!inside($6 "", rip "", rip "")) next
  template = $3 "" == "0000" && ($8 == "NONE" || $8 == "ASSURED")
  if (template) templates++; else connections++
  if (template != wanted) next
  if (shown < lines) { shown++; print }
  count("state", $8)
  count("service", $1 " " $4 " " $5)
  count("server", $6 " " $7)
  if (counted < clients) { counted++; count("client", $2) }
}
END {
  for (turn in over) print "#over", turn
  for (pair in n) {
    split(pair, part, SUBSEP)
    group = part[1]
    # The TOP largest of each group, kept in order by insertion.
    i = have[group]
    if (i == top && n[pair] <= best[group, i]) continue
    if (i < top) have[group] = ++i
    for (; i > 1 && best[group, i - 1] < n[pair]; i--) {
      best[group, i] = best[group, i - 1]; name[group, i] = name[group, i - 1]
    }
    best[group, i] = n[pair]; name[group, i] = part[2]
  }
  for (group in have)
    for (i = 1; i <= have[group]; i++)
      print "#" group, best[group, i], name[group, i]
  print "#end", status, seen + 0, connections + 0, templates + 0, counted + 0, strange + 0
}
"""

# dd hands each read on by itself, and the kernel never cuts a line in a read: so no line
# is cut when the time is up.
_SCRIPT = r"""
[ -r "$table" ] || { echo "#none"; exit 0; }
{ nice -n 19 timeout "$seconds" dd if="$table" bs=64k 2>/dev/null; printf '\n#status %s\n' "$?"; } |
nice -n 19 awk "$@" "$program"
"""


def question(wanted: Filter, table: str = TABLE, seconds: float = SECONDS) -> Command:
    """Return the command that reads, filters and counts; its script is its input."""
    words = [f"-v{name}={value}" for name, value in _values(wanted).items()]
    script = [
        f"table={shlex.quote(table)}; seconds={seconds:g}",
        f"program={shlex.quote(_AWK)}",
        f"set -- {shlex.join(words)}",
        _SCRIPT,
    ]
    return Command(("sh", "-s"), "\n".join(script).encode(), deadline=seconds + 20)


def _values(wanted: Filter) -> dict[str, str]:
    client = wanted.client
    return {
        "wanted": str(int(wanted.kind is Kind.TEMPLATES)),
        "proto": wanted.protocol.label if wanted.protocol else "",
        "clow": _hex(client.network_address) if client else "",
        "chigh": _hex(client.broadcast_address) if client else "",
        "vip": _hex(wanted.virtual) if wanted.virtual else "",
        "port": _hex_port(wanted.virtual_port),
        "rip": _hex(wanted.server) if wanted.server else "",
        "sport": _hex_port(wanted.server_port),
        "state": wanted.state,
        "lines": str(LINES),
        "clients": str(CLIENTS),
        "most": str(KEYS),
        "top": str(TOP),
    }


def _hex(address: IPAddress) -> str:
    """Spell it as the kernel does: ``0A00011F``, or all 39 characters of IPv6."""
    return f"{int(address):08X}" if address.version == 4 else address.exploded


def _hex_port(port: int | None) -> str:
    return "" if port is None else f"{port:04X}"


# -- the answer -----------------------------------------------------------------------


class Unreadable(ValueError):
    """An answer that is not what the question prints."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table; *expires* in seconds, *more* is data of a persistence
    engine, such as a SIP call ID."""

    protocol: str
    client: str
    virtual: str
    server: str
    state: str
    expires: int
    more: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a director has.

    *read* entries were looked at; of those that fit the filter so many are *connections*
    and *templates*. *capped*: the time was up before the end of the table. *counted*
    is how many entries the clients were counted in. *over* are the groups that had more
    keys than are counted; *strange* is how many lines were not understood.
    """

    loaded: bool = True
    capped: bool = False
    read: int = 0
    connections: int = 0
    templates: int = 0
    counted: int = 0
    strange: int = 0
    entries: tuple[Entry, ...] = ()
    states: tuple[tuple[str, int], ...] = ()
    services: tuple[tuple[str, int], ...] = ()
    servers: tuple[tuple[str, int], ...] = ()
    clients: tuple[tuple[str, int], ...] = ()
    over: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def parse(text: str) -> Answer:
    """Read what the question printed; raises Unreadable."""
    lines = text.splitlines()
    if lines == ["#none"]:
        return Answer(loaded=False)
    if not lines or not lines[-1].startswith("#end "):
        raise Unreadable("the answer was cut off")
    try:
        return _answer(lines)
    except (ValueError, IndexError) as error:
        raise Unreadable(str(error)) from error


def _answer(lines: list[str]) -> Answer:
    status, seen, connections, templates, counted, strange = map(
        int, lines[-1].split()[1:]
    )
    if status and status not in _TIME_UP:
        raise Unreadable(f"the table could not be read (status {status})")
    groups: dict[str, list[tuple[str, int]]] = {name: [] for name in _GROUPS}
    over, entries = [], []
    for line in lines[:-1]:
        if not line.startswith("#"):
            try:
                entries.append(_entry(line.split()))
            except ValueError:
                strange += 1
        elif line.startswith("#over "):
            over.append(line.split()[1])
        else:
            group, number, *words = line[1:].split()
            with suppress(ValueError):  # a name in a line that is counted as strange
                groups[group].append((_name(group, words), int(number)))
    return Answer(
        capped=bool(status),
        read=seen,
        connections=connections,
        templates=templates,
        counted=counted,
        strange=strange,
        entries=tuple(entries),
        states=_largest_first(groups["state"]),
        services=_largest_first(groups["service"]),
        servers=_largest_first(groups["server"]),
        clients=_largest_first(groups["client"]),
        over=tuple(over),
    )


def _entry(words: list[str]) -> Entry:
    protocol, client, cport, vip, vport, server, sport, state, expires, *more = words
    return Entry(
        protocol,
        _place(client, cport),
        _virtual(protocol, vip, vport),
        _place(server, sport),
        state,
        int(expires),
        " ".join(more),
    )


def _name(group: str, words: list[str]) -> str:
    if group == "service":
        return f"{words[0]} {_virtual(*words)}"
    if group == "server":
        return _place(*words)
    return str(_address(words[0])) if group == "client" else words[0]


def _virtual(protocol: str, address: str, port: str) -> str:
    """A template of a firewall mark has protocol IP and the mark as its address."""
    place = _address(address)
    if protocol == "IP" and int(place) < 2**32:
        return f"mark {int(place)}"
    return endpoint(place, int(port, 16))


def _place(address: str, port: str) -> str:
    return endpoint(_address(address), int(port, 16))


def _address(word: str) -> IPAddress:
    return ip_address(word if ":" in word else int(word, 16))


def _largest_first(
    pairs: Iterable[tuple[str, int]],
) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
