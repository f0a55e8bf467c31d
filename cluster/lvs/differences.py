"""One line of drift: what it is in words, and what the wish is when it is adopted.

A line is a part of the plan that would repair it, see ``parts.py``. Adopting is the
other way round: the wish takes over what the host has.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from cluster.lvs import fullnat
from cluster.lvs.change import Change, Mark
from cluster.lvs.edits import Names
from cluster.lvs.host import HostState
from cluster.lvs.parts import target
from cluster.lvs.rules import split_endpoint
from cluster.lvs.settings import Settings
from cluster.lvs.table import (
    IPAddress,
    RealServer,
    ServiceAddress,
    Table,
    VirtualService,
)
from cluster.lvs.wish import ClusterWish
from cluster.lvs.wish_edits import wish_edits
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _


def told(part: Change, wish: ClusterWish, state: HostState, names: Names) -> Sentence:
    """Say what happened to the host, in the words of an edit: wanted → found."""
    said = wish_edits(wish, adopted_wish(part, wish, state), names)
    if said:
        return said[0].sentence
    if part.mark is Mark.DELETE:
        return _("Left over, to be undone: {what}", what=part.sentences[0])
    return _("Not in force: {what}", what=part.sentences[0])


def adopted_wish(part: Change, wish: ClusterWish, state: HostState) -> ClusterWish:
    """Return the wish with what the host has in the place of this line.

    It is the same wish where that cannot be said: addresses and routes follow from the
    services, and only the active director's table is wanted.
    """
    if part.host == wish.director and target(part) is not None:
        return replace(wish, table=adopted(part, wish.table, state.table))
    if part.host in wish.directors:
        return replace(wish, settings=_settings(part, wish.settings, state))
    return wish


def _settings(part: Change, settings: Settings, state: HostState) -> Settings:
    """Return the settings with the timeouts or sysctls that the line would set back."""
    argv = part.command.argv
    if argv[:2] == ("ipvsadm", "--set"):
        found = state.settings.timeouts.only(settings.timeouts)
        return replace(settings, timeouts=found)
    if argv[0] != "sysctl":
        return settings
    keys = {word.partition("=")[0] for word in argv if "=" in word}
    now, known = dict(state.sysctls), dict(settings.by_key())
    pairs = zip(settings.sysctls, known, strict=True)
    sysctls = tuple(
        (name, now.get(key, value) if key in keys else value)
        for (name, value), key in pairs
    )
    return replace(settings, sysctls=sysctls)


def adopted(part: Change, wanted: Table, found: Table) -> Table:
    """Return the wish with what *found* has in the place of this line."""
    here = _at(part, wanted, found)
    if here is None:
        return wanted
    old, new = wanted.by_address.get(here), found.by_address.get(here)
    verb = part.command.stdin.decode()[:2]
    if verb in ("-P", "-Q"):
        return wanted  # local addresses follow from the pool of the wish
    new = fullnat.as_wished(new) if new else None
    server = _server(part)
    if verb in ("-A", "-D"):
        return _with(wanted, here, new)
    if old is None or new is None:
        return wanted
    if server is None:
        options = replace(
            new,
            servers=old.servers,
            source_nat=old.source_nat,
            local=old.local,
            packets=old.packets,
        )
        return _with(wanted, here, options)
    return _with(wanted, here, _with_server(old, server, new.server(*server)))


def _with(table: Table, at: ServiceAddress, service: VirtualService | None) -> Table:
    others = tuple(one for one in table.services if one.at != at)
    return Table((*others, service) if service else others)


def _with_server(
    service: VirtualService, key: tuple[IPAddress, int], server: RealServer | None
) -> VirtualService:
    others = tuple(s for s in service.servers if (s.address, s.port) != key)
    return replace(service, servers=(*others, server) if server else others)


def _at(part: Change, *tables: Table) -> ServiceAddress | None:
    """Return the service that the line is about, None when it is no rule."""
    found = target(part)
    if found is None:
        return None
    for table in tables:
        for service in table.services:
            if " ".join(service.at.switches) == found[0]:
                return service.at
    return None


def _server(part: Change) -> tuple[IPAddress, int] | None:
    found = target(part)
    if found is None or not found[1]:
        return None
    host, port = split_endpoint(found[1])
    return ip_address(host), port
