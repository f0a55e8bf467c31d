"""The picture of a cluster: what stands where, with its words and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from statistics import fmean
from typing import NamedTuple, TypeVar

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cluster.lvs import topology
from cluster.lvs.topology import Box, Flow
from cluster.numbers import DASH, bytes_rate, count, rate
from cluster.states import state_of
from cluster.watch.board import (
    FOREIGN,
    WORST_FIRST,
    ServerLine,
    ServiceLine,
)

N = TypeVar("N", int, float)
# More do not fit on a screen; the table has them all.
MOST_SERVERS = 10
MOST_VIPS = 4
MOST_WEIGHTS = 3
# Tones of states -> the classes of topo.css.
_TONES = {"warn": "is-warn", "drift": "is-warn", "bad": "is-bad", "mute": "is-mute"}
_STATE_CLASSES = _TONES | {"up": "is-up", "brand": "is-brand"}

# What a character takes at most, in units of the picture (topo.css).
_NAME, _WORD, _VIP = 8.8, 8.6, 6.8
_NARROWEST = 0.7
# From the left edge of a name to the right edge of the word beside it.
_DIRECTOR_ROOM, _SERVER_ROOM, _BESIDE, _IN_PILL = 228.0, 234.0, 10.0, 16.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text in the room that it has: squeezed into *length*, and cut if need be."""

    text: str
    length: float | None = None
    whole: str = ""

    @classmethod
    def into(cls, room: float, text: str, a_character: float) -> Fitted:
        if len(text) * a_character <= room:
            return cls(text)
        most = int(room / a_character / _NARROWEST)
        if len(text) <= most:
            return cls(text, room)
        return cls(f"{text[: most - 1]}…", room, text)

    @classmethod
    def name(cls, room: float, name: str, word: str) -> Fitted:
        """Fit the name of a host beside the word for its state."""
        return cls.into(room - _BESIDE - len(word) * _WORD, name, _NAME)


@dataclass(frozen=True, slots=True)
class DrawnDirector:
    box: Box
    name: Fitted
    detail: str
    css: str
    word: str
    word_css: str
    pills: tuple[tuple[Box, Fitted], ...]
    more: str


@dataclass(frozen=True, slots=True)
class DrawnServer:
    box: Box
    name: Fitted
    detail: str
    weight: str
    share: float
    css: str
    word: str
    word_css: str
    flow: Flow | None
    rate: str


@dataclass(frozen=True, slots=True)
class Picture:
    """*still* is the same without what moves, one object until something else changes."""

    label: str
    height: float
    clients: tuple[float, float, float]
    directors: tuple[DrawnDirector, ...]
    servers: tuple[DrawnServer, ...]
    inflow: Flow | None
    rate: str
    incoming: str
    reply: Flow | None
    more: str
    still: Picture | None = None


class DirectorNode(NamedTuple):
    """A director to draw; *state* is a word of ``states``, *vips* those it holds."""

    name: str
    address: str
    state: str
    vips: tuple[str, ...]


class ServerNode(NamedTuple):
    """One real server over all services that are drawn.

    *share* is the mean of its weight to the largest of each service, 0 to 1.
    """

    name: str
    detail: str
    state: str
    weights: tuple[int | None, ...]
    share: float
    blind: bool


class Load(NamedTuple):
    """What moves at a real server; None is "not known"."""

    active: int | None
    conns: float | None


def picture(
    nodes: Sequence[DirectorNode], acting: int | None, lines: Sequence[ServiceLine]
) -> Picture | None:
    """Draw these services; None when there is no director."""
    if not nodes:
        return None
    merged = _merged(lines)
    servers = tuple(server for server, _load in merged)
    still = _still(get_language(), tuple(nodes), acting, servers)
    loads = [load for _server, load in merged[:MOST_SERVERS]]
    widths = topology.line_widths([load.conns for load in loads])
    word = _("%(n)s active")
    inflow = still.inflow
    if inflow:
        inflow = replace(inflow, width=topology.inflow_width(widths))
    arriving = bytes_rate(_sum(line.numbers.in_bytes for line in lines))
    return replace(
        still,
        servers=tuple(map(partial(_moving, word), still.servers, loads, widths)),
        inflow=inflow,
        rate=rate(_sum(line.numbers.conns for line in lines)),
        incoming=_("%(rate)s in") % {"rate": arriving},
        still=still,
    )


def _moving(word: str, server: DrawnServer, load: Load, width: float) -> DrawnServer:
    active = word % {"n": count(load.active)}
    return replace(
        server,
        detail=" · ".join(filter(None, (server.detail, active))),
        flow=replace(server.flow, width=width) if server.flow else None,
        rate=rate(load.conns),
    )


@lru_cache(maxsize=64)
def _still(
    _language: str | None,
    nodes: tuple[DirectorNode, ...],
    acting: int | None,
    servers: tuple[ServerNode, ...],
) -> Picture:
    shown = servers[:MOST_SERVERS]
    drawing = topology.draw(
        [min(len(node.vips), MOST_VIPS) for node in nodes],
        acting,
        len(shown),
        replies_pass_by=any(server.blind for server in shown),
        long_names=any(":" in vip for node in nodes for vip in node.vips),
    )
    left_out = len(servers) - len(shown)
    return Picture(
        label=_label(nodes, acting, servers),
        height=drawing.height,
        clients=drawing.clients,
        directors=tuple(map(_director, nodes, drawing.directors, drawing.pills)),
        servers=tuple(
            _server(server, box, drawing.flows[i] if drawing.flows else None)
            for i, (server, box) in enumerate(zip(shown, drawing.servers, strict=True))
        ),
        inflow=drawing.inflow,
        rate="",
        incoming="",
        reply=drawing.reply,
        more=_("and %(n)d more in the table") % {"n": left_out} if left_out else "",
    )


def _merged(lines: Iterable[ServiceLine]) -> list[tuple[ServerNode, Load]]:
    by_address: dict[str, list[tuple[ServerLine, float]]] = {}
    for line in lines:
        largest = line.largest_weight or 1
        for server in line.servers:
            share = (server.weight or 0) / largest
            address = server.at.rpartition(":")[0]
            by_address.setdefault(address, []).append((server, share))
    return [_one(address, found) for address, found in by_address.items()]


def _one(
    address: str, found: Sequence[tuple[ServerLine, float]]
) -> tuple[ServerNode, Load]:
    servers = [server for server, _share in found]
    states = {server.state for server in servers}
    # What somebody else has there says nothing about what is ours.
    ours = states - {FOREIGN} or states
    worst = next(state for state in WORST_FIRST if state in ours)
    numbers = [server.numbers for server in servers]
    node = ServerNode(
        name=servers[0].name or address,
        detail=address.strip("[]") if servers[0].name else "",
        state=worst,
        weights=tuple(dict.fromkeys(server.weight for server in servers)),
        share=fmean([share for _server, share in found]),
        blind=any(one.blind for one in numbers),
    )
    active = _sum(one.active for one in numbers)
    return node, Load(active, _sum(one.conns for one in numbers))


def _director(node: DirectorNode, box: Box, pills: Sequence[Box]) -> DrawnDirector:
    state = state_of(node.state)
    css = "is-active" if node.state == "ACTIVE" else _TONES.get(state.tone, "")
    if node.state == "STANDBY":
        css = "is-standby"
    left_out = len(node.vips) - len(pills)
    word = str(state.word)
    return DrawnDirector(
        box=box,
        name=Fitted.name(_DIRECTOR_ROOM, node.name, word),
        detail=node.address,
        css=css,
        word=word,
        word_css=_STATE_CLASSES.get(state.tone, ""),
        pills=tuple(
            (pill, Fitted.into(pill.width - _IN_PILL, vip, _VIP))
            for pill, vip in zip(pills, node.vips, strict=False)
        ),
        more=_("+ %(n)d VIPs") % {"n": left_out} if left_out > 0 else "",
    )


def _server(server: ServerNode, box: Box, flow: Flow | None) -> DrawnServer:
    state = state_of(server.state)
    word = str(state.word)
    return DrawnServer(
        box=box,
        name=Fitted.name(_SERVER_ROOM, server.name, word),
        detail=server.detail,
        weight=_weight_text(server.weights),
        share=round(140 * server.share, 1),
        css=_TONES.get(state.tone, ""),
        word=word,
        word_css=_STATE_CLASSES.get(state.tone, ""),
        flow=flow,
        rate="",
    )


def _weight_text(weights: Sequence[int | None]) -> str:
    texts = [DASH if weight is None else str(weight) for weight in weights]
    if len(texts) > MOST_WEIGHTS:
        return _("several weights")
    if texts[1:]:
        return _("weights %(weights)s") % {"weights": ", ".join(texts)}
    return _("weight %(weight)s") % {"weight": texts[0]}


def _label(
    nodes: Sequence[DirectorNode], acting: int | None, servers: Sequence[ServerNode]
) -> str:
    """Say in a sentence what the picture shows, for those who cannot see it."""
    if acting is None:
        names = ", ".join(node.name for node in nodes)
        return _("No director is known to work: %(names)s.") % {"names": names}
    node = nodes[acting]
    if not servers:
        return _("%(director)s forwards to no real server.") % {"director": node.name}
    return _(
        "Clients reach %(vips)s on %(director)s, which forwards to %(servers)s."
    ) % {
        "vips": ", ".join(node.vips) or DASH,
        "director": node.name,
        "servers": ", ".join(
            f"{server.name} ({state_of(server.state).word})" for server in servers
        ),
    }


def _sum(values: Iterable[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
