"""What the live page shows: the wish, what was applied, and what the kernel has now.

Three facts side by side, never one: rows of the database, the newest revision, and the
sample of the live cache. The state of a row follows from all three, see ``row_state``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from cluster.lvs import fullnat
from cluster.lvs.kernel_table import BLIND, row_key
from cluster.lvs.table import (
    RealServer,
    VirtualService,
    endpoint,
    without_any_port,
)
from cluster.lvs.terms import ForwardingMethod
from cluster.models import VirtualService as ServiceRow
from cluster.unheard import Unheard

# The kernel's words; Local is a real server on the director itself.
SHORT_METHODS = {
    "Route": "DR",
    "Tunnel": "TUN",
    "Masq": "NAT",
    "FullNat": "FULLNAT",
    "Local": "local",
}
LISTED, FOREIGN, UNKNOWN = "LISTED", "FOREIGN", "UNKNOWN"
PENDING, DRIFT, DRAINING, DISABLED = "PENDING", "DRIFT", "DRAINING", "DISABLED"
WORST_FIRST = (DRIFT, UNKNOWN, DRAINING, PENDING, FOREIGN, DISABLED, LISTED)


# Tuples: thousands are made in a tick, and a frozen object takes three times as long.
class Numbers(NamedTuple):
    """None is "not known"; *blind* says that replies cannot be seen, so not counted.

    *limits* are the upper and lower threshold of a real server that has one.
    """

    active: int | None = None
    inactive: int | None = None
    rates: Sequence[float] | None = None
    totals: Sequence[int] | None = None
    blind: bool = False
    spark: tuple[float, ...] = ()
    limits: Sequence[int] | None = None

    @property
    def conns(self) -> float | None:
        return self.rates[0] if self.rates else None

    @property
    def in_bytes(self) -> float | None:
        return self.rates[3] if self.rates else None

    @property
    def out_bytes(self) -> float | None:
        return self.rates[4] if self.rates else None


class ServerLine(NamedTuple):
    """*weight* is the kernel's, the wanted one where the kernel has none; *unheard* what
    its host does not listen to."""

    at: str
    name: str
    method: str
    weight: int | None
    state: str
    numbers: Numbers
    unheard: tuple[Unheard, ...] = ()

    @property
    def address(self) -> str:
        return _host(self.at)

    @property
    def shown(self) -> str:
        return without_any_port(self.at)

    @property
    def sought(self) -> str:
        """What finds it in the director's table: behind a mark it has any port."""
        return self.at.removesuffix(":0")


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """*row* is None for a service that is only in the kernel."""

    key: str
    protocol: str
    address: str
    vip: str
    scheduler: str
    persistence: int
    persistent: bool
    state: str
    numbers: Numbers
    servers: tuple[ServerLine, ...]
    row: ServiceRow | None = None

    @property
    def title(self) -> str:
        """``10.0.1.31:80``, or ``FWM 7 · 10.0.1.31 tcp 80,443``."""
        marked = self.protocol == "FWM"
        return f"{self.protocol} {self.address}" if marked else self.address

    @property
    def sought(self) -> str:
        """What finds its connections in the director's table, as a person types it.

        A firewall mark is in no connection: its VIP is, when there is only one.
        """
        if self.protocol != "FWM" or self.row is None:
            return self.key if self.protocol != "FWM" else ""
        packets = self.row.marked
        one = packets[0] if len(packets) == 1 else None
        if one and one.first == one.last:
            return f"{one.protocol.label} {endpoint(one.address, one.first)}"
        vips = self.row.vips
        return vips[0] if len(vips) == 1 else ""

    @property
    def listed(self) -> int:
        """How many real servers the kernel gives new connections to."""
        return sum(line.state == LISTED for line in self.servers)

    @property
    def largest_weight(self) -> int:
        return max((line.weight or 0 for line in self.servers), default=0)


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A row with what follows from it alone, so that it is worked out only once.

    *servers* are wanted, *off* the places of those that are switched off.
    """

    row: ServiceRow
    key: str
    protocol: str
    address: str
    value: VirtualService
    servers: Mapping[str, RealServer]
    off: tuple[str, ...]
    names: Mapping[str, str]

    @classmethod
    def of(
        cls, row: ServiceRow, applied: Mapping[str, VirtualService] | None = None
    ) -> WantedRow:
        """*applied* are the services that most rows are equal to."""
        at, value, servers = row.at, row.as_value(), row.servers.all()
        there = (applied or {}).get(str(at))
        return cls(
            row=row,
            key=str(at),
            protocol=at.protocol.label if at.protocol else "FWM",
            address=str(row).partition(" ")[2],
            # One and the same is soon compared.
            value=there if there == value else value,
            servers={s.endpoint: s for s in value.servers} if row.enabled else {},
            off=tuple(str(server) for server in servers if not server.enabled),
            names={s.address: s.host.name for s in servers if s.host},
        )


@dataclass(frozen=True, slots=True)
class Sources:
    """What a board is made of. *sample* is None when nothing fresh is known."""

    rows: Sequence[WantedRow]
    applied: Mapping[str, VirtualService]
    ours: frozenset[str]
    sample: Mapping[str, Any] | None
    sparks: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    unheard: Mapping[tuple[str, str], tuple[Unheard, ...]] = field(default_factory=dict)


def service_lines(sources: Sources) -> list[ServiceLine]:
    """Return every service that is wanted, applied or in the kernel."""
    kernel = {
        service["key"]: service
        for service in (sources.sample["services"] if sources.sample else ())
    }
    lines = [
        _of_row(sources, wanted, kernel.pop(_listed_as(wanted.key, kernel), None))
        for wanted in sources.rows
    ]
    return lines + [_of_kernel(sources, service) for service in kernel.values()]


def _listed_as(key: str, kernel: Mapping[str, Any]) -> str:
    """Return the key that the kernel lists a service by: a mark without real servers
    does not show its family."""
    plain = key.removesuffix(" IPv6")
    is_bare = key != plain and plain in kernel and not kernel[plain]["servers"]
    return plain if is_bare else key


def _of_row(
    sources: Sources, wanted: WantedRow, kernel: Mapping[str, Any] | None
) -> ServiceLine:
    row, key = wanted.row, wanted.key
    applied = sources.applied.get(key)
    state = row_state(
        known=sources.sample is not None,
        wanted=wanted.value if row.enabled else None,
        applied=applied,
        present=kernel is not None,
        same=kernel is not None
        and kernel["scheduler"] == row.scheduler
        and kernel["persistent"] == bool(row.persistence),
        ours=True,
    )
    return ServiceLine(
        key=key,
        protocol=wanted.protocol,
        address=wanted.address,
        vip=row.address or "",
        scheduler=kernel["scheduler"] if kernel else row.scheduler,
        persistence=row.persistence,
        persistent=bool(row.persistence),
        state=state,
        numbers=_service_numbers(sources, key, kernel),
        servers=tuple(_servers(sources, wanted, kernel, applied)),
        row=row,
    )


def _of_kernel(sources: Sources, kernel: Mapping[str, Any]) -> ServiceLine:
    """A service without a row: deleted from the wish, or put there by somebody else."""
    key = str(kernel["key"])
    applied = sources.applied.get(key)
    ours = key in sources.ours or applied is not None
    protocol, _, address = key.partition(" ")
    servers = tuple(
        ServerLine(
            at=server["at"],
            name=sources.names.get(_host(server["at"]), ""),
            method=SHORT_METHODS.get(server["forward"], server["forward"]),
            weight=server["weight"],
            state=PENDING if ours else FOREIGN,
            numbers=_numbers(sources, row_key(key, server["at"]), server),
        )
        for server in kernel["servers"]
    )
    return ServiceLine(
        key=key,
        protocol=protocol,
        address=address,
        vip=_host(address) if ":" in address else "",
        scheduler=kernel["scheduler"],
        persistence=applied.persistence if applied else 0,
        persistent=kernel["persistent"],
        state=PENDING if ours else FOREIGN,
        numbers=_service_numbers(sources, key, kernel),
        servers=servers,
    )


def _servers(
    sources: Sources,
    wanted: WantedRow,
    kernel: Mapping[str, Any] | None,
    applied: VirtualService | None,
) -> Iterator[ServerLine]:
    key, wishes, off = wanted.key, wanted.servers, wanted.off
    before = wishes
    if applied is not wanted.value or not wanted.row.enabled:
        before = {s.endpoint: s for s in applied.servers} if applied else {}
    present = {server["at"]: server for server in kernel["servers"]} if kernel else {}
    for at in dict.fromkeys([*wishes, *off, *present]):
        wish, now = wishes.get(at), present.get(at)
        state = row_state(
            known=sources.sample is not None,
            wanted=wish,
            applied=before.get(at),
            present=now is not None,
            same=_same(wish, now),
            ours=at in before or at in off or wish is not None,
            draining=now is not None and now["weight"] == 0,
        )
        yield ServerLine(
            at=at,
            name=wanted.names.get(_host(at)) or sources.names.get(_host(at), ""),
            method=_method(before.get(at) or wish, now),
            weight=now["weight"] if now else wish.weight if wish else None,
            state=state,
            numbers=_numbers(sources, row_key(key, at), now),
            unheard=sources.unheard.get((key, at), ()),
        )


def row_state(
    *,
    known: bool,
    wanted: object | None,
    applied: object | None,
    present: bool,
    same: bool,
    ours: bool,
    draining: bool = False,
) -> str:
    """Return the state of one row. *same*: the kernel has what is wanted.

    Not knowing goes before everything; an edit that waits explains a difference, and
    only a difference that nothing explains is drift.
    """
    if not known:
        return UNKNOWN
    # Mostly they are one and the same object, and equality of real servers is slow.
    if wanted is not applied and wanted != applied:
        gone = wanted is None and not present
        return DISABLED if gone else PENDING
    if wanted is None:
        return DISABLED if not present else DRIFT if ours else FOREIGN
    if not present or not same:
        return DRIFT
    return DRAINING if draining else LISTED


def _same(wish: RealServer | None, now: Mapping[str, Any] | None) -> bool:
    if wish is None or now is None or now["weight"] != wish.weight:
        return False
    word = now["forward"]
    return word == "Local" or word in fullnat.listed(wish.method)


def _method(known: RealServer | None, now: Mapping[str, Any] | None) -> str:
    """Return ``DR`` or ``TUN gue``; /proc does not tell the types of tunnels apart."""
    method = known.method if known else ForwardingMethod.DR
    if now is None:
        word = method.value.upper()
    else:
        word = SHORT_METHODS.get(now["forward"], str(now["forward"]))
    if known and known.tunnel and word == ForwardingMethod.TUN.value.upper():
        return f"{word} {known.tunnel.type}"
    return word


@lru_cache(maxsize=20_000)
def _host(at: str) -> str:
    return at.rpartition(":")[0].strip("[]")


def _numbers(sources: Sources, key: str, kernel: Mapping[str, Any] | None) -> Numbers:
    if kernel is None:
        return Numbers()
    return Numbers(
        active=kernel["active"],
        inactive=kernel["inactive"],
        rates=kernel["rates"],
        totals=kernel["counters"],
        blind=kernel["forward"] in BLIND,
        spark=sources.sparks.get(key, ()),
        limits=(sources.sample or {}).get("limits", {}).get(key),
    )


def _service_numbers(
    sources: Sources, key: str, kernel: Mapping[str, Any] | None
) -> Numbers:
    if kernel is None:
        return Numbers()
    servers = kernel["servers"]
    return Numbers(
        active=sum(server["active"] for server in servers),
        inactive=sum(server["inactive"] for server in servers),
        rates=kernel["rates"],
        totals=kernel["counters"],
        blind=bool(servers) and all(s["forward"] in BLIND for s in servers),
        spark=sources.sparks.get(key, ()),
    )
