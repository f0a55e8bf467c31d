"""The sysctls of IPVS, ``/proc/sys/net/ipv4/vs``: what each does and may be.

See ipvs-sysctl in the kernel's documentation. A kernel has those of its version; the
files are there as soon as ip_vs is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from cluster.lvs.words import Sentence, gettext_noop
from cluster.lvs.words import say as _

VS = "net.ipv4.vs"
_PAGES = (0, 2_147_483_647)
_SECONDS = (0, 86_400)
THRESHOLD, CPUS = "sync_threshold", "est_cpulist"


class Group(Enum):
    """What a sysctl is about; a heading of the page."""

    CONNECTIONS = gettext_noop("Connections")
    FORWARDING = gettext_noop("Forwarding and ICMP")
    SYNC = gettext_noop("Connection synchronisation")
    DEFENCE = gettext_noop("Defence against floods")
    ESTIMATION = gettext_noop("Rates")


@dataclass(frozen=True, slots=True)
class IpvsSysctl:
    """One of them. *limits* None: no plain number; *since* "": every kernel has it.

    *choices* names the values where a number says nothing by itself.
    """

    name: str
    group: Group
    default: str
    help: str
    limits: tuple[int, int] | None = (0, 1)
    since: str = ""
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return f"{VS}.{self.name}"

    @property
    def range(self) -> Sentence:
        if self.name == THRESHOLD:
            return _("two numbers, such as 3 50")
        if self.limits is None:
            return _("processors, such as 0-3,5")
        return _("{low} to {high}", low=self.limits[0], high=self.limits[1])


_SWITCH = (("0", gettext_noop("off")), ("1", gettext_noop("on")))
_MODES = (
    ("0", gettext_noop("off")),
    ("1", gettext_noop("when memory runs short")),
    ("3", gettext_noop("always")),
)
_REUSE = (
    ("0", gettext_noop("same real server")),
    ("1", gettext_noop("schedule again when safe")),
    ("2", gettext_noop("also in FIN_WAIT (direct routing)")),
)
# The kernel itself writes 2 for 1 while memory is short, and back.
AUTOMATIC = ("drop_entry", "drop_packet", "secure_tcp")

CATALOGUE = (
    IpvsSysctl(
        "conntrack",
        Group.CONNECTIONS,
        "0",
        gettext_noop(
            "Keeps balanced connections in the kernel's connection tracking, so that"
            " stateful firewall rules see them. It costs speed; FULLNAT needs it."
        ),
        since="2.6.37",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "expire_nodest_conn",
        Group.CONNECTIONS,
        "0",
        gettext_noop(
            "Ends a connection at its next packet when its real server was deleted, so"
            " that the client learns of it. Off, packets are dropped silently and the"
            " connection goes on if the server comes back."
        ),
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "expire_quiescent_template",
        Group.CONNECTIONS,
        "0",
        gettext_noop(
            "Sends clients of a persistent service to another real server as soon as"
            " theirs has weight 0. Off, they keep coming back to it until their"
            " persistence runs out."
        ),
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "conn_reuse_mode",
        Group.CONNECTIONS,
        "1",
        gettext_noop(
            "What happens when a client uses the port of an old connection again: the"
            " same real server, or a new choice. With 0 expire_nodest_conn has no"
            " effect."
        ),
        limits=(0, 2),
        since="4.1",
        choices=_REUSE,
    ),
    IpvsSysctl(
        "sloppy_tcp",
        Group.CONNECTIONS,
        "0",
        gettext_noop(
            "Lets any TCP packet open a connection, not only SYN. A backup director"
            " needs it to take over connections that it was not told of."
        ),
        since="3.11",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "sloppy_sctp",
        Group.CONNECTIONS,
        "0",
        gettext_noop(
            "Lets any SCTP packet open a connection, not only INIT. A backup director"
            " needs it to take over connections that it was not told of."
        ),
        since="3.11",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "cache_bypass",
        Group.FORWARDING,
        "0",
        gettext_noop(
            "Sends packets straight to their destination when no cache server is"
            " available. It is meant for clusters of transparent web caches."
        ),
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "schedule_icmp",
        Group.FORWARDING,
        "0",
        gettext_noop(
            "Lets ICMP errors about tunneled packets be scheduled like a connection."
            " Needed where several directors share the clients of a VIP (ECMP)."
        ),
        since="4.4",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "nat_icmp_send",
        Group.FORWARDING,
        "0",
        gettext_noop(
            "Answers packets of a NAT real server that belong to no connection with an"
            " ICMP error. Off, they pass like any other packet."
        ),
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "pmtu_disc",
        Group.FORWARDING,
        "1",
        gettext_noop(
            "Answers packets that are too large and must not be fragmented with an ICMP"
            " error. Off, they are fragmented in tunnels, which also works where ICMP"
            " is filtered."
        ),
        since="3.7",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "snat_reroute",
        Group.FORWARDING,
        "1",
        gettext_noop(
            "Routes replies of NAT real servers as if the director had sent them. It"
            " only matters with policy routing, and saves a little work when off."
        ),
        since="2.6.37",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "ignore_tunneled",
        Group.FORWARDING,
        "0",
        gettext_noop(
            "Leaves tunneled packets alone that reach the director. It prevents loops"
            " where a director is also a real server."
        ),
        since="4.4",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        "backup_only",
        Group.SYNC,
        "0",
        gettext_noop(
            "A director that runs only the backup sync daemon does not balance. It"
            " prevents loops when a backup director is also a DR or TUN real server."
        ),
        since="3.9",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        THRESHOLD,
        Group.SYNC,
        "3 50",
        gettext_noop(
            "A connection is synchronised first after so many packets, and again every"
            " period of packets. Smaller numbers lose fewer connections in a take-over"
            " and send more messages."
        ),
        limits=None,
    ),
    IpvsSysctl(
        "sync_refresh_period",
        Group.SYNC,
        "0",
        gettext_noop(
            "Seconds by which the timer of a connection must differ before it is"
            " reported again. It spares messages for busy connections; 0 counts packets"
            " alone."
        ),
        limits=_SECONDS,
        since="3.5",
    ),
    IpvsSysctl(
        "sync_retries",
        Group.SYNC,
        "0",
        gettext_noop(
            "How often a message is repeated, an eighth of the refresh period apart. It"
            " protects against lost messages on a busy network."
        ),
        limits=(0, 3),
        since="3.5",
    ),
    IpvsSysctl(
        "sync_version",
        Group.SYNC,
        "1",
        gettext_noop(
            "Version of the messages that the master sends. 0 only for a backup whose"
            " kernel is older than 2.6.39."
        ),
        since="2.6.39",
    ),
    IpvsSysctl(
        "sync_ports",
        Group.SYNC,
        "1",
        gettext_noop(
            "Threads of the sync daemon, each with a UDP port of its own from 8848 on."
            " It must be the same on master and backup and counts from the next start"
            " of the daemon."
        ),
        limits=(1, 64),
        since="3.5",
    ),
    IpvsSysctl(
        "sync_persist_mode",
        Group.SYNC,
        "0",
        gettext_noop(
            "With 1, only the persistence of a client is synchronised, not each of its"
            " connections. The backup then needs sloppy_tcp and sloppy_sctp."
        ),
        since="3.11",
    ),
    IpvsSysctl(
        "drop_entry",
        Group.DEFENCE,
        "0",
        gettext_noop(
            "Throws half-open connections away at random, to get memory back in a SYN"
            " flood. By itself it begins when less memory is free than amemthresh."
        ),
        limits=(0, 3),
        choices=_MODES,
    ),
    IpvsSysctl(
        "drop_packet",
        Group.DEFENCE,
        "0",
        gettext_noop(
            "Drops a part of all packets before they reach a real server. How many,"
            " follows from the free memory, or from am_droprate in mode 3."
        ),
        limits=(0, 3),
        choices=_MODES,
    ),
    IpvsSysctl(
        "secure_tcp",
        Group.DEFENCE,
        "0",
        gettext_noop(
            "Uses stricter TCP states with shorter timeouts for connections that are"
            " not established. With NAT a connection counts only after the whole"
            " handshake."
        ),
        limits=(0, 3),
        choices=_MODES,
    ),
    IpvsSysctl(
        "am_droprate",
        Group.DEFENCE,
        "10",
        gettext_noop(
            "One of so many packets is dropped while drop_packet is 3. With 1 every"
            " packet is dropped."
        ),
        limits=(1, 1_000_000),
    ),
    IpvsSysctl(
        "amemthresh",
        Group.DEFENCE,
        "1024",
        gettext_noop(
            "Free memory, in pages, below which the automatic defences begin. A page is"
            " usually 4 KiB."
        ),
        limits=_PAGES,
    ),
    IpvsSysctl(
        "run_estimation",
        Group.ESTIMATION,
        "1",
        gettext_noop(
            "Lets the kernel compute connections, packets and bytes per second. Off, it"
            " spares work with tens of thousands of services; our graphs count by"
            " themselves."
        ),
        since="5.16",
        choices=_SWITCH,
    ),
    IpvsSysctl(
        CPUS,
        Group.ESTIMATION,
        "",
        gettext_noop(
            "Processors that compute the rates. Keep them off the processors that serve"
            " interrupts of busy network cards."
        ),
        limits=None,
        since="6.2",
    ),
    IpvsSysctl(
        "est_nice",
        Group.ESTIMATION,
        "0",
        gettext_noop(
            "Priority of the tasks that compute the rates, as for nice(1). A larger"
            " number leaves more time to others."
        ),
        limits=(-20, 19),
        since="6.2",
    ),
)
BY_NAME: Mapping[str, IpvsSysctl] = {one.name: one for one in CATALOGUE}
NAMES = tuple(BY_NAME)


def as_read(name: str, value: str) -> str:
    """Return the value of a file in one spelling: ``3 50``; what is automatic is 1."""
    value = " ".join(value.split())
    return "1" if name in AUTOMATIC and value == "2" else value


def lacking(wanted: Iterable[str], now: Mapping[str, str]) -> list[IpvsSysctl]:
    """Return those of the names that a kernel does not have; *now* is by key."""
    found = (BY_NAME[name] for name in wanted if name in BY_NAME)
    return [one for one in found if one.key not in now]
