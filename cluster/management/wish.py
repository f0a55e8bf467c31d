"""A cluster's wish out of its rows into a document, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db import transaction

from cluster import audit, draft
from cluster.audit import Action, Actor
from cluster.forms.service import surroundings
from cluster.lvs import file_writer, wish_file
from cluster.lvs.edits import joined
from cluster.lvs.validate import Surroundings
from cluster.lvs.wanted import Document, Known, WantedCluster, WantedService
from cluster.lvs.wish_edits import wish_edits
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Cluster

MOST_TOLD = 20
LONGEST_OBJECT = 120


def known(cluster: Cluster) -> Known:
    directors = cluster.hosts.directors().values_list("name", flat=True)
    return Known(
        cluster.slug,
        tuple(directors),
        {host.name: host.addresses for host in cluster.hosts.real_servers()},
    )


def document_of(cluster: Cluster) -> Document:
    """Return what the cluster wants now, what is switched off included."""
    name = cluster.director.name if cluster.director else ""
    services = tuple(draft.stored(cluster))
    wanted = WantedCluster(cluster.slug, name, services, cluster.wished_settings)
    return file_writer.document(wanted, known(cluster).real_servers)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file has changed in the wish, and what a person may want to know."""

    changes: list[Sentence]
    remarks: list[Sentence]


def load(cluster: Cluster, data: object, source: str, actor: Actor) -> Loaded:
    """Make the document the wish, all of it or nothing; raises Refused.

    Nothing is sent to any host.
    """
    with transaction.atomic():
        # Two that load at the same time come one after the other.
        row = Cluster.objects.select_for_update().get(pk=cluster.pk)
        names, before, then = known(row), document_of(row), row.wish()
        _move_director(row, data)
        wanted = wish_file.read(data, names, _around(row))
        row.settings = wanted.settings.as_json()
        row.save(update_fields=["director", "settings"])
        draft.save(row, wanted.services)
        found = wish_edits(then, row.wish(), draft.names(row))
        told = [edit.sentence for edit in found]
        if before != document_of(row):
            told = told or [_("names and notes, and what is switched off")]
            said = _("Load {source}: {changes}", source=source, changes=_some(told))
            about = source[:LONGEST_OBJECT]
            audit.append(actor, Action.CHANGED, said, cluster=row.name, object=about)
    return Loaded(told, _remarks(wanted.services, names))


def _around(cluster: Cluster) -> Surroundings:
    """Return what the services of a file may collide with: not what they replace."""
    around = surroundings(cluster, None)
    return replace(
        around,
        services=(),
        marked=(),
        foreign=tuple(at for at in around.foreign if at not in around.services),
    )


def _move_director(cluster: Cluster, data: object) -> None:
    """Set the director that the document names, if there is one; not saved yet.

    VIPs are checked against its networks, not against those of the one before.
    """
    name = data.get("director") if isinstance(data, dict) else None
    found = next((h for h in cluster.hosts.directors() if h.name == name), None)
    if found is not None:
        cluster.director = found


def _some(sentences: list[Sentence]) -> Sentence:
    """Join the first of them: the audit log is no place for a thousand services."""
    left = len(sentences) - MOST_TOLD
    more = [_("and {count} more", count=left)] if left > 0 else []
    return joined([*sentences[:MOST_TOLD], *more])


def _remarks(services: tuple[WantedService, ...], names: Known) -> list[Sentence]:
    """Say what is allowed and may still surprise."""
    managed = {rip for own in names.real_servers.values() for rip in own}
    found = []
    for service in services:
        at, off = service.value.at, service.off
        on = [s for s in service.value.servers if (s.address, s.port) not in off]
        if service.enabled and not on:
            text = _("{at} has no real server: it will refuse every connection.", at=at)
            found.append(text)
        elif service.enabled and not any(server.weight for server in on):
            text = _("{at} takes no new connection: all weights are 0.", at=at)
            found.append(text)
        found += [
            _("{rip} is no host of this cluster: set up the VIP on it by hand.",
              rip=server.address)
            for server in on
            if server.address not in managed
        ]  # fmt: skip
    return list(dict.fromkeys(found))
