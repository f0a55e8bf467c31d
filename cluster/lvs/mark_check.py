"""What is wrong with a service that is named by a firewall mark.

The kernel looks for the mark of a packet first (ip_vs_service_find), so packets that get
one never reach a service of their own address. See ipvsadm(8), -f.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from cluster.lvs.marks import MarkRule
from cluster.lvs.packets import MOST, overlapping
from cluster.lvs.surroundings import (
    Draft,
    Finding,
    Server,
    Surroundings,
    refused_vip,
)
from cluster.lvs.table import Packets, ServiceAddress, VirtualService
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

MARKS = (1, 2**32 - 1)


def check(draft: Draft, around: Surroundings) -> Iterator[Finding]:
    """Yield what is wrong with the number, and with the packets that get it."""
    if draft.mark is not None:
        why = _taken(draft.mark, around)
        if why:
            yield Finding("mark", why)
    why = _too_many(draft) or next(_of_packets(draft, around), None)
    if why:
        yield Finding("packets", why)
    if draft.options.source_nat:
        text = _(
            "FULLNAT knows a service by one VIP and one port: it does not go together"
            " with a firewall mark. Choose NAT without it."
        )
        yield Finding("source_nat", text)


def _taken(mark: int, around: Surroundings) -> Sentence | None:
    for at in around.services:
        if at.mark == mark:
            return _(
                "{mark} is the mark of another service of this cluster.", mark=mark
            )
    for at in around.foreign:
        if at.mark == mark:
            return _(
                "{director} already has {at}, made by hand. Choose another number, or"
                " delete it there first.",
                director=around.director,
                at=at,
            )
    if mark in around.foreign_marks:
        return _(
            "A rule of the firewall on {director} that nobody made here sets the mark"
            " {mark}. Choose another number.",
            director=around.director,
            mark=mark,
        )
    return None


def _too_many(draft: Draft) -> Sentence | None:
    if len(draft.packets) <= MOST:
        return None
    return _(
        "{count} ports and ranges are too many for one service: at most {most} are"
        " possible. Join them to ranges, such as 8000-8100.",
        count=len(draft.packets),
        most=MOST,
    )


def _of_packets(draft: Draft, around: Surroundings) -> Iterator[Sentence]:
    families = {vip.version for vip in draft.vips}
    if len(families) > 1:
        yield _(
            "IPv4 and IPv6 are two services in the kernel, also with a mark: write the"
            " VIPs of one family here, and make another service for the other one."
        )
    for vip in draft.vips:
        if why := refused_vip(vip, around):
            yield why
    twice = overlapping(draft.packets)
    if twice:
        yield _("{one} and {other} overlap: write each port once.",
                one=twice[0], other=twice[1])  # fmt: skip
    for packets in draft.packets:
        if why := _elsewhere(packets, around):
            yield why


def _elsewhere(packets: Packets, around: Surroundings) -> Sentence | None:
    for at in (*around.services, *around.foreign):
        if at.protocol is None or at.address is None:
            continue
        if packets.overlaps(Packets(at.protocol, at.address, at.port, at.port)):
            return _(
                "{at} is a service of its own: marked packets would no longer reach it.",
                at=at,
            )
    for owner, other in around.marked:
        if packets.overlaps(other):
            return _("{packets} belongs to {owner} already.",
                     packets=other, owner=owner)  # fmt: skip
    return None


def of_server(server: Server, draft: Draft) -> Iterator[Finding]:
    """Yield what is wrong with a real server; port 0 keeps the port of the packet."""
    if server.port and not server.method.may_change_port:
        text = _(
            "{method} cannot change the port: packets reach {name} with the port that"
            " the client asked for. Leave the port empty.",
            method=_(server.method.label),
            name=server.name,
        )
        yield Finding("port", text, server.row)
    elif server.port and draft.options.persistence:
        # ip_vs_sched_persist() takes the port of the packet when a mark was found.
        text = _(
            "With a mark and persistence the kernel keeps the port that the client asked"
            " for, whatever stands here. Leave the port empty, or switch persistence off."
        )
        yield Finding("port", text, server.row)
    in_four = server.address is not None and server.address.version == 4
    if in_four and draft.family == 6 and server.method is ForwardingMethod.TUN:
        text = _(
            "{name} is reached over IPv4: with a firewall mark of IPv6 the kernel's"
            " listing does not tell the two families apart. Choose an IPv6 address.",
            name=server.name,
        )
        yield Finding("host", text, server.row)


def marked_elsewhere(
    service: VirtualService,
    rules: Iterable[MarkRule],
    others: Collection[int],
    ours: Collection[MarkRule] = (),
) -> Sentence | None:
    """Return why the mark of a service cannot be used on a director: other packets get
    it too, by *rules* of our form that are not *ours*, or by *others* of another form.
    """
    at = service.at
    strange = [
        rule.packets
        for rule in rules
        if (rule.mark, rule.family) == (at.mark, at.family)
        and rule not in ours
        and rule.packets not in service.packets
    ]
    if at.mark in others:
        return _("{at}: another rule of the firewall sets this mark, too.", at=at)
    if strange:
        return _("{at}: a rule of the firewall that nobody made here gives {packets}"
                 " this mark, too.", at=at, packets=strange[0])  # fmt: skip
    return None


def not_ours(service: VirtualService, others: Collection[int]) -> Sentence | None:
    """Return why a service that was made by hand stays with its owner: the rules that
    mark its packets are none that could have been written here."""
    if service.at.mark in others:
        return _(
            "Other rules of the firewall set this mark, too, and not by VIP, protocol and"
            " port alone. The service stays with its owner."
        )
    if not service.packets:
        return _(
            "No rule was found that gives packets this mark by their VIP, protocol and"
            " port (iptables, table mangle, PREROUTING). The service stays with its owner."
        )
    twice = overlapping(service.packets)
    if twice:
        return _(
            "The rules for {one} and {other} overlap. The service stays with its owner.",
            one=twice[0],
            other=twice[1],
        )
    return None


def lowest_free(taken: Iterable[ServiceAddress], foreign: Collection[int] = ()) -> int:
    """Return the number that a new service is offered."""
    used = {at.mark for at in taken} | {*foreign}
    return next(n for n in range(1, len(used) + 2) if n not in used)
