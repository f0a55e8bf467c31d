"""What a host has and what it shall have: addresses, routes, sysctls, IPVS table.

``HostState`` is observed, ``HostWish`` is desired, ``Footprint`` is what our own runs
have put there; the plan compares the three and touches nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any, TypeAlias

from cluster.lvs import rules
from cluster.lvs.table import IPAddress, ServiceAddress, Table, VirtualService

Interface: TypeAlias = IPv4Interface | IPv6Interface
LOOPBACK = "lo"


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

    def __str__(self) -> str:
        return f"{self.interface} dev {self.device}"


@dataclass(frozen=True, slots=True)
class Route:
    """A host route in the main table, as ``ip route add 10.0.1.31/32 dev lo``."""

    destination: str
    device: str


@dataclass(frozen=True, slots=True)
class HostState:
    """What one host said when it was asked, see ``facts.py``.

    Routes are those on ``lo`` only. A host that is no director has an empty table.
    """

    boot_id: str = ""
    addresses: tuple[BoundAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    table: Table = field(default_factory=Table)

    def holds(self, wanted: BoundAddress) -> bool:
        return any(bound.key == wanted.key for bound in self.addresses)

    def as_json(self) -> dict[str, Any]:
        return {
            "boot_id": self.boot_id,
            "addresses": [_address_json(bound) for bound in self.addresses],
            "routes": [[r.destination, r.device] for r in self.routes],
            "sysctls": dict(self.sysctls),
            "table": rules.render(self.table),
            "unknown": list(self.table.unknown),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HostState:
        table = rules.parse(data["table"])
        return cls(
            boot_id=data["boot_id"],
            addresses=tuple(_address_from_json(item) for item in data["addresses"]),
            routes=tuple(Route(*item) for item in data["routes"]),
            sysctls=tuple(data["sysctls"].items()),
            table=Table(table.services, tuple(data["unknown"])),
        )


@dataclass(frozen=True, slots=True)
class HostWish:
    """What one host shall have, over and above what is none of our business."""

    addresses: tuple[BoundAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    table: Table = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What our runs have put on one host and not yet taken away.

    *sysctls* maps each key to the value that it had before we first set it, so that
    the host can be left exactly as it was found.
    """

    addresses: tuple[BoundAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    services: tuple[ServiceAddress, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.routes or self.sysctls or self.services)

    def __or__(self, other: Footprint) -> Footprint:
        """Return both; a sysctl keeps the older of two values "before"."""
        known = {bound.key for bound in self.addresses}
        return Footprint(
            (*self.addresses, *(b for b in other.addresses if b.key not in known)),
            (*self.routes, *(r for r in other.routes if r not in self.routes)),
            tuple((dict(other.sysctls) | dict(self.sysctls)).items()),
            (*self.services, *(s for s in other.services if s not in self.services)),
        )

    def still_on(self, state: HostState) -> Footprint:
        """Return the part that is really there: what a run leaves behind.

        A sysctl stays ours while it has another value than the one before.
        """
        now = dict(state.sysctls)
        present = state.table.by_address
        return Footprint(
            tuple(b for b in self.addresses if state.holds(b)),
            tuple(r for r in self.routes if r in state.routes),
            tuple((k, v) for k, v in self.sysctls if now.get(k, v) != v),
            tuple(at for at in self.services if at in present),
        )

    def as_json(self) -> dict[str, Any]:
        empty = [VirtualService(at) for at in self.services]
        return {
            "addresses": [_address_json(bound) for bound in self.addresses],
            "routes": [[r.destination, r.device] for r in self.routes],
            "sysctls": dict(self.sysctls),
            "services": rules.render(Table(tuple(empty))),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Footprint:
        if not data:
            return cls()
        return cls(
            tuple(_address_from_json(item) for item in data["addresses"]),
            tuple(Route(*item) for item in data["routes"]),
            tuple(data["sysctls"].items()),
            tuple(rules.parse(data["services"]).by_address),
        )


def _address_json(bound: BoundAddress) -> list[str]:
    return [bound.device, str(bound.interface), bound.label]


def _address_from_json(item: list[str]) -> BoundAddress:
    device, interface, label = item
    return BoundAddress(device, ip_interface(interface), label)
