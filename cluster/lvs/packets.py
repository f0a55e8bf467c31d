"""The packets of a firewall mark as people write them: VIP, protocol and ports.

A line each: ``10.0.1.31 tcp 80,443`` or ``fd00::31 udp 53,5000-5010``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from cluster.lvs.addresses import Wrong, read_address, read_number, short
from cluster.lvs.table import IPAddress, Packets
from cluster.lvs.terms import Protocol
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

PORTS = (1, 65535)
MOST_LINES = 64
# A range of ports is one rule of the firewall, and one step of a plan.
MOST = 64
Range: TypeAlias = tuple[int, int]


def read_range(text: str) -> Range:
    """Return first and last of ``8000-8010``, or of one port; raises Wrong."""
    first, dash, last = text.partition("-")
    low = read_number(first, *PORTS)
    high = read_number(last, *PORTS) if dash else low
    if low > high:
        raise Wrong(
            _("{text} goes backwards: write {last}-{first}.",
              text=short(text), first=low, last=high)
        )  # fmt: skip
    return low, high


def read_line(text: str) -> tuple[Packets, ...]:
    """Return what one line names; raises Wrong."""
    words = text.replace(",", " , ").split()
    if len(words) < 3:
        raise Wrong(
            _("“{text}”: write a VIP, a protocol and ports, such as 10.0.1.31 tcp 80,443.",
              text=short(text.strip()))
        )  # fmt: skip
    address = read_address(words[0])
    names = [protocol.value for protocol in Protocol]
    if words[1].lower() not in names:
        raise Wrong(
            _("“{text}” is no protocol. Possible are: {names}.",
              text=short(words[1]), names=listed(names))
        )  # fmt: skip
    protocol = Protocol(words[1].lower())
    # "80, 443" and "80 443" are the same.
    ports = [word for word in words[2:] if word != ","]
    ranges = [read_range(word) for word in ports]
    return tuple(Packets(protocol, address, first, last) for first, last in ranges)


def read_packets(text: str) -> tuple[Packets, ...]:
    """Return what several lines name; raises Wrong with the number of the line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise Wrong(
            _("{count} lines are too many: at most {most} are possible.",
              count=len(lines), most=MOST_LINES)
        )  # fmt: skip
    found: list[Packets] = []
    for number, line in enumerate(lines, 1):
        try:
            found += read_line(line)
        except Wrong as wrong:
            if len(lines) == 1:
                raise
            text_of = _("Line {number}: {what}", number=number, what=wrong.sentence)
            raise Wrong(text_of) from wrong
    return tuple(found)


def groups(
    packets: Iterable[Packets],
) -> list[tuple[IPAddress, Protocol, list[Range]]]:
    """Return the ports together that belong to one VIP and protocol, in order."""
    found: dict[tuple[IPAddress, Protocol], list[Range]] = {}
    for one in sorted(packets, key=lambda one: one.sort_key):
        ports = found.setdefault((one.address, one.protocol), [])
        ports.append((one.first, one.last))
    return [(vip, protocol, ports) for (vip, protocol), ports in found.items()]


def spelled_range(ports: Range) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


def lines(packets: Iterable[Packets]) -> list[str]:
    """Return what ``read_packets`` reads, ``10.0.1.31 tcp 80,443``, a VIP a line."""
    return [
        f"{vip} {protocol.value} {','.join(map(spelled_range, ports))}"
        for vip, protocol, ports in groups(packets)
    ]


def told(packets: Iterable[Packets]) -> Sentence:
    return _("{packets}", packets="; ".join(lines(packets)) or "-")


def overlapping(packets: Sequence[Packets]) -> tuple[Packets, Packets] | None:
    """Return two that a packet could belong to at once, None when there are none."""
    in_order = sorted(packets, key=lambda one: one.sort_key)
    for one, other in pairwise(in_order):
        if one.overlaps(other):
            return one, other
    return None
