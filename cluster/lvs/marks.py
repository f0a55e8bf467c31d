"""Firewall marks: which packets belong to a service that has no address of its own.

The kernel marks packets in the chain PREROUTING of the table mangle, IPVS balances
what has the mark, so that several ports, or VIPs, are one service. By hand::

    iptables -t mangle -A PREROUTING -d 10.0.1.31 -p tcp --dport 80 -j MARK --set-mark 7
    ipvsadm -A -f 7 -s rr -p 300

See ipvsadm(8), -f; iptables-extensions(8), MARK. Rules of any other form are not ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from cluster.lvs.source_nat import TOOLS
from cluster.lvs.table import IPAddress, Packets, ServiceAddress, VirtualService
from cluster.lvs.terms import Protocol

CHAIN = "PREROUTING"
TOOLS6 = tuple(f"ip6{tool.removeprefix('ip')}" for tool in TOOLS)
_WHOLE = 0xFFFFFFFF  # the kernel compares the whole mark, so all of it is set
_WORDS = ("-d", "-p", "-m", "--dport", "-j", "--set-xmark")


def tool_for(family: int, firewall: str) -> str:
    """Return the program for a family: *firewall* is the one that works for IPv4."""
    return firewall if family == 4 else f"ip6{firewall.removeprefix('ip')}"


@dataclass(frozen=True, slots=True)
class MarkRule:
    """These packets get this mark."""

    mark: int
    packets: Packets

    @property
    def family(self) -> int:
        return self.packets.address.version

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words after ``-A``, as ``iptables -S`` lists them."""
        address, name = self.packets.address, self.packets.protocol.value
        whole = f"{address}/{address.max_prefixlen}"
        return (
            *(CHAIN, "-d", whole, "-p", name, "-m", name),
            *("--dport", self.packets.ports),
            *("-j", "MARK", "--set-xmark", f"0x{self.mark:x}/0x{_WHOLE:x}"),
        )


def packets_of(at: ServiceAddress, rules: Iterable[MarkRule]) -> tuple[Packets, ...]:
    """Return the packets that rules give the mark of a service."""
    return tuple(
        rule.packets
        for rule in rules
        if at.mark and (rule.mark, rule.family) == (at.mark, at.family)
    )


def rules_of(services: Iterable[VirtualService]) -> Iterator[MarkRule]:
    """Return the rules that services named by a mark need; none without servers."""
    for service in services:
        if service.at.mark and service.servers:
            for packets in service.packets:
                yield MarkRule(service.at.mark, packets)


def parse(text: str) -> tuple[MarkRule, ...]:
    """Read ``iptables -t mangle -S``; rules of another form are left out."""
    lines = (line.split() for line in text.splitlines())
    found = [_rule(words[2:]) for words in lines if words[:2] == ["-A", CHAIN]]
    return tuple(rule for rule in found if rule)


def others(text: str) -> tuple[int, ...]:
    """Return the marks that rules of any other form set, in whichever chain."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        at = words.index("--set-xmark") + 1 if "--set-xmark" in words else len(words)
        is_ours = words[:2] == ["-A", CHAIN] and _rule(words[2:])
        if at < len(words) and not is_ours:
            found.add(int(words[at].partition("/")[0], 16))
    return tuple(sorted(found))


def read(words: Iterable[str]) -> MarkRule:
    """Return the rule of its words, as ``MarkRule.words`` gives them."""
    rule = _rule([*words][1:])
    if rule is None:
        raise ValueError(f"no rule of ours: {words}")
    return rule


def _rule(words: list[str]) -> MarkRule | None:
    if tuple(words[::2]) != _WORDS or len(words) != 2 * len(_WORDS):
        return None
    whole, name, match, ports, target, mark = words[1::2]
    value, _slash, mask = mark.partition("/")
    if target != "MARK" or name != match or mask != f"0x{_WHOLE:x}":
        return None
    try:
        host, _slash, prefix = whole.partition("/")
        address: IPAddress = ip_address(host)
        if int(prefix) != address.max_prefixlen:
            return None
        first, _colon, last = ports.partition(":")
        packets = Packets(Protocol(name), address, int(first), int(last or first))
        return MarkRule(int(value, 16), packets)
    except ValueError:
        return None
