"""The types of tunnel to a real server: ipip, gue and gre, and what each costs.

See ipvsadm(8), --tun-type; ip-fou(8); ip-link(8), TYPE GRE. The sizes are what the
kernel takes off the MTU in ip_vs_xmit.c (__ip_vs_get_out_rt).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache

from cluster.lvs.host import GRE, GRE_CSUM, SIX_IN_FOUR, SIX_IN_SIX, TUNNEL
from cluster.lvs.table import Tunnel
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.words import Sentence, gettext_noop
from cluster.lvs.words import say as _

IPIP = Tunnel()
PORTS = (1, 65535)
DEFAULT_PORT = 6080  # of GUE, as in the examples of ip-fou(8) and of the kernel
USUAL_MTU = 1500
_OUTER = {4: 20, 6: 40}  # bytes of an IP header
_TCP = 20


class TunnelType(Enum):
    """What a packet is packed into; the value is the word of ``--tun-type``."""

    IPIP = "ipip"
    GUE = "gue"
    GRE = "gre"

    @property
    def label(self) -> str:
        return {
            "ipip": gettext_noop("IP in IP"),
            "gue": gettext_noop("GUE: in UDP"),
            "gre": gettext_noop("GRE"),
        }[self.value]

    @property
    def checksums(self) -> tuple[Checksum, ...]:
        """The ways that this type may protect its packets; none for ipip."""
        return {
            "ipip": (),
            "gue": tuple(Checksum),
            "gre": (Checksum.NONE, Checksum.WHOLE),
        }[self.value]


class Checksum(Enum):
    """How the outer packet is protected; the value is the word after ``--tun-``."""

    NONE = "nocsum"
    WHOLE = "csum"
    REMOTE = "remcsum"

    @property
    def label(self) -> str:
        return {
            "nocsum": gettext_noop("no checksum"),
            "csum": gettext_noop("checksum"),
            "remcsum": gettext_noop("remote checksum"),
        }[self.value]


@lru_cache(maxsize=256)
def chosen(kind: str, port: int | None, checksum: str) -> Tunnel | None:
    """Return the tunnel of these words; None for plain ipip, as rules are read."""
    found = Tunnel(kind, port or 0, checksum or Checksum.NONE.value)
    return None if found == IPIP else found


def device(tunnel: Tunnel | None, inner: int = 4, outer: int = 4) -> str:
    """Return the device of a real server that packets come out of.

    *inner* is the family of the VIP, *outer* that of the real server.
    """
    if 6 in (inner, outer):
        return SIX_IN_SIX if outer == 6 else SIX_IN_FOUR
    if tunnel is None or tunnel.type != TunnelType.GRE.value:
        return TUNNEL  # what comes out of GUE is IP in IP again
    return GRE_CSUM if tunnel.checksum == Checksum.WHOLE.value else GRE


def overhead(tunnel: Tunnel | None, family: int = 4) -> int:
    """Return how many bytes the tunnel adds to a packet, at most."""
    found = tunnel or IPIP
    size = {"ipip": 0, "gue": 8 + 4, "gre": 4}.get(found.type, 0)
    more = {("gre", "csum"): 4, ("gue", "remcsum"): 4 + 4}
    return _OUTER[family] + size + more.get((found.type, found.checksum), 0)


def described(tunnel: Tunnel | None) -> Sentence:
    """Say the tunnel in words: ``gue, UDP port 6080, checksum``."""
    found = tunnel or IPIP
    kind = found.type
    if found.type == TunnelType.IPIP.value:
        return _("{kind}", kind=kind)
    checksum = _(Checksum(found.checksum).label)
    if found.port:
        return _("{kind}, UDP port {port}, {checksum}",
                 kind=kind, port=found.port, checksum=checksum)  # fmt: skip
    return _("{kind}, {checksum}", kind=kind, checksum=checksum)


def advice(tunnel: Tunnel | None, family: int = 4) -> Sentence:
    """Say what the tunnel does to the size of packets, and what helps."""
    more = overhead(tunnel, family)
    left = USUAL_MTU - more
    return _(
        "{kind} adds {bytes} bytes to each packet from a client: of an MTU of {mtu}"
        " bytes {left} are left. Let the way to the real server carry larger packets, or"
        " announce an MSS of {mss} there.",
        kind=described(tunnel),
        bytes=more,
        mtu=USUAL_MTU,
        left=left,
        mss=left - _OUTER[family] - _TCP,
    )


def wrong(
    method: ForwardingMethod, tunnel: Tunnel | None, family: int | None = None
) -> Iterator[tuple[str, Sentence]]:
    """Yield (field, why) for a tunnel that ipvsadm would refuse or that means nothing."""
    if tunnel is None:
        return
    if family == 6:
        text = _("GUE and GRE are set up for IPv4 only. Choose IP in IP for IPv6.")
        yield "tunnel_type", text
    kind = TunnelType(tunnel.type)
    if method is not ForwardingMethod.TUN:
        yield (
            "tunnel_type",
            _(
                "A type of tunnel belongs to tunneling only: {method} packs nothing into"
                " other packets.",
                method=_(method.label),
            ),
        )
        return
    if kind is TunnelType.GUE and not tunnel.port:
        text = _("GUE needs a UDP port that the real server listens on, such as 6080.")
        yield "tunnel_port", text
    if kind is not TunnelType.GUE and tunnel.port:
        yield (
            "tunnel_port",
            _("Only GUE has a port: {kind} is a protocol beside UDP.", kind=kind.value),
        )
    if Checksum(tunnel.checksum) not in (kind.checksums or (Checksum.NONE,)):
        possible = ", ".join(one.value for one in kind.checksums)
        text = _("{kind} has no checksum.", kind=kind.value)
        if possible:
            text = _(
                "{kind} knows {possible} only.", kind=kind.value, possible=possible
            )
        yield "tunnel_checksum", text
