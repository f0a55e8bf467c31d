"""Which sysctls we set, what each is for, and what the kernel changes along with it.

See ip-sysctl and ipvs-sysctl in the kernel's documentation. Keys are spelled as
``sysctl`` prints them: a dot in the name of a device is a slash, ``bond0/100``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from cluster.lvs.ipvs_sysctls import NAMES, VS
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

CONF = "net.ipv4.conf"
CONF6 = "net.ipv6.conf"
FORWARD = "net.ipv4.ip_forward"
FORWARD6 = f"{CONF6}.all.forwarding"
# Writing ip_forward makes the kernel write this one too (devinet.c,
# inet_forward_change): off with forwarding, on without it, whatever it was.
ALONG_WITH_FORWARD = f"{CONF}.all.accept_redirects"
CONNTRACK = f"{VS}.conntrack"

# What a host is asked for; the names of files below /proc/sys/net.
FILES = (
    "arp_ignore",
    "arp_announce",
    "rp_filter",
    "accept_redirects",
    "send_redirects",
    "ip_forward",
    *NAMES,
    "ndisc_notify",
    "forwarding",
    "accept_ra",
)
_DEVICES = "(all|default|lo|tunl0|gre0|gre-csum)"
_KEPT = re.compile(
    rf"net\.ipv4\.(ip_forward|vs\.({'|'.join(NAMES)})|conf\.all\.accept_redirects"
    rf"|conf\.{_DEVICES}\.(arp_ignore|arp_announce|rp_filter)"
    r"|conf\.[^.]+\.send_redirects)"
    r"|net\.ipv6\.conf\.(all\.forwarding"
    r"|[^.]+\.(ndisc_notify|accept_ra|accept_redirects))"
)
_SWAP = str.maketrans("/.", "./")


class Purpose(Enum):
    """Sysctls of one purpose are set by one command, and said in one sentence."""

    SILENCE = "silence"
    TUNNEL = "tunnel"
    FORWARDING = "forwarding"
    TRACKING = "tracking"
    IPVS = "ipvs"
    ANNOUNCING = "announcing"
    FORWARDING6 = "forwarding6"
    STRAIGHT = "straight"

    def reason(self, host: str) -> Sentence:
        return {
            Purpose.SILENCE: _(
                "Keep {host} silent when the LAN asks who has the VIP", host=host
            ),
            Purpose.TUNNEL: _(
                "Let {host} accept what comes out of the tunnel, whatever way the"
                " reply takes",
                host=host,
            ),
            Purpose.FORWARDING: _(
                "Let {host} pass replies of real servers on to the clients", host=host
            ),
            Purpose.TRACKING: _(
                "Let {host} track balanced connections, so that their source can be"
                " changed",
                host=host,
            ),
            Purpose.IPVS: _("Set how IPVS works on {host}", host=host),
            Purpose.ANNOUNCING: _(
                "Let the kernel of {host} announce each new IPv6 address to the LAN",
                host=host,
            ),
            Purpose.FORWARDING6: _(
                "Let {host} pass IPv6 replies of real servers on to the clients, and"
                " keep the routes that it has learned",
                host=host,
            ),
            Purpose.STRAIGHT: _(
                "Let {host} ignore IPv6 redirects: they would lead its replies past the"
                " director",
                host=host,
            ),
        }[self]

    def end(self, host: str) -> Sentence:
        return {
            Purpose.SILENCE: _(
                "Let {host} answer ARP as before: its last VIP is gone", host=host
            ),
            Purpose.TUNNEL: _("Filter tunneled packets on {host} as before", host=host),
            Purpose.FORWARDING: _("Let {host} forward packets as before", host=host),
            Purpose.TRACKING: _(
                "Let {host} track balanced connections as before", host=host
            ),
            Purpose.IPVS: _("Let IPVS work on {host} as before", host=host),
            Purpose.ANNOUNCING: _(
                "Let {host} announce IPv6 addresses as before", host=host
            ),
            Purpose.FORWARDING6: _(
                "Let {host} forward IPv6 packets as before", host=host
            ),
            Purpose.STRAIGHT: _("Let {host} heed IPv6 redirects as before", host=host),
        }[self]


def purpose_of(key: str) -> Purpose:
    last = key.rpartition(".")[2]
    if last == "rp_filter":
        return Purpose.TUNNEL
    if key == CONNTRACK:
        return Purpose.TRACKING
    if key.startswith(f"{VS}."):
        return Purpose.IPVS
    if key.startswith(f"{CONF6}."):
        return {
            "ndisc_notify": Purpose.ANNOUNCING,
            "accept_redirects": Purpose.STRAIGHT,
        }.get(last, Purpose.FORWARDING6)
    if key == FORWARD or last.endswith("_redirects"):
        return Purpose.FORWARDING
    return Purpose.SILENCE


def spelled(path: str) -> str | None:
    """Return the key of a file below /proc/sys; None for one that is not ours."""
    key = path.removeprefix("/proc/sys/").translate(_SWAP)
    return key if _KEPT.fullmatch(key) else None


def of_device(device: str, name: str, *, family: int = 4) -> str:
    conf = CONF if family == 4 else CONF6
    return f"{conf}.{device.replace('.', '/')}.{name}"


def value(now: Mapping[str, str], key: str) -> str | None:
    """Return the value of a key; a device that is not there yet gets the default's."""
    if key in now:
        return now[key]
    device, _dot, name = key.removeprefix(f"{CONF}.").partition(".")
    return now.get(f"{CONF}.default.{name}") if name and device != key else None
