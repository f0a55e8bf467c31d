"""The packets of a firewall mark in a file: ``{vip, protocol, ports: [80, 8000-8010]}``."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.lvs import packets
from cluster.lvs.addresses import Wrong, read_number
from cluster.lvs.file_reader import Path, Reader, shown
from cluster.lvs.packets import Range
from cluster.lvs.table import Packets
from cluster.lvs.terms import Protocol
from cluster.lvs.wanted import Document
from cluster.lvs.words import say as _

KEY = "packets"
PACKET_KEYS = ("vip", "protocol", "ports")


def read(reader: Reader, row: Document, path: Path) -> tuple[Packets, ...]:
    """Return what could be read; what could not stands among the problems."""
    found: list[Packets] = []
    lines = reader.items(row, path, KEY, packets.MOST_LINES)
    if row.get(KEY) == []:
        reader.refuse((*path, KEY), _("Name at least one VIP with its ports."))
    for number, line in enumerate(lines):
        place = (*path, KEY, number)
        what = _("the packets of a mark")
        one = reader.mapping(line, place, PACKET_KEYS, PACKET_KEYS, what)
        vip = reader.address(one, place, "vip")
        protocol = reader.choice(one, place, "protocol", tuple(Protocol), Protocol.TCP)
        for port in reader.items(one, place, "ports", packets.MOST):
            ports = _range(reader, (*place, "ports"), port)
            if vip and ports:
                found.append(Packets(protocol, vip, *ports))
        if one.get("ports") == []:
            reader.refuse((*place, "ports"), _("Write at least one port."))
    return tuple(found)


def _range(reader: Reader, path: Path, port: object) -> Range | None:
    try:
        if isinstance(port, int) and not isinstance(port, bool):
            number = read_number(shown(port), *packets.PORTS)
            return number, number
        if isinstance(port, str):
            return packets.read_range(port)
    except Wrong as wrong:
        reader.refuse(path, wrong.sentence)
        return None
    reader.refuse(path, _("Write ports and ranges such as 80 or 8000-8010."))
    return None


def document(marked: Iterable[Packets]) -> list[Document]:
    return [
        {
            "vip": str(vip),
            "protocol": protocol.value,
            "ports": [
                one[0] if one[0] == one[1] else packets.spelled_range(one)
                for one in ports
            ],
        }
        for vip, protocol, ports in packets.groups(marked)
    ]
