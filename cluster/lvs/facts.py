"""Every read-only question that we may ask a host, each with its pure parser.

See ip(8), ipvsadm(8). Text comes in as the host printed it, values come out; nothing
here guesses: what is not understood raises ``FactError`` or is kept word for word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_interface
from typing import Any, Generic, TypeVar

from cluster.lvs import (
    boot_place,
    counters,
    fullnat,
    ipvs_sysctls,
    listening,
    marks,
    rules,
    source_nat,
    sysctls,
)
from cluster.lvs.boot_place import BootPlace
from cluster.lvs.command import Command
from cluster.lvs.host import LOOPBACK, BoundAddress, Gateway, Route, Tunnel
from cluster.lvs.settings import SyncDaemon, SyncRole, Timeouts
from cluster.lvs.table import RealServer, ServiceAddress, Table

T = TypeVar("T")


class FactError(ValueError):
    """An answer that is not what the command prints."""


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One read-only command and the function that reads its answer.

    *partial*: an exit status other than 0 is an answer, too.
    """

    command: Command
    parse: Callable[[str], T]
    partial: bool = False


def parse_addresses(text: str) -> tuple[BoundAddress, ...]:
    """Read ``ip -j addr show``; link-local IPv6 addresses are left out."""
    found = []
    for link in _json_list(text):
        for info in link.get("addr_info", []):
            if info["family"] not in ("inet", "inet6") or info["scope"] == "link":
                continue
            # IPv6: somebody else has it, so the kernel does not use it.
            if info.get("dadfailed"):
                continue
            interface = ip_interface(f"{info['local']}/{info['prefixlen']}")
            # gre0 gets fe80::7f00:1 with the scope of a host, from 127.0.0.1.
            if interface.version == 6 and interface.is_link_local:
                continue
            found.append(BoundAddress(link["ifname"], interface, info.get("label", "")))
    return tuple(sorted(found, key=lambda b: (b.device, b.label, str(b.interface))))


# What ``ip -d`` calls the kind of a device, with its module.
_KINDS = {
    "ipip": "ipip",
    "gre": "ip_gre",
    "gretap": "ip_gre",
    "erspan": "ip_gre",
    "ip6tnl": "ip6_tunnel",
    "sit": "sit",
}


def parse_tunnels(text: str) -> tuple[Tunnel, ...]:
    """Read the devices of the modules ipip and ip_gre from ``ip -d -j addr show``."""
    found = []
    for link in _json_list(text):
        info = link.get("linkinfo", {})
        module = _KINDS.get(info.get("info_kind", ""))
        if module:
            up, local = "UP" in link.get("flags", ()), info.get("info_data", {})
            address = str(local.get("local", "any"))
            address = "" if address == "any" else address
            found.append(Tunnel(link["ifname"], up, module, address))
    return tuple(found)


def parse_gue(text: str) -> tuple[int, ...]:
    """Read the ports of GUE over IPv4 from ``ip -j fou show``."""
    return tuple(
        sorted(
            row["port"]
            for row in _json_list(text)
            if "gue" in row and row.get("family") == "inet"
        )
    )


def parse_routes(text: str) -> tuple[Route, ...]:
    """Read the routes on ``lo`` from ``ip -j route show``, the main table."""
    found = [
        Route(_destination(route), LOOPBACK)
        for route in _json_list(text)
        if route.get("dev") == LOOPBACK
    ]
    return tuple(sorted(found, key=lambda route: route.destination))


def parse_gateways(text: str) -> tuple[Gateway, ...]:
    """Read the routes by way of another machine from ``ip -j route show``."""
    found = []
    for route in _json_list(text):
        hops = [route, *route.get("nexthops", ())]
        vias = [str(hop["gateway"]) for hop in hops if "gateway" in hop]
        found += [Gateway(_destination(route), via) for via in vias]
    return tuple(found)


def _destination(route: dict[str, Any]) -> str:
    destination = str(route["dst"])
    bare = "/" not in destination and destination != "default"
    single = 128 if ":" in destination else 32
    return f"{destination}/{single}" if bare else destination


def parse_sysctls(text: str) -> tuple[tuple[str, str], ...]:
    """Read ``grep -r . /proc/sys``: ``/proc/sys/net/ipv4/conf/lo/arp_ignore:1``."""
    found = []
    for line in text.splitlines():
        path, colon, value = line.partition(":")
        if not colon or not path.startswith("/proc/sys/"):
            raise FactError(line)
        key = sysctls.spelled(path)
        if key:
            name = key.rpartition(".")[2]
            found.append((key, ipvs_sysctls.as_read(name, value)))
    return tuple(sorted(found))


_TIMEOUTS = re.compile(r"Timeout \(tcp tcpfin udp\): ([0-9]+) ([0-9]+) ([0-9]+)")


def parse_timeouts(text: str) -> Timeouts:
    """Read ``Timeout (tcp tcpfin udp): 900 120 300``."""
    found = _TIMEOUTS.fullmatch(text.strip())
    if not found:
        raise FactError(text[:80])
    return Timeouts(*map(int, found.groups()))


_DAEMON = re.compile(
    r"(master|backup) sync daemon \(mcast=(\S+), syncid=([0-9]+)"
    r"(?:, maxlen=([0-9]+))?(?:, group=([0-9a-fA-F.:]+))?(?:, port=([0-9]+))?"
    r"(?:, ttl=([0-9]+))?\)"
)


def parse_daemons(text: str) -> tuple[SyncDaemon, ...]:
    """Read ``master sync daemon (mcast=eth0, syncid=1, maxlen=1472, ...)``.

    Kernels before 4.3 tell interface and ID alone.
    """
    daemons = []
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _DAEMON.fullmatch(line)
        if not found:
            raise FactError(line[:80])
        role, interface, syncid, maxlen, group, port, ttl = found.groups()
        length, number, hops = (int(n) if n else None for n in (maxlen, port, ttl))
        place = (SyncRole(role), interface, int(syncid))
        daemons.append(SyncDaemon(*place, length, group or "", number, hops))
    return tuple(daemons)


def _json_list(text: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(text or "[]")
    except ValueError as error:
        raise FactError(str(error)) from error
    if not isinstance(data, list):
        raise FactError(text[:80])
    return data


BOOT_ID = Fact(Command(("cat", "/proc/sys/kernel/random/boot_id")), str.strip)
ADDRESSES = Fact(Command(("ip", "-j", "addr", "show")), parse_addresses)
LINKS = Fact(
    Command(("ip", "-d", "-j", "addr", "show")),
    lambda text: (parse_addresses(text), parse_tunnels(text)),
)
ROUTES = Fact(
    Command(("ip", "-j", "route", "show")),
    lambda text: (parse_routes(text), parse_gateways(text)),
)
# Asked where there is an IPv6 address only.
GATEWAYS6 = Fact(Command(("ip", "-6", "-j", "route", "show")), parse_gateways)
SYSCTLS = Fact(
    Command(
        (
            "grep",
            "-rs",
            *(f"--include={name}" for name in sysctls.FILES),
            ".",
            "/proc/sys/net",
        )
    ),
    parse_sysctls,
)
# Who listens; the names of programs would need root.
LISTENING = Fact(Command(("ss", "-Hltun")), listening.parse)
MARKS = {
    tool: Fact(
        Command((tool, "-w", "5", "-t", "mangle", "-S"), root=True),
        lambda text: (marks.parse(text), marks.others(text)),
    )
    for tool in (*source_nat.TOOLS, *marks.TOOLS6)
}
# Refused while the module is not there; unlike many a listing it does not load it.
GUE = Fact(Command(("ip", "-j", "fou", "show")), parse_gue)
# Would the kernel take NAT rules of nftables? Nothing is loaded by asking. The path,
# because an ordinary user's PATH may lack it.
NFT_WORKS = Command(("/usr/sbin/modprobe", "-n", "-q", "nft_chain_nat"))
SOURCE_NAT = {
    tool: Fact(
        Command((tool, "-w", "5", "-t", "nat", "-S", source_nat.CHAIN), root=True),
        source_nat.parse,
    )
    for tool in source_nat.TOOLS
}
# Of a patched ipvsadm; rights that are older than this question refuse it, which means
# no, as everybody else's help does.
FULLNAT = Fact(fullnat.HELP, fullnat.is_patched, partial=True)
# A listing costs one round to the kernel for each service.
_LISTING = 30.0
RULES = Fact(
    Command(("ipvsadm", "-Sn"), root=True, deadline=_LISTING),
    rules.parse,
)
TIMEOUTS = Fact(Command(("ipvsadm", "-Ln", "--timeout"), root=True), parse_timeouts)
DAEMONS = Fact(Command(("ipvsadm", "-Ln", "--daemon"), root=True), parse_daemons)
THRESHOLDS = Fact(
    Command(("ipvsadm", "-Ln", "--thresholds"), root=True, deadline=_LISTING),
    counters.parse_thresholds,
)
CONNECTIONS = Fact(
    Command(("ipvsadm", "-Ln", "--persistent-conn"), root=True),
    counters.parse_connections,
)
# What the kernel does with templates of a real server at weight 0.
TEMPLATES_EXPIRE = Fact(
    Command(("cat", "/proc/sys/net/ipv4/vs/expire_quiescent_template")), str.strip
)


def boot(user: str) -> Fact[BootPlace]:
    """What shall outlast a reboot, and whether the host is prepared for it."""
    read = partial(boot_place.read, user=user)
    return Fact(boot_place.QUESTION, read, partial=True)


# How long it is depends on the table.
BOOT_TEXT = Fact(Command(("cat", boot_place.BOOT_FILE), deadline=_LISTING), str)


def with_thresholds(
    table: Table, limits: dict[tuple[ServiceAddress, str], tuple[int, int]]
) -> Table:
    """Return the table with what ``ipvsadm -S`` leaves out: upper and lower limits."""
    if not limits:
        return table
    keys = {at for at, _server in limits}

    def fill(at: ServiceAddress, server: RealServer) -> RealServer:
        upper, lower = limits.get((at, server.endpoint), (0, 0))
        return replace(server, upper=upper, lower=lower)

    services = tuple(
        replace(s, servers=tuple(fill(s.at, server) for server in s.servers))
        if s.at in keys
        else s
        for s in table.services
    )
    return Table(services, table.unknown)
