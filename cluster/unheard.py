"""What nobody listens to on real servers, for pages: from rows, as it was read last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from cluster.lvs import words
from cluster.lvs.words import Sentence
from cluster.models import Host
from cluster.models.comparisons import READING, period


@dataclass(frozen=True, slots=True)
class Unheard:
    """A service that does not get an answer from one of its real servers; *since* is
    when that was seen first, *place* such as ``TCP 80``."""

    service: str
    server: str
    place: str
    told: Sentence
    since: datetime


def of_host(host: Host, now: datetime | None = None) -> tuple[Unheard, ...] | None:
    """Return what nobody listens to; None when that is not known now."""
    data = host.facts.get("listening")
    oldest = (now or timezone.now()) - (3 * period() + READING)
    if data is None or host.trouble or not host.seen_at or host.seen_at < oldest:
        return None
    return tuple(
        Unheard(
            line["service"],
            line["server"],
            f"{line['protocol']} {line['port']}",
            words.from_json(line["told"]),
            datetime.fromisoformat(line["since"]),
        )
        for line in data["missing"]
    )


def of_hosts(hosts: Iterable[Host]) -> tuple[Unheard, ...]:
    now = timezone.now()
    return tuple(one for host in hosts for one in of_host(host, now) or ())


def by_server(hosts: Iterable[Host]) -> dict[tuple[str, str], tuple[Unheard, ...]]:
    """Return it by service and real server, ``("TCP 10.0.1.31:80", "10.0.1.6:80")``."""
    found: dict[tuple[str, str], tuple[Unheard, ...]] = {}
    for one in of_hosts(hosts):
        key = (one.service, one.server)
        found[key] = (*found.get(key, ()), one)
    return found
