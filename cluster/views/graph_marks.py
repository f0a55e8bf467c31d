"""What happened on the time line of the graphs: runs, drains, hosts, and gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from cluster.lvs import words
from cluster.models import AuditEvent, Cluster, Host, HostEvent, Run
from cluster.numbers import duration
from cluster.templatetags.words import said
from cluster.views.graph_look import GraphLook
from cluster.watch import history
from cluster.watch.packing import TOTAL
from cluster.watch.points import Points

# More marks than that hide the lines; the newest are shown.
MOST = 40
MOST_GAPS = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """*tone* and *icon* as in ``states.py``; *url* leads to the run."""

    at: float
    text: str
    tone: str
    icon: str
    url: str = ""

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass(frozen=True, slots=True)
class Gap:
    since: float
    until: float
    text: str

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self.since, UTC)

    @property
    def end(self) -> datetime:
        return datetime.fromtimestamp(self.until, UTC)


_RUNS = {
    Run.State.CONVERGED: ("up", "circle-check"),
    Run.State.RETURNED: ("warn", "arrow-back-up"),
    Run.State.PARTIAL: ("bad", "alert-triangle"),
}
_HOSTS = {
    HostEvent.Kind.LOST: ("bad", "unlink"),
    HostEvent.Kind.BACK: ("up", "plug-connected"),
    HostEvent.Kind.REBOOTED: ("warn", "refresh"),
}


def marks(cluster: Cluster, since: float, until: float) -> list[Mark]:
    """Return what happened, oldest first, numbered as they are drawn."""
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (since, until))
    found = [
        *_runs(cluster, begin, end),
        *_drains(cluster, begin, end),
        *_hosts(cluster, begin, end),
        *_audit(cluster, begin, end),
    ]
    return sorted(found, key=lambda mark: mark.at)[-MOST:]


def _runs(cluster: Cluster, begin: datetime, end: datetime) -> Iterator[Mark]:
    ended = cluster.runs.filter(finished_at__range=(begin, end), state__in=_RUNS)
    for run in ended.select_related("confirmed_by").order_by("-finished_at")[:MOST]:
        tone, icon = _RUNS[Run.State(run.state)]
        person = run.confirmed_by.display_name if run.confirmed_by else ""
        text = _("Run %(run)s: %(state)s") % {
            "run": run,
            "state": run.get_state_display(),
        }
        text += f" · {person}" if person else ""
        at = run.finished_at.timestamp() if run.finished_at else 0.0
        yield Mark(at, text, tone, icon, reverse("cluster:run", args=[run.pk]))


def _drains(cluster: Cluster, begin: datetime, end: datetime) -> Iterator[Mark]:
    for drain in cluster.drains.filter(since__gte=begin, requested_at__lte=end)[:MOST]:
        for moment, sentence in drain.account:
            at = datetime.fromisoformat(moment)
            if begin <= at <= end:
                text = f"{drain}: {said(words.from_json(sentence))}"
                yield Mark(at.timestamp(), text, "warn", "hourglass")


def _hosts(cluster: Cluster, begin: datetime, end: datetime) -> Iterator[Mark]:
    events = HostEvent.objects.filter(host__cluster=cluster, at__range=(begin, end))
    for event in events.select_related("host").order_by("-at")[:MOST]:
        tone, icon = _HOSTS[HostEvent.Kind(event.kind)]
        text = f"{event.host} {event.get_kind_display()}"
        yield Mark(event.at.timestamp(), text, tone, icon)


def _audit(cluster: Cluster, begin: datetime, end: datetime) -> Iterator[Mark]:
    events = AuditEvent.objects.filter(
        cluster=cluster.name, at__range=(begin, end), action=AuditEvent.Action.HOST
    )
    for event in events.order_by("-at")[:MOST]:
        text = said(event.sentence)
        yield Mark(event.at.timestamp(), text, "brand", "server-2")


def gaps(
    directors: Sequence[Host], look: GraphLook, points: Points, now: float
) -> list[Gap]:
    """Name what is missing: directors that said nothing, each by itself; and when what
    is looked at was not in the table though they did."""
    since, until = look.window(now)
    group, name = TOTAL
    found = []
    for host in directors:
        heard = history.read([host.pk], group, [name], since, until)[name]
        found += [Gap(a, b, _silent(host, b - a)) for a, b in heard.gaps()]
    for begin, end in points.gaps():
        if not any(gap.since < end and begin < gap.until for gap in found):
            said = _("It was not in the table for %(time)s.")
            found.append(Gap(begin, end, said % {"time": duration(end - begin)}))
    return sorted(found, key=lambda gap: gap.since)[-MOST_GAPS:]


def _silent(host: Host, seconds: float) -> str:
    return _(
        "No numbers from %(director)s for %(time)s: it did not answer, or no worker"
        " watched it."
    ) % {"director": host, "time": duration(seconds)}
