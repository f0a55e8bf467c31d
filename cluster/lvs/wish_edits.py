"""What was edited between two wishes as a whole: the services, and what is beside them.

``edits.py`` says it of services; here are the settings and the active director.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from cluster.lvs import edits, packets, rules
from cluster.lvs.edits import Edit, Kind, Names
from cluster.lvs.settings import Settings, SyncDaemon
from cluster.lvs.table import Table
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

_TIMEOUTS = {"tcp": "TCP", "tcp_fin": "TCP FIN", "udp": "UDP"}


def wish_edits(
    before: ClusterWish | None, after: ClusterWish, names: Names
) -> list[Edit]:
    """Return what turns *before* into *after*: the cluster first, then each service."""
    sentences = tuple(_beside(before, after))
    own = [Edit(None, Kind.CHANGED, sentences)] if sentences else []
    table = before.table if before else Table()
    return [*own, *edits.edits(table, after.table, names)]


def _beside(before: ClusterWish | None, after: ClusterWish) -> Iterator[Sentence]:
    # Before the first revision the director is no change: nothing was anywhere else.
    if before and before.director != after.director:
        yield _("active director {before} → {after}",
                before=before.director or "-", after=after.director or "-")  # fmt: skip
    then = before.settings if before else Settings()
    yield from settings_edits(then, after.settings)
    old = before.directors if before else ()
    new = [name for name in after.directors if name not in old]
    if then and after.settings and new:
        yield _("settings also for {directors}", directors=listed(new))


def settings_edits(before: Settings, after: Settings) -> Iterator[Sentence]:
    """Yield one sentence for each setting that is different."""
    then, now = asdict(before.timeouts), asdict(after.timeouts)
    for key, name in _TIMEOUTS.items():
        if then[key] != now[key]:
            yield _("{name} timeout {before} → {after}", name=name,
                    before=_lasting(then[key]), after=_lasting(now[key]))  # fmt: skip
    if before.inner_vip != after.inner_vip:
        yield _("inner VIP {before} → {after}",
                before=before.inner_vip or "-", after=after.inner_vip or "-")  # fmt: skip
    yield from _daemons(before, after)
    old, new = dict(before.sysctls), dict(after.sysctls)
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield _("{name} {before} → {after}", name=name,
                    before=_value(old.get(name)), after=_value(new.get(name)))  # fmt: skip


def _daemons(before: Settings, after: Settings) -> Iterator[Sentence]:
    old = {(name, daemon.role): daemon for name, daemon in before.daemons}
    new = {(name, daemon.role): daemon for name, daemon in after.daemons}
    for key in sorted({*old, *new}, key=lambda one: (one[0], one[1].value)):
        if old.get(key) == new.get(key):
            continue
        director, role = key
        yield _("sync daemon of {director}, {role}: {before} → {after}",
                director=director, role=role.value,
                before=_daemon(old.get(key)), after=_daemon(new.get(key)))  # fmt: skip


def _daemon(daemon: SyncDaemon | None) -> Sentence:
    if daemon is None:
        return _value(None)
    words = [daemon.interface, f"ID {daemon.syncid}"]
    more = {
        "maxlen": daemon.maxlen,
        "group": daemon.group,
        "port": daemon.port,
        "ttl": daemon.ttl,
    }
    words += [f"{name} {value}" for name, value in more.items() if value]
    return _("{what}", what=listed(words))


def _lasting(seconds: int | None) -> Sentence:
    return _value(None) if seconds is None else _("{seconds} s", seconds=seconds)


def _value(value: str | None) -> Sentence:
    return _("not set") if value is None else _("{what}", what=value)


def lines(wish: ClusterWish | None) -> list[str]:
    """Return the wish line by line, for a comparison: settings, then the rules."""
    if wish is None:
        return []
    settings = wish.settings
    found = [f"# active director {wish.director}"] if wish.director else []
    if settings.timeouts:
        numbers = asdict(settings.timeouts).values()
        found.append("--set " + " ".join(str(number or 0) for number in numbers))
    found += [f"{key} = {value}" for key, value in settings.by_key()]
    found += [
        f"# {director}: {daemon.role.value} sync daemon, {_daemon(daemon)}"
        for director, daemon in settings.daemons
    ]
    found += [
        f"# {service.at}: {line}"
        for service in wish.table.services
        for line in packets.lines(service.packets)
    ]
    return [*found, *rules.render(wish.table).splitlines()]
