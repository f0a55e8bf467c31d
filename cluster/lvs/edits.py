"""What was edited between two wishes, in words: for drafts, history and the audit log.

The plan says what happens to a host; this says what a person changed their mind about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from cluster.lvs import packets
from cluster.lvs.source_nat import spelled
from cluster.lvs.table import (
    IPAddress,
    RealServer,
    ServiceAddress,
    Table,
    VirtualService,
)
from cluster.lvs.table_plan import described, server_described
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

Names = Mapping[IPAddress, str]


class Kind(Enum):
    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Edit:
    """What happened to one service, or, without *at*, to the cluster as a whole; one
    sentence per thing that is different."""

    at: ServiceAddress | None
    kind: Kind
    sentences: tuple[Sentence, ...]

    @property
    def sentence(self) -> Sentence:
        """All of it as one sentence, for a log line."""
        whole = self.sentences[0]
        if self.at and self.kind is Kind.CHANGED:
            whole = _("Change {at}: {edit}", at=self.at, edit=whole)
        return joined([whole, *self.sentences[1:]])


def edits(before: Table, after: Table, names: Names) -> list[Edit]:
    """Return what turns *before* into *after*, one edit per service."""
    then, now = before.by_address, after.by_address
    keys = sorted({*then, *now}, key=lambda at: at.sort_key)
    found = (edit(then.get(at), now.get(at), names) for at in keys)
    return [one for one in found if one]


def edit(
    before: VirtualService | None, after: VirtualService | None, names: Names
) -> Edit | None:
    if before == after:
        return None
    if after is None:
        assert before is not None  # noqa: S101 - for the type checker: they differ
        return Edit(before.at, Kind.REMOVED, _whole(before, names, new=False))
    if before is None:
        return Edit(after.at, Kind.NEW, _whole(after, names, new=True))
    return Edit(after.at, Kind.CHANGED, tuple(_parts(before, after, names)))


def joined(sentences: Iterable[Sentence]) -> Sentence:
    """Return one sentence that says all of them, with semicolons between."""
    first, *rest = sentences
    for sentence in rest:
        first = _("{first}; {then}", first=first, then=sentence)
    return first


def _whole(service: VirtualService, names: Names, *, new: bool) -> tuple[Sentence, ...]:
    if new:
        head = _("Add virtual service {service}", service=described(service))
    else:
        head = _("Delete virtual service {service}", service=described(service))
    return (head, *(_with(server, names) for server in service.servers))


def _with(server: RealServer, names: Names) -> Sentence:
    return _("with {server}", server=server_described(server, names))


def _parts(
    before: VirtualService, after: VirtualService, names: Names
) -> Iterable[Sentence]:
    if before.scheduler != after.scheduler:
        yield _(
            "scheduler {before} → {after}",
            before=_(before.scheduler.label),
            after=_(after.scheduler.label),
        )
    if before.persistence != after.persistence:
        yield _(
            "persistence {before} → {after}",
            before=_lasting(before.persistence),
            after=_lasting(after.persistence),
        )
    if before.netmask != after.netmask:
        yield _(
            "persistence netmask {before} → {after}",
            before=_prefix(before.netmask),
            after=_prefix(after.netmask),
        )
    if before.flags != after.flags:
        yield _(
            "scheduler flags {before} → {after}",
            before=_flags(before.flags),
            after=_flags(after.flags),
        )
    if before.engine != after.engine:
        yield (
            _("calls of SIP kept together by their Call-ID")
            if after.engine
            else _("calls of SIP no longer told apart")
        )
    if before.one_packet != after.one_packet:
        yield (
            _("each packet by itself")
            if after.one_packet
            else _("packets of a connection together")
        )
    if before.packets != after.packets:
        yield _(
            "packets {before} → {after}",
            before=packets.told(before.packets),
            after=packets.told(after.packets),
        )
    yield from _sources(before, after)
    yield from _servers(before, after, names)


def _sources(before: VirtualService, after: VirtualService) -> Iterable[Sentence]:
    if before.source_nat != after.source_nat:
        yield (
            _("real servers see the director's address (FULLNAT)")
            if after.source_nat
            else _("real servers see the client's address")
        )
    if before.local != after.local:
        yield _(
            "local addresses {before} → {after}",
            before=_pool(before.local),
            after=_pool(after.local),
        )


def _servers(
    before: VirtualService, after: VirtualService, names: Names
) -> Iterable[Sentence]:
    for server in after.servers:
        old = before.server(server.address, server.port)
        name = names.get(server.address, str(server.address))
        if old is None:
            yield _("add {server}", server=server_described(server, names))
        elif old != server and replace(old, weight=server.weight) == server:
            yield _(
                "weight of {name} {before} → {after}",
                name=name,
                before=old.weight,
                after=server.weight,
            )
        elif old != server:
            yield _("change {server}", server=server_described(server, names))
    for server in before.servers:
        if after.server(server.address, server.port) is None:
            name = names.get(server.address, str(server.address))
            yield _("take {name} out", name=name)


def _pool(local: tuple[IPAddress, IPAddress] | None) -> Sentence:
    if not local:
        return _("the director's own")
    return _("{addresses}", addresses=spelled(local))


def _lasting(seconds: int) -> Sentence:
    return _("{seconds} s", seconds=seconds) if seconds else _("off")


def _prefix(netmask: int | None) -> Sentence:
    return _("/{prefix}", prefix=netmask) if netmask is not None else _("none")


def _flags(flags: tuple[str, ...]) -> Sentence:
    return _("{flags}", flags=listed([*flags])) if flags else _("none")
