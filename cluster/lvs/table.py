"""The IPVS table as frozen values, in the order in which the plan compares them.

One value for what the operator wants and for what a kernel reports, so that they can
be compared with ``==``. Server order inside a service carries no meaning in the kernel;
both sides keep the servers sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Self, TypeAlias

from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler

IPAddress: TypeAlias = IPv4Address | IPv6Address
# A real server stands in many services.
read_address = lru_cache(maxsize=4096)(ip_address)


def endpoint(address: IPAddress, port: int) -> str:
    """Return ``10.0.1.31:80`` or ``[2001:db8::1]:80``, as ipvsadm -n spells it."""
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{host}:{port}"


def without_any_port(at: str) -> str:
    """Return a place as people read it: behind a firewall mark a real server has any
    port, which ipvsadm spells ``10.0.7.11:0``."""
    return at.removesuffix(":0").strip("[]") if at.endswith(":0") else at


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """The key of a virtual service: protocol + VIP + port, or a firewall mark.

    A firewall mark has neither protocol nor address; *family* tells IPv4 (4) from
    IPv6 (6), because mark 7 may exist once in each.
    """

    protocol: Protocol | None = None
    address: IPAddress | None = None
    port: int = 0
    mark: int = 0
    family: int = 4

    @classmethod
    def of(cls, protocol: Protocol, address: IPAddress, port: int) -> Self:
        return cls(protocol, address, port, family=address.version)

    @classmethod
    def of_mark(cls, mark: int, family: int = 4) -> Self:
        return cls(mark=mark, family=family)

    def __hash__(self) -> int:
        # Looked up for every rule: several times as fast as one of all fields.
        number = int(self.address) if self.address else self.mark
        return hash((number, self.port, self.family))

    @property
    def switches(self) -> tuple[str, ...]:
        """Return the words that name this service to ipvsadm: ``-t 10.0.1.31:80``."""
        if self.protocol is None or self.address is None:
            six = ("-6",) if self.family == 6 else ()
            return ("-f", str(self.mark), *six)
        return (self.protocol.switch, endpoint(self.address, self.port))

    @property
    def word(self) -> str:
        """Return ``TCP`` or ``FWM``, as a listing of ipvsadm begins."""
        return self.protocol.label if self.protocol else "FWM"

    @property
    def place(self) -> str:
        """Return what stands behind it: ``10.0.1.31:80`` or ``7``."""
        return str(self).partition(" ")[2]

    @property
    def sort_key(self) -> tuple[str, int, int, int, int]:
        packed = int(self.address) if self.address else 0
        name = self.protocol.value if self.protocol else "fwmark"
        return (name, self.family, packed, self.port, self.mark)

    def __str__(self) -> str:
        if self.protocol is None or self.address is None:
            return f"FWM {self.mark}" + (" IPv6" if self.family == 6 else "")
        return f"{self.protocol.label} {endpoint(self.address, self.port)}"


@dataclass(frozen=True, slots=True)
class Packets:
    """What a firewall marks: packets to one VIP, and to the ports from first to last."""

    protocol: Protocol
    address: IPAddress
    first: int
    last: int

    @property
    def ports(self) -> str:
        """Return ``80`` or ``8000:8010``, as iptables spells it."""
        alone = self.first == self.last
        return str(self.first) if alone else f"{self.first}:{self.last}"

    @property
    def sort_key(self) -> tuple[int, int, str, int, int]:
        number = int(self.address)
        name = self.protocol.value
        return (self.address.version, number, name, self.first, self.last)

    def as_json(self) -> list[str | int]:
        return [self.protocol.value, str(self.address), self.first, self.last]

    @classmethod
    def from_json(cls, item: list[Any]) -> Self:
        name, address, first, last = item
        return cls(Protocol(name), ip_address(address), first, last)

    def overlaps(self, other: Packets) -> bool:
        same = (self.protocol, self.address) == (other.protocol, other.address)
        return same and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        place = endpoint(self.address, self.first)
        more = "" if self.first == self.last else f"-{self.last}"
        return f"{self.protocol.label} {place}{more}"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Encapsulation of a tunneling real server; the kernel's default is plain ipip."""

    type: str = "ipip"
    port: int = 0
    checksum: str = "nocsum"


@dataclass(frozen=True, slots=True)
class RealServer:
    """One destination of a virtual service. Weight 0 means quiesced.

    *rule* is how ``rules.py`` says it, once it was asked to.
    """

    address: IPAddress
    port: int
    method: ForwardingMethod = ForwardingMethod.DR
    weight: int = 1
    upper: int = 0
    lower: int = 0
    tunnel: Tunnel | None = None
    rule: str = field(default="", init=False, compare=False, repr=False)

    @property
    def sort_key(self) -> tuple[int, int, int]:
        return (self.address.version, int(self.address), self.port)

    @property
    def endpoint(self) -> str:
        return endpoint(self.address, self.port)

    @property
    def place(self) -> str:
        """The same for people: without a port where that is any."""
        return without_any_port(self.endpoint)


@dataclass(frozen=True, slots=True)
class VirtualService:
    """A virtual service with its real servers, sorted by address and port.

    *persistence* is in seconds, 0 for none; *netmask* is a prefix length and only
    means something together with persistence (None: a single client). *source_nat* and
    *local*, its first and last address, are none of ipvsadm's: see ``source_nat.py``.
    Nor are the *packets* of a firewall mark: see ``marks.py``. *laddrs* are the local
    addresses that a patched ipvsadm sets, see ``fullnat.py``; no wish has them.
    *rules* is what ``rules.render`` has made of all this, once it was asked to.
    """

    at: ServiceAddress
    scheduler: Scheduler = Scheduler.WLC
    servers: tuple[RealServer, ...] = ()
    persistence: int = 0
    netmask: int | None = None
    flags: tuple[str, ...] = ()
    engine: str = ""
    one_packet: bool = False
    source_nat: bool = False
    local: tuple[IPAddress, IPAddress] | None = None
    packets: tuple[Packets, ...] = ()
    laddrs: tuple[IPAddress, ...] = ()
    rules: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.servers, key=lambda server: server.sort_key))
        object.__setattr__(self, "servers", ordered)
        object.__setattr__(self, "flags", tuple(sorted(self.flags)))
        if self.laddrs:
            object.__setattr__(self, "laddrs", tuple(sorted(self.laddrs, key=int)))
        if self.packets:
            in_order = tuple(sorted(self.packets, key=lambda one: one.sort_key))
            object.__setattr__(self, "packets", in_order)

    @property
    def vips(self) -> tuple[IPAddress, ...]:
        """Return the addresses that clients of this service ask."""
        if self.at.address:
            return (self.at.address,)
        return tuple(dict.fromkeys(one.address for one in self.packets))

    @property
    def alone(self) -> VirtualService:
        """The service record without its real servers, as ``ipvsadm -A`` sets it."""
        return replace(self, servers=())

    def server(self, address: IPAddress, port: int) -> RealServer | None:
        for server in self.servers:
            if server.address == address and server.port == port:
                return server
        return None


@dataclass(frozen=True, slots=True)
class Table:
    """All virtual services of one director.

    *unknown* keeps the lines of a listing that were not understood, word for word:
    a table that has any is never cleared, and its unknown lines are never deleted.
    """

    services: tuple[VirtualService, ...] = ()
    unknown: tuple[str, ...] = ()
    by_address: Mapping[ServiceAddress, VirtualService] = field(
        init=False, compare=False, repr=False
    )

    @property
    def addresses(self) -> set[IPAddress]:
        """Return those of all real servers. Many have the same object, and to tell
        objects apart is much quicker than to hash addresses."""
        return set(
            {
                id(server.address): server.address
                for service in self.services
                for server in service.servers
            }.values()
        )

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.services, key=lambda s: s.at.sort_key))
        object.__setattr__(self, "services", ordered)
        index = {service.at: service for service in ordered}
        object.__setattr__(self, "by_address", index)

    def only(self, keys: Iterable[ServiceAddress]) -> Table:
        """Return the part of this table that has the given keys."""
        wanted = set(keys)
        return Table(tuple(s for s in self.services if s.at in wanted))
