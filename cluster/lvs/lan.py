"""Questions and calls to the LAN: does somebody have this VIP; now it is here.

IPv4 does both by ARP, as arping(8) does. IPv6 asks the kernel, see ip-neighbour(8) and
net/ipv6/addrconf.c; an ordinary user may do that.
"""

from __future__ import annotations

from ipaddress import ip_interface

from cluster.lvs.change import NOTHING_TO_UNDO, Change, Mark, Phase
from cluster.lvs.command import Command
from cluster.lvs.host import INNER, BoundAddress
from cluster.lvs.table import IPAddress
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _


def check_address_free(host: str, bound: BoundAddress) -> Change:
    """Duplicate address detection, RFC 5227: nobody else may answer for the VIP.

    IPv6 has its own, RFC 4862, but a kernel does that with an address it already has.
    """
    return Change(
        host,
        Phase.CHECK,
        Mark.CHECK,
        (_("Check that nobody on the LAN answers for {vip}", vip=bound.address),),
        duplicate_address_probe(bound.address, bound.device),
        undo_note=NOTHING_TO_UNDO,
        refusal=taken(bound),
    )


def taken(bound: BoundAddress) -> Sentence:
    return _(
        "Another machine on the LAN already answers for {vip}. Choose an address that"
        " nobody uses, or take it off that machine first.",
        vip=bound.address,
    )


# A datagram to the discard port lets the kernel ask the LAN who has the address; its
# neighbour table says what came of it, after 3 s at most, or 9 s when it knew somebody
# that is gone. An ordinary user may do all of this.
_ASK_NEIGHBOURS = (
    "echo >/dev/udp/$2/9 || exit 2; while ((SECONDS < 12)); do"
    " found=$(ip -6 neigh show to $2 dev $1); case $found in"
    ' *FAILED*) exit 0;; *REACHABLE*) echo "$found"; exit 1;; esac;'
    " sleep 0.2; done; exit 2"
)


def duplicate_address_probe(vip: IPAddress, device: str) -> Command:
    """Exit status 0: nobody answered. 1: somebody did, and the MAC is printed."""
    if vip.version == 6:
        argv = ("bash", "-c", _ASK_NEIGHBOURS, "ask", device, str(vip))
        return Command(argv, deadline=15.0)
    words = ("arping", "-D", "-c", "2", "-w", "3", "-I", device, str(vip))
    return Command(words, root=True)


# DAD takes the kernel one to two seconds: until then nobody can reach the address.
_WAIT_FOR_DAD = (
    "while ((SECONDS < 8)); do found=$(ip -6 addr show dev $1 to $2); case $found in"
    " *dadfailed*) exit 1;; *tentative*) sleep 0.2;; *inet6*) exit 0;; *) exit 2;;"
    " esac; done; exit 2"
)


def announced_by_kernel(address: IPAddress, device: str) -> Command:
    """Exit status 0: it is in use and announced. 1: somebody else has it."""
    argv = ("bash", "-c", _WAIT_FOR_DAD, "wait", device, str(address))
    return Command(argv, deadline=12.0)


def announce_address(host: str, bound: BoundAddress) -> Change:
    """Gratuitous ARP, so that the neighbours learn the director's MAC at once.

    In IPv6 the kernel says so itself (``ndisc_notify``); this waits for it.
    """
    if bound.interface.version == 6:
        return Change(
            host,
            Phase.ANNOUNCE,
            Mark.CHECK,
            (
                _(
                    "Wait until the kernel has found no other {vip} on the LAN and has"
                    " announced it",
                    vip=bound.address,
                ),
            ),
            announced_by_kernel(bound.address, bound.device),
            undo_note=NOTHING_TO_UNDO,
            refusal=taken(bound),
        )
    argv = ("arping", "-U", "-c", "2", "-I", bound.device, str(bound.address))
    return Change(
        host,
        Phase.ANNOUNCE,
        Mark.CHECK,
        (_("Announce {vip} to the LAN", vip=bound.address),),
        Command(argv, root=True),
        undo_note=NOTHING_TO_UNDO,
    )


def announcement_after(undo: Command, host: str) -> Change | None:
    """Return the call that follows when a VIP comes back to the LAN by an undo: the
    neighbours may have learned of another director meanwhile."""
    match undo.argv:
        case ("ip", "addr", "add", interface, "dev", device, "label", label):
            bound = BoundAddress(device, ip_interface(interface), label)
            return None if device in INNER else announce_address(host, bound)
        case ("ip", "addr", "add", interface, "dev", device, "preferred_lft", "0"):
            return announce_address(host, BoundAddress(device, ip_interface(interface)))
    return None
