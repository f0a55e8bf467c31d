"""What is wrong with a virtual service, in plain words, before anything is sent.

First each word alone (``read_address``, ``read_number``), then the service among its
surroundings (``check``). Forms, commands and files all ask here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from itertools import chain

from cluster.lvs import encapsulation, mark_check, options, source_nat
from cluster.lvs.addresses import Wrong as Wrong
from cluster.lvs.addresses import read_address as read_address
from cluster.lvs.addresses import read_number as read_number
from cluster.lvs.addresses import short
from cluster.lvs.options import Reason
from cluster.lvs.surroundings import Draft as Draft
from cluster.lvs.surroundings import Finding as Finding
from cluster.lvs.surroundings import Server as Server
from cluster.lvs.surroundings import Surroundings as Surroundings
from cluster.lvs.surroundings import on_lan, owned, refused_vip
from cluster.lvs.table import IPAddress, Packets, ServiceAddress
from cluster.lvs.terms import (
    CHOSEN_METHODS,
    MAX_PERSISTENCE,
    MAX_THRESHOLD,
    MAX_WEIGHT,
    ForwardingMethod,
    Protocol,
)
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

PORTS = (1, 65535)
# Of a service: 0 is every port that no other service of the VIP has.
SERVICE_PORTS = (0, 65535)
WEIGHTS = (0, MAX_WEIGHT)
PERSISTENCE = (1, MAX_PERSISTENCE)
MOST_SERVERS = 100
MOST_LOCAL = 64  # local addresses of one service
# What can be set up on hosts; the form and the file offer nothing else.
PROTOCOLS = tuple(Protocol)
METHODS = CHOSEN_METHODS
THRESHOLDS = (0, MAX_THRESHOLD)
NETMASKS = (1, 128)  # of IPv4 up to 32 only, see options.of_service


# -- single words ---------------------------------------------------------------------


def read_netmask(text: str) -> int:
    """Return the prefix length of ``24``, ``/24`` or ``255.255.255.0``; raises Wrong."""
    text = text.strip()
    if "." not in text:
        return read_number(text.removeprefix("/"), *NETMASKS)
    mask = read_address(text)
    try:
        prefix = IPv4Network((0, str(mask))).prefixlen
    except ValueError:
        prefix = 0
    # The constructor also takes a host mask, 0.0.0.255, which means something else.
    if not prefix or IPv4Network((0, prefix)).netmask != mask:
        raise Wrong(
            _("{text} is no netmask such as 255.255.255.0 or 24.", text=short(text))
        )
    return prefix


def read_local(text: str) -> tuple[IPAddress, IPAddress]:
    """Return first and last of ``10.0.1.201-10.0.1.204`` or one address; raises Wrong."""
    first, dash, last = text.partition("-")
    ends = read_address(first), read_address(last if dash else first)
    count = int(ends[1]) - int(ends[0]) + 1
    if not 1 <= count <= MOST_LOCAL:
        raise Wrong(
            _(
                "Write the first address, a hyphen and the last one, at most {most} in"
                " all: 10.0.1.201-10.0.1.204.",
                most=MOST_LOCAL,
            )
        )
    return ends


# -- a service among its surroundings -------------------------------------------------


def check(draft: Draft, around: Surroundings) -> list[Finding]:
    """Return everything that is wrong, in the order of the fields."""
    found: list[Finding] = []
    if draft.by_mark:
        found += mark_check.check(draft, around)
    elif draft.address is not None:
        why = refused_vip(draft.address, around)
        if why is None and draft.port is not None:
            why = _twice(draft.address, draft.port, draft.protocol, around)
        if why is not None:
            found.append(Finding("address", why))
    reasons = options.of_service(draft.options, draft.carries, draft.family)
    if draft.all_ports:
        reasons = chain(reasons, options.of_all_ports(draft.options))
    found += [Finding(name, why) for name, why in reasons]
    found += _local(draft, around)
    for server in draft.servers:
        found += _server(server, draft, around)
    return found + _same_servers(draft.servers)


def inner_vip(address: IPAddress, around: Surroundings) -> Sentence | None:
    """Return why the address cannot be the default route of real servers."""
    if address in around.vips:
        return _("{address} is a VIP of this cluster.", address=address)
    return refused_vip(address, around)


def _twice(
    vip: IPAddress, port: int, protocol: Protocol, around: Surroundings
) -> Sentence | None:
    at = ServiceAddress.of(protocol, vip, port)
    if at in around.services:
        return _("{at} exists in this cluster already.", at=at)
    if at in around.foreign:
        return _(
            "{director} already has {at}, made by hand. Choose another address or"
            " port, or delete it there first.",
            director=around.director,
            at=at,
        )
    for owner, packets in around.marked:
        if packets.overlaps(Packets(protocol, vip, port, port)):
            return _("{at} belongs to {owner} already: the firewall marks it.",
                     at=at, owner=owner)  # fmt: skip
    return None


def _local(draft: Draft, around: Surroundings) -> Iterator[Finding]:
    """Yield why an address of the pool of FULLNAT cannot be one."""
    own = {bound.address for bound in around.networks}
    taken = around.vips | {*draft.vips}
    for address in source_nat.pool(draft.options.local):
        why = None
        if address in taken:
            why = _("{address} is a VIP of this cluster.", address=address)
        elif address.version == 6:
            why = _("FULLNAT replaces addresses of IPv4 only.")
        elif address not in own:
            why = owned(address, around) or on_lan(address, around)
        if why:
            yield Finding("local", why)
            return


def _server(server: Server, draft: Draft, around: Surroundings) -> list[Finding]:
    found = []
    vips = draft.vips or (None,)
    places = (_place(server, server.address, v, around) for v in vips if server.address)
    if why := next(filter(None, places), None):
        found.append(Finding("host", why, server.row))
    if draft.by_mark:
        found += mark_check.of_server(server, draft)
    other = None not in (server.port, draft.port) and server.port != draft.port
    if other and draft.all_ports:
        text = _(
            "All ports are forwarded, and each packet keeps its own: leave the port of"
            " {name} empty.",
            name=server.name,
        )
        found.append(Finding("port", text, server.row))
    elif other and not draft.by_mark and not server.method.may_change_port:
        # ipvsadm would quietly write the VIP's port instead (ipvsadm(8), -r).
        text = _(
            "{method} cannot change the port: packets reach {name} with the"
            " VIP's own port, {port}.",
            method=_(server.method.label),
            name=server.name,
            port=draft.port,
        )
        found.append(Finding("port", text, server.row))
    reasons = options.of_server(
        server.method, server.upper, server.lower, draft.options
    )
    found += [Finding(name, why, server.row) for name, why in reasons]
    family = max((one.version for one in (server.address, *vips) if one), default=4)
    tunnel = [*encapsulation.wrong(server.method, server.tunnel, family)]
    tunnel = tunnel or [*_mixed_gre(server, draft, around)]
    return found + [Finding(name, why, server.row) for name, why in tunnel]


def _mixed_gre(server: Server, draft: Draft, around: Surroundings) -> Iterator[Reason]:
    """One real server takes GRE either with or without a checksum, never both."""
    others = [(s.address, s.tunnel) for s in draft.servers if s.row != server.row]
    mine = server.tunnel
    for address, other in (*others, *around.tunnels):
        if not mine or not other or address is None or address != server.address:
            continue
        if mine.type == other.type == "gre" and mine.checksum != other.checksum:
            yield (
                "tunnel_checksum",
                _(
                    "{name} takes GRE packets either with a checksum or without one, in"
                    " all services alike. Elsewhere it is “{other}”.",
                    name=server.name,
                    other=other.checksum,
                ),
            )
            return


def _place(
    server: Server, rip: IPAddress, vip: IPAddress | None, around: Surroundings
) -> Sentence | None:
    if rip == vip:
        return _("{rip} is the VIP itself.", rip=rip)
    if vip and rip.version != vip.version:
        why = _other_family(server, rip, vip, around)
        if why:
            return why
    if any(bound.address == rip for bound in around.networks):
        return _(
            "{rip} is the director {director} itself. Choose a real server.",
            rip=rip,
            director=around.director,
        )
    if server.method is not ForwardingMethod.DR:
        return None
    here = around.network_of(vip) if vip else None
    networks = (here,) if here else around.networks
    if not networks or any(rip in own.interface.network for own in networks):
        return None
    return _(
        "{rip} is not in the LAN of {director} ({networks}): direct routing rewrites"
        " only the MAC address and cannot leave the LAN.",
        rip=rip,
        director=around.director,
        networks=listed([str(own.interface.network) for own in networks]),
    )


def _other_family(
    server: Server, rip: IPAddress, vip: IPAddress, around: Surroundings
) -> Sentence | None:
    """Only a tunnel carries one family in the other, and only where no sync daemon
    runs (ip_vs_ctl.c, ip_vs_add_dest)."""
    if server.method is ForwardingMethod.TUN and vip.version == 6:
        if not around.synced:
            return None
        return _(
            "{name} is reached at {rip}, which is IPv{other}, and the VIP {vip} is"
            " IPv{family}. {director} runs a sync daemon, and beside one the kernel takes"
            " no such real server. Give the host an address of IPv{family}, or take the"
            " sync daemon out of the settings.",
            name=server.name,
            rip=rip,
            other=rip.version,
            vip=vip,
            family=vip.version,
            director=around.synced,
        )
    if server.method is ForwardingMethod.TUN:
        return _(
            "{name} is reached at {rip}: a tunnel over IPv6 carries IPv6 only here, and"
            " the VIP {vip} is IPv4.",
            name=server.name,
            rip=rip,
            vip=vip,
        )
    return _(
        "{name} is reached at {rip}, which is IPv{other}, and the VIP {vip} is"
        " IPv{family}: {method} cannot change the family. Give the host an address of"
        " IPv{family}.",
        name=server.name,
        rip=rip,
        other=rip.version,
        vip=vip,
        family=vip.version,
        method=_(server.method.label),
    )


def _same_servers(servers: Sequence[Server]) -> list[Finding]:
    found, seen = [], set()
    for server in servers:
        key = (server.address, server.port)
        if None not in key and key in seen:
            text = _("{name} stands here twice with the same port.", name=server.name)
            found.append(Finding("host", text, server.row))
        seen.add(key)
    return found
