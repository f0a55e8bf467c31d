"""A cluster's wish as a document that can be kept in a file: dict -> values.

The document is what YAML or JSON gives: dicts, lists, strings, whole numbers and true
or false. docs/cluster.schema.json describes the same shape for other programs. What a
service may be among its surroundings is decided by ``validate``, as for the form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address

from cluster.lvs import (
    encapsulation,
    mark_check,
    options,
    packets_file,
    settings_file,
    validate,
)
from cluster.lvs.addresses import of_family
from cluster.lvs.encapsulation import Checksum, TunnelType
from cluster.lvs.file_reader import Path, Reader, shown
from cluster.lvs.options import Options
from cluster.lvs.settings import Settings
from cluster.lvs.table import (
    IPAddress,
    Packets,
    RealServer,
    ServiceAddress,
    Tunnel,
    VirtualService,
)
from cluster.lvs.terms import (
    DEFAULT_SCHEDULER,
    ForwardingMethod,
    Protocol,
    Scheduler,
)
from cluster.lvs.validate import Draft, Server, Surroundings
from cluster.lvs.wanted import (
    Document,
    Known,
    Refused,
    WantedCluster,
    WantedService,
)
from cluster.lvs.words import say as _

FILE_KEYS = ("cluster", "director", "settings", "services")
SERVICE_KEYS = (
    "protocol",
    "vip",
    "port",
    "mark",
    "packets",
    "scheduler",
    "persistence_timeout",
    "persistence_netmask",
    "persistence_engine",
    "hash_port",
    "hash_fallback",
    "one_packet",
    "fullnat",
    "local_addresses",
    "name",
    "owner",
    "notes",
    "enabled",
    "real_servers",
)
SERVER_KEYS = (
    "host",
    "address",
    "port",
    "weight",
    "method",
    "upper_threshold",
    "lower_threshold",
    "tunnel",
    "tunnel_port",
    "tunnel_checksum",
    "enabled",
)
# What the validator calls by another name than the file.
_KEYS = {
    "address": "vip",
    "netmask": "persistence_netmask",
    "engine": "persistence_engine",
    "source_nat": "fullnat",
    "local": "local_addresses",
    "upper": "upper_threshold",
    "lower": "lower_threshold",
    "tunnel_type": "tunnel",
}
MOST_SERVICES = 10_000
_BY_PORT, _BY_MARK = ("protocol", "vip", "port"), ("mark", packets_file.KEY)
LONGEST_NAME = 64
LONGEST_NOTES = 2000
_NOTHING_AROUND = Surroundings()


# -- document -> values ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """One real server as far as it could be read, in the order of the file."""

    name: str
    address: IPAddress | None
    port: int | None
    weight: int | None
    method: ForwardingMethod
    upper: int | None
    lower: int | None
    tunnel: Tunnel | None
    enabled: bool
    key: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """One service as far as it could be read."""

    protocol: Protocol
    vip: IPAddress | None
    port: int | None
    mark: int | None
    packets: tuple[Packets, ...]
    by_mark: bool
    options: Options
    name: str
    owner: str
    notes: str
    enabled: bool
    lines: tuple[_Line, ...]

    @property
    def at(self) -> ServiceAddress | None:
        if self.by_mark:
            family = self.draft.family
            return ServiceAddress.of_mark(self.mark or 0, family) if family else None
        if self.vip is None or self.port is None:
            return None
        return ServiceAddress.of(self.protocol, self.vip, self.port)

    @property
    def draft(self) -> Draft:
        servers = (
            Server(
                *(row, line.name, line.address, line.port),
                *(line.method, line.upper, line.lower, line.tunnel),
            )
            for row, line in enumerate(self.lines)
        )
        return Draft(
            *(self.vip, self.port, self.protocol, tuple(servers), self.options),
            *(self.by_mark, self.mark, self.packets),
        )

    @property
    def wanted(self) -> WantedService | None:
        """Return the values; None when something could not be read."""
        at = self.at
        if at is None:
            return None
        servers, off = [], set()
        for line in self.lines:
            if line.address is None or line.port is None:
                continue
            weight = 1 if line.weight is None else line.weight
            limits = (line.upper or 0, line.lower or 0, line.tunnel)
            servers.append(
                RealServer(line.address, line.port, line.method, weight, *limits)
            )
            if not line.enabled:
                off.add((line.address, line.port))
        chosen = self.options
        value = VirtualService(
            at,
            chosen.scheduler,
            tuple(servers),
            chosen.persistence,
            chosen.netmask,
            chosen.flags,
            chosen.engine,
            one_packet=chosen.one_packet,
            source_nat=chosen.source_nat,
            local=chosen.local,
            packets=self.packets,
        )
        people = (self.owner, self.notes)
        return WantedService(value, self.name, self.enabled, frozenset(off), *people)


def read(
    data: object, known: Known, around: Surroundings = _NOTHING_AROUND
) -> WantedCluster:
    """Return what the document says; raises Refused with everything that is wrong.

    *around* is what the services may collide with, beside each other.
    """
    reader = Reader()
    top = reader.mapping(data, (), FILE_KEYS, ("cluster", "services"), _("a file"))
    cluster = _cluster(reader, top, known)
    director = _director(reader, top, known)
    settings = settings_file.read(reader, top, known.directors)
    rows = reader.items(top, (), "services", MOST_SERVICES)
    entries = [
        _entry(reader, row, ("services", n), known) for n, row in enumerate(rows)
    ]
    synced = next((director for director, _daemon in settings.daemons), "")
    _check(reader, entries, replace(around, synced=synced))
    _check_inner(reader, settings, entries, around)
    if reader.problems:
        raise Refused(reader.problems)
    services = (entry.wanted for entry in entries)
    kept = tuple(one for one in services if one)
    return WantedCluster(cluster, director, kept, settings)


def _check(reader: Reader, entries: Iterable[_Entry], around: Surroundings) -> None:
    """Ask the validator of the form about each service among the others."""
    seen: dict[ServiceAddress, None] = {}
    marked: list[tuple[ServiceAddress, Packets]] = []
    for n, entry in enumerate(entries):
        at = entry.at
        # One port collides with the same address only, and a set is quick.
        others = tuple(seen) if entry.by_mark else (at,) if at and at in seen else ()
        among = replace(around, services=others, marked=(*around.marked, *marked))
        for found in validate.check(entry.draft, among):
            path: Path = ("services", n, _key(found.field))
            if found.row is not None:
                line = entry.lines[found.row]
                word = line.key if found.field == "host" else _key(found.field)
                path = ("services", n, "real_servers", found.row, word)
            reader.refuse(path, found.sentence)
        if at:
            seen[at] = None
            marked += [(at, packets) for packets in entry.packets]


def _check_inner(
    reader: Reader, settings: Settings, entries: Iterable[_Entry], around: Surroundings
) -> None:
    if settings.inner_vip:
        ours = tuple(entry.at for entry in entries if entry.at)
        marked = tuple((e.at, p) for e in entries if e.at for p in e.packets)
        among = replace(around, services=ours, marked=marked)
        why = validate.inner_vip(ip_address(settings.inner_vip), among)
        if why:
            reader.refuse(("settings", "inner_vip"), why)


def _key(field: str) -> str:
    return _KEYS.get(field, field)


def _cluster(reader: Reader, top: Document, known: Known) -> str:
    name = reader.text(top, (), "cluster")
    if name and name != known.cluster:
        reader.refuse(
            ("cluster",),
            _(
                "This is the file of the cluster “{name}”, not of “{known}”.",
                name=shown(name),
                known=known.cluster,
            ),
        )
    return name


def _director(reader: Reader, top: Document, known: Known) -> str:
    name = reader.text(top, (), "director")
    if name and name not in known.directors:
        text = _("This cluster has no director “{name}”.", name=shown(name))
        reader.refuse_word(("director",), name, known.directors, text)
    return name


def _entry(reader: Reader, data: object, path: Path, known: Known) -> _Entry:
    by_mark = isinstance(data, dict) and ("mark" in data or packets_file.KEY in data)
    needed = _BY_MARK if by_mark else _BY_PORT
    row = reader.mapping(data, path, SERVICE_KEYS, needed, _("a virtual service"))
    port = reader.number(row, path, "port", validate.SERVICE_PORTS)
    vip = reader.address(row, path, "vip")
    for key in _BY_PORT if by_mark else ():
        if key in row:
            text = _("With a firewall mark “{key}” stands in the packets.", key=key)
            reader.refuse((*path, key), text)
    packets = packets_file.read(reader, row, path)
    if by_mark:
        vip, port = next((p.address for p in packets), None), 0
    lines = reader.items(row, path, "real_servers", validate.MOST_SERVERS)
    return _Entry(
        reader.choice(row, path, "protocol", validate.PROTOCOLS, Protocol.TCP),
        vip,
        port,
        reader.number(row, path, "mark", mark_check.MARKS),
        packets,
        by_mark,
        _options(reader, row, path),
        reader.name(row, path, "name", LONGEST_NAME),
        reader.name(row, path, "owner", LONGEST_NAME),
        reader.name(row, path, "notes", LONGEST_NOTES),
        reader.switch(row, path, "enabled", default=True),
        tuple(
            _line(reader, line, (*path, "real_servers", n), known, (vip, port))
            for n, line in enumerate(lines)
        ),
    )


def _options(reader: Reader, row: Document, path: Path) -> Options:
    def switch(key: str) -> bool:
        return reader.switch(row, path, key, default=False)

    longest = validate.PERSISTENCE[1]
    return Options(
        reader.choice(row, path, "scheduler", tuple(Scheduler), DEFAULT_SCHEDULER),
        reader.number(row, path, "persistence_timeout", (0, longest), 0) or 0,
        reader.number(row, path, "persistence_netmask", validate.NETMASKS),
        switch("hash_port"),
        switch("hash_fallback"),
        switch("one_packet"),
        switch("fullnat"),
        reader.word(row, path, "persistence_engine", (options.SIP,)),
        reader.local(row, path, "local_addresses"),
    )


def _line(
    reader: Reader,
    data: object,
    path: Path,
    known: Known,
    at: tuple[IPAddress | None, int | None],
) -> _Line:
    row = reader.mapping(data, path, SERVER_KEYS, (), _("a real server"))
    key = "host" if "host" in row else "address"
    (vip, port), (name, own) = at, _place(reader, row, path, known)
    # Of a host with two addresses the one of the VIP's family is meant.
    address = of_family(own, vip.version if vip else 4) if own else None
    return _Line(
        name,
        address,
        reader.number(row, path, "port", validate.PORTS, port),
        reader.number(row, path, "weight", validate.WEIGHTS, 1),
        reader.choice(row, path, "method", validate.METHODS, ForwardingMethod.DR),
        reader.number(row, path, "upper_threshold", validate.THRESHOLDS, 0),
        reader.number(row, path, "lower_threshold", validate.THRESHOLDS, 0),
        _tunnel(reader, row, path),
        reader.switch(row, path, "enabled", default=True),
        key,
    )


def _tunnel(reader: Reader, row: Document, path: Path) -> Tunnel | None:
    kind = reader.choice(row, path, "tunnel", tuple(TunnelType), TunnelType.IPIP)
    port = reader.number(row, path, "tunnel_port", encapsulation.PORTS)
    none = Checksum.NONE
    checksum = reader.choice(row, path, "tunnel_checksum", tuple(Checksum), none)
    return encapsulation.chosen(kind.value, port, checksum.value)


def _place(
    reader: Reader, row: Document, path: Path, known: Known
) -> tuple[str, tuple[IPAddress, ...]]:
    """Return name and addresses of a real server, from a host or a bare address."""
    if ("host" in row) == ("address" in row):
        if row:
            text = _("Write either “host” or “address”: one of them, not both.")
            reader.refuse(path, text)
        return "", ()
    if "address" in row:
        address = reader.address(row, path, "address")
        return _name_of(address, known), (address,) if address else ()
    name = reader.text(row, path, "host")
    if name and name not in known.real_servers:
        text = _("This cluster has no real server “{name}”.", name=shown(name))
        reader.refuse_word((*path, "host"), name, tuple(known.real_servers), text)
    return name, known.real_servers.get(name, ())


def _name_of(address: IPAddress | None, known: Known) -> str:
    names = (name for name, own in known.real_servers.items() if address in own)
    return next(names, str(address or ""))
