"""Which options of a service and of its real servers go together, and why not.

ipvsadm refuses some combinations, the kernel others, and a few are taken quietly though
they mean nothing. See ipvsadm(8) -b, -o, -M, -x, -y and ip_vs_ctl.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.lvs.table import IPAddress
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

# What ``--pe`` knows: the persistence engine that tells calls of SIP apart.
SIP = "sip"
# The two schedulers that hash, with the flags that each of them knows.
HASHING = (Scheduler.SH, Scheduler.MH)
Reason = tuple[str, Sentence]


def flag_names(scheduler: Scheduler, *, port: bool, fallback: bool) -> tuple[str, ...]:
    """Return the words for ``-b``: ``sh-port``, ``mh-fallback``; sorted."""
    chosen = (("fallback", fallback), ("port", port))
    return tuple(f"{scheduler.value}-{name}" for name, on in chosen if on)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a service as chosen; *persistence* 0 is off."""

    scheduler: Scheduler = Scheduler.WLC
    persistence: int = 0
    netmask: int | None = None
    hash_port: bool = False
    hash_fallback: bool = False
    one_packet: bool = False
    source_nat: bool = False
    engine: str = ""
    local: tuple[IPAddress, IPAddress] | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        return flag_names(
            self.scheduler, port=self.hash_port, fallback=self.hash_fallback
        )


def _of_family(options: Options, family: int | None) -> Iterator[Reason]:
    if options.source_nat and family == 6:
        yield (
            "source_nat",
            _("FULLNAT is set up for IPv4 only. Choose NAT without it for IPv6."),
        )
    if options.netmask is not None and family == 4 and options.netmask > 32:
        yield (
            "netmask",
            _(
                "An IPv4 address has 32 bits: {prefix} is out of range, 1 to 32 are"
                " possible.",
                prefix=options.netmask,
            ),
        )


def of_service(
    options: Options, protocol: Protocol, family: int | None = None
) -> Iterator[Reason]:
    """Yield (field, why) for everything that does not go together.

    *family* is 4 or 6, None while nobody knows.
    """
    name = options.scheduler.value
    if options.scheduler not in HASHING:
        text = _("Only sh and mh hash the client; {name} has no use for it.", name=name)
        if options.hash_port:
            yield "hash_port", text
        if options.hash_fallback:
            yield "hash_fallback", text
    yield from _of_family(options, family)
    if options.netmask is not None and not options.persistence:
        yield (
            "netmask",
            _(
                "A netmask groups clients for persistence: switch persistence on, or"
                " leave the netmask empty."
            ),
        )
    if options.local and not options.source_nat:
        yield (
            "local",
            _(
                "Local addresses replace the client's: switch FULLNAT on, or leave them"
                " empty."
            ),
        )
    yield from _of_engine(options, protocol)
    if options.one_packet and protocol is not Protocol.UDP:
        yield (
            "one_packet",
            _(
                "One-packet scheduling is for UDP only: {protocol} needs all packets of"
                " a connection on one real server.",
                protocol=protocol.label,
            ),
        )


def of_all_ports(options: Options) -> Iterator[Reason]:
    """Yield (field, why) for a service on port 0, which is every port that has no
    service of its own on the VIP (ipvsadm(8), -p)."""
    if not options.persistence:
        yield (
            "port",
            _(
                "Port 0 is all ports of the VIP: what a client opens on several of them"
                " must meet at one real server. Switch persistence on, or write a port."
            ),
        )
    if options.source_nat:
        yield (
            "source_nat",
            _("FULLNAT replaces the client's address for one port: write the port."),
        )


def _of_engine(options: Options, protocol: Protocol) -> Iterator[Reason]:
    """The engine reads the Call-ID of SIP; the kernel looks into UDP only, and asks it
    for a template of persistence (ip_vs_pe_sip.c)."""
    if not options.engine:
        return
    if protocol is not Protocol.UDP:
        yield (
            "engine",
            _(
                "The engine for SIP reads UDP only: with {protocol} it would never find a"
                " Call-ID.",
                protocol=protocol.label,
            ),
        )
    if not options.persistence:
        yield (
            "engine",
            _(
                "The engine for SIP says what is kept together by persistence: switch"
                " persistence on."
            ),
        )


def of_server(
    method: ForwardingMethod, upper: int | None, lower: int | None, chosen: Options
) -> Iterator[Reason]:
    """Yield (field, why) for a real server; a threshold of 0 or None is off."""
    if lower and not upper:
        yield (
            "lower",
            _(
                "A lower threshold says when a full real server is used again: write an"
                " upper threshold too."
            ),
        )
    elif lower and upper and lower > upper:
        yield (
            "lower",
            _(
                "The lower threshold {lower} is above the upper one, {upper}.",
                lower=lower,
                upper=upper,
            ),
        )
    if chosen.source_nat and method is not ForwardingMethod.NAT:
        yield (
            "method",
            _(
                "FULLNAT replaces the client's address in packets that NAT rewrites:"
                " {method} does not rewrite any. Choose NAT.",
                method=_(method.label),
            ),
        )
    if chosen.one_packet and method is ForwardingMethod.NAT:
        yield (
            "method",
            _(
                "NAT and one-packet scheduling do not go together: the director forgets"
                " a packet at once and cannot translate the reply to it."
            ),
        )
