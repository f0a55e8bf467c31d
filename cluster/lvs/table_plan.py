"""The part of a plan that changes an IPVS table: the smallest ordered set of rules.

Every rule carries the whole record, because ``-E`` and ``-e`` reset what they do not
repeat (ipvsadm 1.31). Services that are neither wanted nor ours are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cluster.lvs import encapsulation, packets, rules
from cluster.lvs.change import Change, Mark, Phase, Rules, change_table
from cluster.lvs.table import (
    IPAddress,
    RealServer,
    ServiceAddress,
    Table,
    Tunnel,
    VirtualService,
)
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _


def changes(
    host: str,
    observed: Table,
    desired: Table,
    ours: Iterable[ServiceAddress],
    names: Mapping[IPAddress, str],
) -> list[Change]:
    """Return at most two changes: what is added or edited, and what is cut."""
    growing, cutting = Rules(), Rules()
    new = edited = False
    present = observed.by_address
    differing = []
    for service in desired.services:
        before = present.get(service.at)
        if before is service or before == service:
            continue
        differing.append(service)
        if before is None:
            _add_service(growing, service, names)
            new = True
        else:
            edited |= _edit_service(growing, before, service, names)
            _cut_servers(cutting, before, service, names)
    for at in ours:
        if at in present and at not in desired.by_address:
            _delete_service(cutting, present[at])
    found = []
    growing.sentences += _sizes(observed, differing)
    growing.sentences += _by_hand(observed, differing, names)
    if growing.lines:
        mark = Mark.EDIT if edited and not new else Mark.ADD
        found.append(change_table(host, Phase.TABLE, mark, growing))
    if cutting.lines:
        found.append(change_table(host, Phase.CUT, Mark.DELETE, cutting))
    return found


def _sizes(observed: Table, changed: Iterable[VirtualService]) -> list[Sentence]:
    """Say what each kind of tunnel that begins here does to the size of packets."""
    after = _tunnels(changed)
    before = _tunnels(observed.services) if after else {}
    begins = [tunnel for tunnel in after if tunnel not in before]
    return [encapsulation.advice(tunnel) for tunnel in begins]


def _by_hand(
    observed: Table,
    changed: Iterable[VirtualService],
    names: Mapping[IPAddress, str],
) -> list[Sentence]:
    """Name the real servers that begin here and that nobody manages."""
    new = {s.address for one in changed for s in one.servers} - names.keys()
    if new:
        new -= {s.address for one in observed.services for s in one.servers}
    return [
        _(
            "{rip} is not managed from here: do by hand what its page says, first.",
            rip=rip,
        )
        for rip in sorted(new, key=int)
    ]


def _tunnels(services: Iterable[VirtualService]) -> dict[Tunnel | None, None]:
    return {
        server.tunnel: None
        for service in services
        for server in service.servers
        if server.method is ForwardingMethod.TUN
    }


def from_nothing(host: str, wanted: Table) -> list[Change]:
    """Return the one change that builds the table on a host without any; said in
    short, for the file that a boot reads."""
    if not wanted.services:
        return []
    made = Rules(rules.render(wanted).splitlines())
    made.sentences.append(_("Virtual services: {count}", count=len(wanted.services)))
    return [change_table(host, Phase.TABLE, Mark.ADD, made)]


def normal(service: VirtualService) -> VirtualService:
    """Return the service in the kernel's own spelling, so that equal means equal.

    A netmask of a single client is the default and never listed; without
    persistence the kernel keeps none.
    """
    single = 32 if service.at.family == 4 else 128
    useless = not service.persistence or service.netmask == single
    return VirtualService(
        at=service.at,
        scheduler=service.scheduler,
        servers=service.servers,
        persistence=service.persistence,
        netmask=None if useless else service.netmask,
        flags=service.flags,
        engine=service.engine,
        one_packet=service.one_packet,
    )


def _add_service(
    into: Rules, service: VirtualService, names: Mapping[IPAddress, str]
) -> None:
    into.add(rules.add_service(service), [rules.delete_service(service.at)])
    # Deleting the service takes local addresses along, too.
    for local in service.laddrs:
        into.add(rules.add_local(service.at, local), [])
    for server in service.servers:
        # Deleting the service takes its servers along: no inverse of their own.
        into.add(rules.add_server(service.at, server), [])
    into.say(
        _("Add virtual service {service}", service=described(service)),
        *(_local_added(service.at, local) for local in service.laddrs),
        *(
            _("Add {server} to it", server=server_described(server, names))
            for server in service.servers
        ),
    )


def _local_added(at: ServiceAddress, local: IPAddress) -> Sentence:
    return _(
        "Add local address {local} to {at} (--add-laddr): real servers see the client's"
        " address only with the module toa",
        local=local,
        at=at,
    )


def _edit_service(
    into: Rules,
    before: VirtualService,
    after: VirtualService,
    names: Mapping[IPAddress, str],
) -> bool:
    """Collect edits and additions; return whether something existing is edited."""
    edited = False
    if normal(before).alone != normal(after).alone:
        into.add(rules.edit_service(after), [rules.edit_service(before)])
        into.say(_("Change virtual service to {service}", service=described(after)))
        edited = True
    for local in after.laddrs:
        if local not in before.laddrs:
            undo = [rules.delete_local(after.at, local)]
            into.add(rules.add_local(after.at, local), undo)
            into.say(_local_added(after.at, local))
    present = {server.sort_key: server for server in before.servers}
    for server in after.servers:
        old = present.get(server.sort_key)
        if old == server:
            continue
        words = server_described(server, names)
        if old is None:
            undo = [rules.delete_server(after.at, server)]
            into.add(rules.add_server(after.at, server), undo)
            into.say(_("Add {server} to {at}", server=words, at=after.at))
        else:
            undo = [rules.edit_server(after.at, old)]
            into.add(rules.edit_server(after.at, server), undo)
            into.say(_("Change {server} in {at}", server=words, at=after.at))
            edited = True
    return edited


def _cut_servers(
    into: Rules,
    before: VirtualService,
    after: VirtualService,
    names: Mapping[IPAddress, str],
) -> None:
    kept = {server.sort_key for server in after.servers}
    for server in before.servers:
        if server.sort_key not in kept:
            undo = [rules.add_server(after.at, server)]
            into.add(rules.delete_server(after.at, server), undo)
            name = names.get(server.address, server.place)
            into.say(_("Take {name} out of {at}", name=name, at=after.at))
    for local in before.laddrs:
        if local not in after.laddrs:
            undo = [rules.add_local(after.at, local)]
            into.add(rules.delete_local(after.at, local), undo)
            into.say(
                _("Take local address {local} from {at}", local=local, at=after.at)
            )


def _delete_service(into: Rules, service: VirtualService) -> None:
    undo = [rules.add_service(service)]
    undo += [rules.add_local(service.at, local) for local in service.laddrs]
    undo += [rules.add_server(service.at, server) for server in service.servers]
    into.add(rules.delete_service(service.at), undo)
    into.say(_("Delete virtual service {at}", at=service.at))


def described(service: VirtualService) -> Sentence:
    """Say a service in words: ``TCP 10.0.1.31:80, round robin, persistent 300 s``."""
    text = _("{at}, {scheduler}", at=named(service), scheduler=_scheduling(service))
    if service.persistence and service.netmask is not None:
        text = _(
            "{service}, persistent {seconds} s per /{netmask} network",
            service=text,
            seconds=service.persistence,
            netmask=service.netmask,
        )
    elif service.persistence:
        text = _(
            "{service}, persistent {seconds} s",
            service=text,
            seconds=service.persistence,
        )
    if service.engine:
        text = _(
            "{service}, by Call-ID ({engine})", service=text, engine=service.engine
        )
    if service.one_packet:
        text = _("{service}, each packet by itself", service=text)
    if service.source_nat:
        text = _("{service}, without the client's address (FULLNAT)", service=text)
    return text


def named(service: VirtualService) -> str:
    """Return ``TCP 10.0.1.31:80`` or ``FWM 7 · 10.0.1.31 tcp 80,443``."""
    return " · ".join([str(service.at), *packets.lines(service.packets)])


def _scheduling(service: VirtualService) -> Sentence:
    label = _(service.scheduler.label)
    if not service.flags:
        return label
    return _("{scheduler} ({flags})", scheduler=label, flags=listed([*service.flags]))


def server_described(server: RealServer, names: Mapping[IPAddress, str]) -> Sentence:
    """Say a real server in words: ``web1 10.0.1.6:80, weight 1, direct routing``."""
    method = _(server.method.label)
    if server.tunnel:
        tunnel = encapsulation.described(server.tunnel)
        method = _("{method} by {tunnel}", method=method, tunnel=tunnel)
    about: dict[str, str | Sentence] = {
        "name": names.get(server.address, str(server.address)),
        "endpoint": server.place,
        "method": method,
    }
    if not server.upper:
        return _("{name} ({endpoint}, weight {weight}, {method})",
                 weight=server.weight, **about)  # fmt: skip
    return _(
        "{name} ({endpoint}, weight {weight}, {method}, full at {upper} connections)",
        weight=server.weight,
        upper=server.upper,
        **about,
    )


def difference(observed: Table, desired: Table, ours: Iterable[ServiceAddress]) -> str:
    """Return the rules that are still missing, for an account of a failed run."""
    found = changes("", observed, desired, ours, {})
    return listed([change.command.stdin.decode().strip() for change in found])
