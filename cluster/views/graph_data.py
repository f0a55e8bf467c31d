"""The lines of the graphs page: what is drawn, and the same in numbers and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cluster.lvs.table import without_any_port
from cluster.models import Cluster, Host
from cluster.numbers import bytes_rate, count, rate
from cluster.views.graph_look import DIRECTOR, SUM, GraphLook
from cluster.watch import history
from cluster.watch.levels import RAW
from cluster.watch.packing import REPLIES
from cluster.watch.points import Known, Points

# More lines than that cannot be told apart: the smallest are added up.
MOST_PARTS = 10
# Less than this is called steady.
STEADY = 0.1
# From here on a rise is told in times, not in percent.
TIMES = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """A chart: the values that it shows, and their unit ("", "/s" or "B/s")."""

    name: str
    title: str | Promise
    unit: str
    values: tuple[tuple[str, str | Promise], ...]

    @property
    def missing(self) -> str:
        """What is said of a line that had values and has none now."""
        counts_replies = any(value in REPLIES for value, _label in self.values)
        return _("not seen") if counts_replies else _("not known")

    def words(self, value: float | None) -> str:
        if self.unit == "B/s":
            return bytes_rate(value)
        return rate(value) if self.unit else count(value)


_CPS = gettext_lazy("Connections per second")
_ACTIVE = gettext_lazy("Active connections")
_INACTIVE = gettext_lazy("Inactive connections")
_IN, _OUT = gettext_lazy("in"), gettext_lazy("out")
KINDS = (
    Kind("conns", _CPS, "/s", (("conns", _CPS),)),
    Kind("active", _ACTIVE, "", (("active", _ACTIVE),)),
    Kind("inactive", _INACTIVE, "", (("inactive", _INACTIVE),)),
    Kind(
        "packets",
        gettext_lazy("Packets"),
        "/s",
        (("in_packets", _IN), ("out_packets", _OUT)),
    ),
    Kind(
        "bytes", gettext_lazy("Bytes"), "B/s", (("in_bytes", _IN), ("out_bytes", _OUT))
    ),
)
# Real servers side by side: in and out need a chart each.
SPLIT_KINDS = (
    *KINDS[:3],
    Kind("in_packets", gettext_lazy("Packets in"), "/s", (("in_packets", _IN),)),
    Kind("out_packets", gettext_lazy("Packets out"), "/s", (("out_packets", _OUT),)),
    Kind("in_bytes", gettext_lazy("Bytes in"), "B/s", (("in_bytes", _IN),)),
    Kind("out_bytes", gettext_lazy("Bytes out"), "B/s", (("out_bytes", _OUT),)),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; *low* and *high* only where a point stands for many."""

    label: str
    values: Known
    low: Known | None = None
    high: Known | None = None

    def known(self) -> list[float]:
        return _known(self.values)

    @property
    def end(self) -> int:
        """The place of its last known value; it must have one."""
        values = enumerate(self.values)
        return max(place for place, value in values if value is not None)

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"label": self.label, "values": self.values}
        if self.low is not None:
            found |= {"low": self.low, "high": self.high}
        return found


@dataclass(frozen=True, slots=True)
class Chart:
    """*unseen*: the director has no replies to count, so there is no line."""

    kind: Kind
    lines: list[Line]
    unseen: bool

    @property
    def summaries(self) -> list[dict[str, str]]:
        known = [line for line in self.lines if line.known()]
        ends = max((line.end for line in known), default=0)
        return [summary(self.kind, line, ends) for line in known]


@dataclass(frozen=True, slots=True)
class Graphs:
    at: list[float]
    step: float
    charts: list[Chart]
    whole: Points

    @property
    def is_empty(self) -> bool:
        return self.whole.is_empty


def directors_of(cluster: Cluster, look: GraphLook) -> list[Host]:
    found = cluster.hosts.directors()
    if look.of.startswith(DIRECTOR):
        found = found.filter(name=look.of.removeprefix(DIRECTOR))
    return list(found)


def read(cluster: Cluster, look: GraphLook, now: float) -> Graphs:
    """Read the lines of a look; each series is read once, at the level that fits."""
    pks = [host.pk for host in directors_of(cluster, look)]
    group, name = look.series
    since, until = look.window(now)
    whole = history.read(pks, group, [name], since, until)[name]
    if look.shown == SUM:
        charts = [_sum(kind, whole) for kind in KINDS]
    else:
        parts = history.read(pks, look.parts_group or "", [], since, until)
        parts.pop("", None)
        named = largest(parts, labels(cluster))
        charts = [_split(kind, named, whole) for kind in SPLIT_KINDS]
    return Graphs(whole.at, whole.step, charts, whole)


def labels(cluster: Cluster) -> Mapping[str, str]:
    hosts = cluster.hosts.all()
    return {str(own): host.name for host in hosts for own in host.addresses}


def label_of(name: str, names: Mapping[str, str]) -> str:
    """Return ``web1`` for an address, ``web1:80`` for one with a port."""
    name = without_any_port(name)
    if name in names:
        return names[name]
    address, _colon, port = name.rpartition(":")
    known = names.get(address.strip("[]"))
    return f"{known}:{port}" if known else name


def _sum(kind: Kind, whole: Points) -> Chart:
    blind = not whole.sees_replies()
    many = whole.step > RAW.step and len(kind.values) == 1
    lines = [
        Line(
            str(label),
            whole.traces[value].mean,
            whole.traces[value].low if many else None,
            whole.traces[value].high if many else None,
        )
        for value, label in kind.values
        if not (blind and value in REPLIES)
    ]
    unseen = blind and any(value in REPLIES for value, _label in kind.values)
    return Chart(kind, lines, unseen)


def _split(
    kind: Kind, parts: Sequence[tuple[str, list[Points]]], whole: Points
) -> Chart:
    value = kind.values[0][0]
    unseen = value in REPLIES and not whole.sees_replies()
    lines = [
        Line(label, _added([points.traces[value].mean for points in some]))
        for label, some in parts
    ]
    return Chart(kind, [] if unseen else lines, unseen)


def largest(
    parts: Mapping[str, Points], names: Mapping[str, str]
) -> list[tuple[str, list[Points]]]:
    """Return lines by name; the smallest of very many are one line, "others"."""
    busy = sorted(parts, key=lambda name: -_mean(parts[name].traces["active"].mean))
    shown = sorted(busy[:MOST_PARTS], key=lambda name: label_of(name, names))
    found = [(label_of(name, names), [parts[name]]) for name in shown]
    rest = [parts[name] for name in busy[MOST_PARTS:]]
    if rest:
        found.append((_("%(n)d others") % {"n": len(rest)}, rest))
    return found


def _added(lines: Sequence[Known]) -> Known:
    if len(lines) == 1:
        return lines[0]
    found: Known = []
    for values in zip(*lines, strict=True):
        known = [value for value in values if value is not None]
        found.append(sum(known) if known else None)
    return found


def _mean(values: Known) -> float:
    known = _known(values)
    return fmean(known) if known else 0.0


# -- in words -------------------------------------------------------------------------


def summary(kind: Kind, line: Line, end: int) -> dict[str, str]:
    """Return what the line says: for those who cannot see it, and for all others.

    *end* is the place of the newest value of the chart: a line that has none there does
    not say what it was before as if it were now.
    """
    known = line.known()
    low, high = (line.low, line.high) if line.low and line.high else (known, known)
    return {
        "label": line.label,
        "last": kind.words(known[-1]) if line.end == end else kind.missing,
        "low": kind.words(min(value for value in low if value is not None)),
        "mean": kind.words(fmean(known)),
        "high": kind.words(max(value for value in high if value is not None)),
        "trend": trend(known) if line.end == end else "",
    }


def trend(known: Sequence[float]) -> str:
    """Say where it goes, and that there was nothing before it began."""
    if not any(known):
        return _("nothing moves") if len(known) >= 3 else ""
    began = next(place for place, value in enumerate(known) if value)
    third = (len(known) - began) // 3
    if not third:
        return _("rising from nothing") if began else ""
    words = _direction(fmean(known[began : began + third]), fmean(known[-third:]))
    return _("nothing at first, then %(trend)s") % {"trend": words} if began else words


def _direction(before: float, after: float) -> str:
    """Compare the last third with the first one, which is not 0."""
    change = (after - before) / before
    if abs(change) < STEADY:
        return _("steady")
    if change < 0:
        return _("falling by %(n)s %%") % {"n": count(-change * 100)}
    if change >= TIMES - 1:
        return _("rising to %(n)s times as much") % {"n": count(change + 1)}
    return _("rising by %(n)s %%") % {"n": count(change * 100)}


def thinned(graphs: Graphs, rows: int) -> list[tuple[float, list[str]]]:
    """Return the numbers for a table of at most *rows* lines, newest first: means."""
    many = -(-len(graphs.at) // rows)
    columns = [(c.kind, line.values) for c in graphs.charts for line in c.lines]
    found = []
    for n in range(0, len(graphs.at), many):
        parts = [(kind, _known(values[n : n + many])) for kind, values in columns]
        cells = [kind.words(fmean(known) if known else None) for kind, known in parts]
        found.append((graphs.at[n], cells))
    return found[::-1]


def _known(values: Known) -> list[float]:
    return [value for value in values if value is not None]
