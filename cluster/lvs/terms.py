"""The words of IPVS as enums: value, label, switch of ipvsadm, and a plain explanation.

See ipvsadm(8), "PARAMETERS", and keepalived.conf(5).
"""

from __future__ import annotations

from enum import Enum

from cluster.lvs.words import gettext_noop


class Protocol(Enum):
    """Transport protocol of a virtual service; the switch introduces its address."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"

    @property
    def label(self) -> str:
        return self.name

    @property
    def switch(self) -> str:
        return {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}[self.value]


class ForwardingMethod(Enum):
    """How a director hands a packet to a real server, one choice per real server."""

    DR = "dr"
    TUN = "tun"
    NAT = "nat"
    # Of a patched kernel only: NAT of a wish is rendered as this, see fullnat.py.
    FULLNAT = "fullnat"

    @property
    def switch(self) -> str:
        return {"dr": "-g", "tun": "-i", "nat": "-m", "fullnat": "-b"}[self.value]

    @property
    def listed(self) -> str:
        """The word that ``ipvsadm -Ln`` prints in the column Forward."""
        return _LISTED[self.value]

    @property
    def label(self) -> str:
        return _METHOD_LABELS[self.value]

    @property
    def help(self) -> str:
        return _METHOD_HELP[self.value]

    @property
    def may_change_port(self) -> bool:
        """Only NAT rewrites packets; ipvsadm quietly takes the VIP's port otherwise."""
        return self in (ForwardingMethod.NAT, ForwardingMethod.FULLNAT)


_LISTED = {"dr": "Route", "tun": "Tunnel", "nat": "Masq", "fullnat": "FullNat"}
# What a person chooses from.
CHOSEN_METHODS = (ForwardingMethod.DR, ForwardingMethod.TUN, ForwardingMethod.NAT)
_METHOD_HELP = {
    "dr": gettext_noop(
        "Rewrites only the MAC address: real servers stand in the director's LAN and"
        " answer the client straight. The port stays the VIP's."
    ),
    "tun": gettext_noop(
        "Packs packets into others (ipip, GUE or GRE): real servers may stand anywhere"
        " and answer the client straight. The port stays the VIP's; each packet has 20"
        " to 40 bytes less, so lower the MTU or clamp the MSS on a long way."
    ),
    "nat": gettext_noop(
        "Rewrites addresses both ways: the port may change and nothing is set up on"
        " real servers, but the director must be their default route. Clients in the"
        " real servers' own network get no answer."
    ),
    "fullnat": gettext_noop(
        "Rewrites addresses both ways and replaces the client's by a local address of"
        " the director. It takes a patched kernel."
    ),
}
_METHOD_LABELS = {
    "dr": gettext_noop("Direct routing"),
    "tun": gettext_noop("Tunneling"),
    "nat": gettext_noop("NAT"),
    "fullnat": gettext_noop("FULLNAT"),
}


class Scheduler(Enum):
    """How a virtual service chooses a real server for a new connection."""

    RR = "rr"
    WRR = "wrr"
    LC = "lc"
    WLC = "wlc"
    LBLC = "lblc"
    LBLCR = "lblcr"
    DH = "dh"
    SH = "sh"
    SED = "sed"
    NQ = "nq"
    FO = "fo"
    OVF = "ovf"
    MH = "mh"

    @property
    def label(self) -> str:
        return _SCHEDULERS[self.value][0]

    @property
    def help(self) -> str:
        return _SCHEDULERS[self.value][1]


_SCHEDULERS = {
    "rr": (
        gettext_noop("round robin"),
        gettext_noop(
            "Gives each new connection to the next real server in turn. Weights"
            " are ignored, except that weight 0 gets nothing new."
        ),
    ),
    "wrr": (
        gettext_noop("weighted round robin"),
        gettext_noop(
            "Takes turns in proportion to the weights: weight 3 gets three times"
            " as many new connections as weight 1. Best when requests cost alike."
        ),
    ),
    "lc": (
        gettext_noop("least-connection"),
        gettext_noop(
            "Chooses the real server with the fewest connections. Weights are ignored."
        ),
    ),
    "wlc": (
        gettext_noop("weighted least-connection"),
        gettext_noop(
            "Chooses the real server with the fewest connections for its weight."
            " The usual choice, because it follows servers that answer slowly."
        ),
    ),
    "lblc": (
        gettext_noop("locality-based least-connection"),
        gettext_noop(
            "Sends the same destination address to the same real server until that"
            " one is overloaded. Made for clusters of transparent caches."
        ),
    ),
    "lblcr": (
        gettext_noop("locality-based least-connection with replication"),
        gettext_noop(
            "Like lblc, but a busy destination address is served by a set of real"
            " servers that grows and shrinks with the load."
        ),
    ),
    "dh": (
        gettext_noop("destination hashing"),
        gettext_noop(
            "Chooses by a table keyed with the destination address, so that each"
            " address always meets the same real server. Made for caches."
        ),
    ),
    "sh": (
        gettext_noop("source hashing"),
        gettext_noop(
            "Chooses by the client's address, so that a client always meets the"
            " same real server without persistence. Weights set the share."
        ),
    ),
    "sed": (
        gettext_noop("shortest expected delay"),
        gettext_noop(
            "Chooses the real server with the smallest (connections + 1) / weight."
            " Favours fast real servers while the load is light."
        ),
    ),
    "nq": (
        gettext_noop("never queue"),
        gettext_noop(
            "Prefers a real server without any connection, even a slow one;"
            " when all are busy it works like sed."
        ),
    ),
    "fo": (
        gettext_noop("weighted failover"),
        gettext_noop(
            "Sends everything to the available real server with the highest"
            " weight; the others wait until it goes away."
        ),
    ),
    "ovf": (
        gettext_noop("weighted overflow"),
        gettext_noop(
            "Fills the real server with the highest weight until it has as many"
            " active connections as its weight says, then the next one."
        ),
    ),
    "mh": (
        gettext_noop("Maglev hashing"),
        gettext_noop(
            "Chooses by the client's address with a table that changes very little"
            " when a real server comes or goes."
        ),
    ),
}

# Schedulers by the letter that old hands know; the default of ipvsadm is wlc.
DEFAULT_SCHEDULER = Scheduler.WLC
MAX_PERSISTENCE = 2678400  # seconds, 31 days; ip_vs.h, IP_VS_... and ipvsadm(8) -p
MAX_WEIGHT = 65535
MAX_THRESHOLD = 65535  # connections; ipvsadm(8) -x, -y
