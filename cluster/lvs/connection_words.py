"""What a person types to find connections: a client or network, a service, a server."""

from __future__ import annotations

import re
from ipaddress import ip_network

from cluster.lvs.addresses import Wrong, read_address, short
from cluster.lvs.connections import Network
from cluster.lvs.table import IPAddress
from cluster.lvs.terms import Protocol
from cluster.lvs.words import say as _

_PLACE = re.compile(
    r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:]*))(?::(?P<port>[0-9]{1,5}))?"
)


def read_client(text: str) -> Network:
    """Return ``10.0.1.100`` or ``10.0.1.0/24`` as a network; raises Wrong."""
    text = text.strip()
    if "/" not in text:
        return ip_network(read_address(text))
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise Wrong(
            _(
                "“{text}” is no network: write one such as 10.0.1.0/24.",
                text=short(text),
            )
        ) from None


def read_place(text: str) -> tuple[IPAddress, int | None]:
    """Return ``10.0.1.6``, ``10.0.1.6:80`` or ``[2001:db8::1]:80``; raises Wrong."""
    text = text.strip()
    if text.count(":") > 1 and not text.startswith("["):
        return read_address(text), None
    found = _PLACE.fullmatch(text)
    if not found:
        raise Wrong(
            _(
                "“{text}” is no address with a port: write 10.0.1.6:80 or"
                " [2001:db8::1]:80.",
                text=short(text),
            )
        )
    address = read_address(found["four"] if found["six"] is None else found["six"])
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > 65535:
        raise Wrong(_("A port is at most 65535, not {port}.", port=port))
    return address, port


def read_service(text: str) -> tuple[Protocol | None, IPAddress, int | None]:
    """Return ``TCP 10.0.1.31:80``, with or without its protocol; raises Wrong.

    Port 0 is a service for all ports: its connections have any.
    """
    word, space, rest = text.strip().partition(" ")
    protocol = Protocol.__members__.get(word.upper())
    if space and protocol is None:
        raise Wrong(
            _(
                "“{word}” is no protocol: write TCP, UDP or SCTP, or the address alone.",
                word=short(word),
            )
        )
    address, port = read_place(rest if space else text)
    return protocol, address, port or None
