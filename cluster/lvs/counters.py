"""Listings of ``ipvsadm -Ln`` -> numbers per service and real server.

See ipvsadm(8). The table that is read every two seconds is in ``kernel_table.py``.
Listings must be made with ``--exact``; an abbreviated number (12K) is not understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from cluster.lvs.rules import split_endpoint
from cluster.lvs.table import ServiceAddress
from cluster.lvs.terms import Protocol

_NO_LIMITS = ["0", "0"]
# A row is a service (server "") or one of its real servers ("10.0.1.6:80").
Key: TypeAlias = tuple[ServiceAddress, str]


class Counters(NamedTuple):
    """Totals since the row was made or zeroed; packets and bytes as the director saw
    them: in DR and TUN the replies pass it by and the two ``out`` stay 0."""

    conns: int
    in_packets: int
    out_packets: int
    in_bytes: int
    out_bytes: int


def parse_stats(text: str) -> dict[Key, Counters]:
    """Read ``ipvsadm -Ln --stats --exact``."""
    return {
        key: Counters(*(int(word) for word in words[:5]))
        for key, words in _rows(text)
        if len(words) >= 5
    }


def parse_thresholds(text: str) -> dict[Key, tuple[int, int]]:
    """Read ``ipvsadm -Ln --thresholds``: (upper, lower) per real server that has any."""
    return {
        key: (int(words[0]), int(words[1]))
        for key, words in _rows(text)
        # Nearly every real server has none.
        if key[1] and len(words) >= 2 and words[:2] != _NO_LIMITS
    }


class Connections(NamedTuple):
    """What a real server has now; *templates* are persistent clients bound to it."""

    weight: int
    templates: int
    active: int
    inactive: int


def parse_connections(text: str) -> dict[Key, Connections]:
    """Read ``ipvsadm -Ln --persistent-conn``, per real server."""
    return {
        key: Connections(*(int(word) for word in words[:4]))
        for key, words in _rows(text)
        if key[1] and len(words) >= 4
    }


def _rows(text: str) -> Iterator[tuple[Key, list[str]]]:
    """Walk a listing: each row with the service that it belongs to."""
    service: ServiceAddress | None = None
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[1] in ("Virtual", "LocalAddress:Port"):
            continue
        if words[0] != "->":
            service = _service_address(words)
            skip = 3 if words[0] == "FWM" and words[2:3] == ["IPv6"] else 2
            if service:
                yield (service, ""), words[skip:]
        elif service and words[1] != "RemoteAddress:Port":
            yield (service, words[1]), words[2:]


def _service_address(words: list[str]) -> ServiceAddress | None:
    """Read ``TCP 10.0.1.31:80``, ``UDP [2001:db8::1]:53`` or ``FWM 7 IPv6``."""
    if words[0] == "FWM":
        six = words[2:3] == ["IPv6"]
        return ServiceAddress.of_mark(int(words[1]), 6 if six else 4)
    if words[0] not in Protocol.__members__:
        return None
    host, port = split_endpoint(words[1])
    return ServiceAddress.of(Protocol[words[0]], ip_address(host), port)
