"""Every read-only question that we may ask a host, each with its pure parser.

See ip(8), ipvsadm(8). Text comes in as the host printed it, values come out; nothing
here guesses: what is not understood raises ``FactError`` or is kept word for word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_interface
from typing import Any, Generic, TypeVar

from cluster.lvs import counters, rules
from cluster.lvs.command import Command
from cluster.lvs.host import LOOPBACK, BoundAddress, Route
from cluster.lvs.real_server import ARP_SYSCTLS
from cluster.lvs.table import RealServer, ServiceAddress, Table

T = TypeVar("T")


class FactError(ValueError):
    """An answer that is not what the command prints."""


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One read-only command and the function that reads its answer."""

    command: Command
    parse: Callable[[str], T]


def parse_addresses(text: str) -> tuple[BoundAddress, ...]:
    """Read ``ip -j addr show``; link-local IPv6 addresses are left out."""
    found = []
    for link in _json_list(text):
        for info in link.get("addr_info", []):
            if info["family"] not in ("inet", "inet6") or info["scope"] == "link":
                continue
            interface = ip_interface(f"{info['local']}/{info['prefixlen']}")
            found.append(BoundAddress(link["ifname"], interface, info.get("label", "")))
    return tuple(sorted(found, key=lambda b: (b.device, b.label, str(b.interface))))


def parse_routes(text: str) -> tuple[Route, ...]:
    """Read ``ip -j route show dev lo``: the host routes of the main table."""
    routes = []
    for route in _json_list(text):
        destination = route["dst"]
        if "/" not in destination and destination != "default":
            destination += "/32"
        routes.append(Route(destination, LOOPBACK))
    return tuple(sorted(routes, key=lambda r: r.destination))


def parse_sysctls(text: str) -> tuple[tuple[str, str], ...]:
    """Read ``grep . /proc/sys/...``: ``/proc/sys/net/ipv4/conf/lo/arp_ignore:1``."""
    found = []
    for line in text.splitlines():
        path, colon, value = line.partition(":")
        if not colon or not path.startswith("/proc/sys/"):
            raise FactError(line)
        found.append((path.removeprefix("/proc/sys/").replace("/", "."), value))
    return tuple(found)


def _json_list(text: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(text or "[]")
    except ValueError as error:
        raise FactError(str(error)) from error
    if not isinstance(data, list):
        raise FactError(text[:80])
    return data


def _proc_sys(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


BOOT_ID = Fact(Command(("cat", "/proc/sys/kernel/random/boot_id")), str.strip)
ADDRESSES = Fact(Command(("ip", "-j", "addr", "show")), parse_addresses)
LOOPBACK_ROUTES = Fact(
    Command(("ip", "-j", "route", "show", "dev", LOOPBACK)), parse_routes
)
ARP = Fact(
    Command(("grep", ".", *(_proc_sys(key) for key, _ in ARP_SYSCTLS))), parse_sysctls
)
RULES = Fact(Command(("ipvsadm", "-Sn"), root=True), rules.parse)
THRESHOLDS = Fact(
    Command(("ipvsadm", "-Ln", "--thresholds"), root=True), counters.parse_thresholds
)


def with_thresholds(
    table: Table, limits: dict[tuple[ServiceAddress, str], tuple[int, int]]
) -> Table:
    """Return the table with what ``ipvsadm -S`` leaves out: upper and lower limits."""

    def fill(at: ServiceAddress, server: RealServer) -> RealServer:
        upper, lower = limits.get((at, server.endpoint), (0, 0))
        return replace(server, upper=upper, lower=lower)

    services = tuple(
        replace(s, servers=tuple(fill(s.at, server) for server in s.servers))
        for s in table.services
    )
    return Table(services, table.unknown)
