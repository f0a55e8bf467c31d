"""What a host has and what it shall have: addresses, routes, sysctls, IPVS table.

``HostState`` is observed, ``HostWish`` is desired, ``Footprint`` is what our own runs
have put there; the plan compares the three and touches nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any, TypeAlias

from cluster.lvs import marks, rules, source_nat
from cluster.lvs.boot_place import BootPlace
from cluster.lvs.marks import MarkRule
from cluster.lvs.settings import DirectorSettings, SyncDaemon, SyncRole, Timeouts
from cluster.lvs.source_nat import SourceNat
from cluster.lvs.table import IPAddress, ServiceAddress, Table, VirtualService

Interface: TypeAlias = IPv4Interface | IPv6Interface
LOOPBACK = "lo"
TUNNEL = "tunl0"
# gre0 comes with the module ip_gre and refuses packets with a checksum; gre-csum is a
# device of our own that takes these only.
GRE, GRE_CSUM = "gre0", "gre-csum"
TUNNELS = (TUNNEL, GRE, GRE_CSUM)
# For IPv6 in IPv6, and in IPv4. The VIP itself is on lo: see real_server.py.
SIX_IN_SIX, SIX_IN_FOUR = "ip6tnl0", "sit0"
TUNNELS6 = (SIX_IN_SIX, SIX_IN_FOUR)
# Devices that no neighbour sees: a VIP on them is accepted, not announced.
INNER = (LOOPBACK, *TUNNELS, *TUNNELS6)
# The modules that make devices, with those that each of them brings along.
BROUGHT = {
    "ipip": (TUNNEL,),
    "ip_gre": (GRE, "gretap0", "erspan0"),
    "ip6_tunnel": (SIX_IN_SIX,),
    "sit": (SIX_IN_FOUR,),
}
FOU = "fou"
ABSENT, DOWN = "absent", "down"


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """An address on a device: ``10.0.1.31/24 dev eth0 label eth0:1``."""

    device: str
    interface: Interface
    label: str = ""

    @property
    def address(self) -> IPAddress:
        return self.interface.ip

    @property
    def key(self) -> tuple[str, str]:
        return (self.device, str(self.interface))

    @property
    def is_local(self) -> bool:
        """Whether it is a local address of FULLNAT, ``eth0:0``; VIPs count from 1."""
        return self.label.endswith(":0")

    def __str__(self) -> str:
        return f"{self.interface} dev {self.device}"


@dataclass(frozen=True, slots=True)
class Route:
    """A host route in the main table, as ``ip route add 10.0.1.31/32 dev lo``."""

    destination: str
    device: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A route by way of another machine: ``default via 10.0.1.3``."""

    destination: str
    via: str


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A device of the module ipip or ip_gre; *local* is the address it listens on."""

    name: str
    up: bool
    module: str = "ipip"
    local: str = ""


@dataclass(frozen=True, slots=True)
class HostState:
    """What one host said when it was asked, see ``facts.py``.

    Routes are those on ``lo`` only. A host that is no director has an empty table.
    *firewall* is the program that works there, asked only where it is needed; *gue* are
    the UDP ports that GUE is taken out of, None while the module fou is not loaded.
    *other_marks* are set by rules of the firewall that are none of our form. *fullnat*:
    its ipvsadm is a patched one, asked only where FULLNAT matters.
    """

    boot_id: str = ""
    addresses: tuple[BoundAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    table: Table = field(default_factory=Table)
    tunnels: tuple[Tunnel, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    firewall: str = ""
    source_nat: tuple[SourceNat, ...] = ()
    gue: tuple[int, ...] | None = None
    settings: DirectorSettings = field(default_factory=DirectorSettings)
    boot: BootPlace = field(default_factory=BootPlace)
    marks: tuple[MarkRule, ...] = ()
    other_marks: tuple[int, ...] = ()
    fullnat: bool = False

    def tunnel(self, name: str) -> Tunnel | None:
        return next((t for t in self.tunnels if t.name == name), None)

    def holds(self, wanted: BoundAddress) -> bool:
        return any(bound.key == wanted.key for bound in self.addresses)

    def answers_for(self, wanted: BoundAddress) -> bool:
        """Whether the address is there, on the LAN with any prefix: one that was bound
        by hand is used, not bound a second time."""
        return self.holds(wanted) or any(
            b.device == wanted.device not in INNER and b.address == wanted.address
            for b in self.addresses
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "boot_id": self.boot_id,
            "addresses": [_address_json(bound) for bound in self.addresses],
            "routes": [[r.destination, r.device] for r in self.routes],
            "sysctls": dict(self.sysctls),
            "table": rules.render(self.table),
            "unknown": list(self.table.unknown),
            "tunnels": [[t.name, t.up, t.module, t.local] for t in self.tunnels],
            "gateways": [[g.destination, g.via] for g in self.gateways],
            "firewall": self.firewall,
            "source_nat": [list(rule.words) for rule in self.source_nat],
            "gue": None if self.gue is None else list(self.gue),
            "settings": self.settings.as_json(),
            "boot": self.boot.as_json(),
            "marks": [list(rule.words) for rule in self.marks],
            "other_marks": list(self.other_marks),
            "fullnat": self.fullnat,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HostState:
        table, gue = rules.parse(data["table"]), data.get("gue")
        return cls(
            boot_id=data["boot_id"],
            addresses=tuple(_address_from_json(item) for item in data["addresses"]),
            routes=tuple(Route(*item) for item in data["routes"]),
            sysctls=tuple(data["sysctls"].items()),
            table=Table(table.services, tuple(data["unknown"])),
            # States that were kept before there were tunnels have neither.
            tunnels=tuple(Tunnel(*item) for item in data.get("tunnels", ())),
            gateways=tuple(Gateway(*item) for item in data.get("gateways", ())),
            firewall=data.get("firewall", ""),
            source_nat=tuple(map(source_nat.read, data.get("source_nat", ()))),
            gue=None if gue is None else tuple(gue),
            settings=DirectorSettings.from_json(data.get("settings", {})),
            boot=BootPlace.from_json(data.get("boot", {})),
            marks=tuple(map(marks.read, data.get("marks", ()))),
            other_marks=tuple(data.get("other_marks", ())),
            fullnat=data.get("fullnat", False),
        )


@dataclass(frozen=True, slots=True)
class HostWish:
    """What one host shall have, over and above what is none of our business.

    *tunnels* are devices that shall be there and up, *gue* are UDP ports.
    """

    addresses: tuple[BoundAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    table: Table = field(default_factory=Table)
    tunnels: tuple[Tunnel, ...] = ()
    source_nat: tuple[SourceNat, ...] = ()
    gue: tuple[int, ...] = ()
    settings: DirectorSettings = field(default_factory=DirectorSettings)
    marks: tuple[MarkRule, ...] = ()

    def __or__(self, other: HostWish) -> HostWish:
        """Return what satisfies both; only one of them may have a table."""
        return HostWish(
            (*self.addresses, *other.addresses),
            (*self.routes, *other.routes),
            tuple((dict(self.sysctls) | dict(other.sysctls)).items()),
            self.table if self.table.services else other.table,
            (*self.tunnels, *other.tunnels),
            (*self.source_nat, *other.source_nat),
            (*self.gue, *other.gue),
            self.settings | other.settings,
            (*self.marks, *other.marks),
        )


@dataclass(frozen=True, slots=True)
class Footprint:
    """What our runs have put on one host and not yet taken away.

    *sysctls* maps each key to the value that it had before we first set it, so that
    the host can be left exactly as it was found; *tunnels* says of each device
    whether it was absent or down, and *modules* are others that we loaded.
    *timeouts* and *sync_daemons* are what there was before, None for no daemon.
    *boot*: the boot file is ours.
    """

    addresses: tuple[BoundAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    services: tuple[ServiceAddress, ...] = ()
    tunnels: tuple[tuple[str, str], ...] = ()
    source_nat: tuple[SourceNat, ...] = ()
    gue: tuple[int, ...] = ()
    modules: tuple[str, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    sync_daemons: tuple[tuple[SyncRole, SyncDaemon | None], ...] = ()
    boot: bool = False
    marks: tuple[MarkRule, ...] = ()

    def __bool__(self) -> bool:
        return self != Footprint()

    def __or__(self, other: Footprint) -> Footprint:
        """Return both; what has a value "before" keeps the older of the two."""
        known = {bound.key for bound in self.addresses}
        return Footprint(
            (*self.addresses, *(b for b in other.addresses if b.key not in known)),
            (*self.routes, *(r for r in other.routes if r not in self.routes)),
            tuple((dict(other.sysctls) | dict(self.sysctls)).items()),
            tuple(dict.fromkeys((*self.services, *other.services))),
            tuple((dict(other.tunnels) | dict(self.tunnels)).items()),
            tuple(dict.fromkeys((*self.source_nat, *other.source_nat))),
            tuple(dict.fromkeys((*self.gue, *other.gue))),
            tuple(dict.fromkeys((*self.modules, *other.modules))),
            self.timeouts | other.timeouts,
            tuple((dict(other.sync_daemons) | dict(self.sync_daemons)).items()),
            self.boot or other.boot,
            tuple(dict.fromkeys((*self.marks, *other.marks))),
        )

    def still_on(self, state: HostState) -> Footprint:
        """Return the part that is really there: what a run leaves behind.

        A sysctl stays ours while it has another value than the one before.
        """
        now = dict(state.sysctls)
        present = state.table.by_address

        def differs(name: str, before: str) -> bool:
            there = state.tunnel(name)
            return there is not None and (before == ABSENT or there.up)

        return Footprint(
            tuple(b for b in self.addresses if state.holds(b)),
            tuple(r for r in self.routes if r in state.routes),
            tuple((k, v) for k, v in self.sysctls if now.get(k, v) != v),
            tuple(at for at in self.services if at in present),
            tuple((n, before) for n, before in self.tunnels if differs(n, before)),
            tuple(rule for rule in self.source_nat if rule in state.source_nat),
            tuple(port for port in self.gue if port in (state.gue or ())),
            self.modules if state.gue is not None else (),
            self.timeouts.unlike(state.settings.timeouts),
            tuple(
                (role, before)
                for role, before in self.sync_daemons
                if state.settings.daemon(role) != before
            ),
            self.boot and bool(state.boot.digest),
            tuple(rule for rule in self.marks if rule in state.marks),
        )

    def as_json(self) -> dict[str, Any]:
        empty = [VirtualService(at) for at in self.services]
        return {
            "addresses": [_address_json(bound) for bound in self.addresses],
            "routes": [[r.destination, r.device] for r in self.routes],
            "sysctls": dict(self.sysctls),
            "services": rules.render(Table(tuple(empty))),
            "tunnels": dict(self.tunnels),
            "source_nat": [list(rule.words) for rule in self.source_nat],
            "gue": list(self.gue),
            "modules": list(self.modules),
            "timeouts": self.timeouts.as_json(),
            "sync_daemons": [
                [role.value, before.as_json() if before else None]
                for role, before in self.sync_daemons
            ],
            "boot": self.boot,
            "marks": [list(rule.words) for rule in self.marks],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Footprint:
        if not data:
            return cls()
        return cls(
            tuple(_address_from_json(item) for item in data["addresses"]),
            tuple(Route(*item) for item in data["routes"]),
            tuple(data["sysctls"].items()),
            _keys(data["services"]),
            tuple(data.get("tunnels", {}).items()),
            tuple(map(source_nat.read, data.get("source_nat", ()))),
            tuple(data.get("gue", ())),
            tuple(data.get("modules", ())),
            Timeouts(**data.get("timeouts", {})),
            tuple(
                (SyncRole(role), SyncDaemon.from_json(before) if before else None)
                for role, before in data.get("sync_daemons", ())
            ),
            data.get("boot", False),
            tuple(map(marks.read, data.get("marks", ()))),
        )


# The footprint of a host is looked at many times in a run.
@lru_cache(maxsize=64)
def _keys(text: str) -> tuple[ServiceAddress, ...]:
    return tuple(rules.parse(text).by_address)


def _address_json(bound: BoundAddress) -> list[str]:
    return [bound.device, str(bound.interface), bound.label]


def _address_from_json(item: list[str]) -> BoundAddress:
    device, interface, label = item
    return BoundAddress(device, ip_interface(interface), label)
