"""A cluster's wish as a document that can be kept in a file: values -> dict.

The way back is in ``wish_file``, the values are in ``wanted``.
"""

from __future__ import annotations

from collections.abc import Mapping

from cluster.lvs import packets_file, settings_file
from cluster.lvs.addresses import of_family
from cluster.lvs.encapsulation import IPIP
from cluster.lvs.source_nat import spelled
from cluster.lvs.table import IPAddress, RealServer, VirtualService
from cluster.lvs.wanted import Document, WantedCluster, WantedService


def document(
    wanted: WantedCluster, real_servers: Mapping[str, tuple[IPAddress, ...]]
) -> Document:
    """Return the document, in one fixed order and without what goes without saying."""
    names = {
        family: {of_family(own, family): name for name, own in real_servers.items()}
        for family in (4, 6)
    }
    found: Document = {"cluster": wanted.cluster}
    if wanted.director:
        found["director"] = wanted.director
    if wanted.settings:
        found["settings"] = settings_file.document(wanted.settings)
    found["services"] = [
        _service_document(one, names[one.value.at.family]) for one in wanted.services
    ]
    return found


def _service_document(
    wanted: WantedService, names: Mapping[IPAddress, str]
) -> Document:
    value = wanted.value
    found = _named(value) | {"scheduler": value.scheduler.value}
    if value.persistence:
        found["persistence_timeout"] = value.persistence
    if value.netmask is not None:
        found["persistence_netmask"] = value.netmask
    if value.engine:
        found["persistence_engine"] = value.engine
    words = {flag.partition("-")[2] for flag in value.flags}
    switches = {
        "hash_port": "port" in words,
        "hash_fallback": "fallback" in words,
        "one_packet": value.one_packet,
        "fullnat": value.source_nat,
    }
    found |= {key: True for key, on in switches.items() if on}
    if value.local:
        found["local_addresses"] = spelled(value.local)
    people = {"name": wanted.name, "owner": wanted.owner, "notes": wanted.notes}
    found |= {key: text for key, text in people.items() if text}
    if not wanted.enabled:
        found["enabled"] = False
    found["real_servers"] = [_server_document(s, wanted, names) for s in value.servers]
    return found


def _named(value: VirtualService) -> Document:
    """Return what a service is known by: protocol, VIP and port, or a mark."""
    at = value.at
    if at.protocol is None:
        return {"mark": at.mark, packets_file.KEY: packets_file.document(value.packets)}
    return {"protocol": at.protocol.value, "vip": str(at.address), "port": at.port}


def _server_document(
    server: RealServer, wanted: WantedService, names: Mapping[IPAddress, str]
) -> Document:
    found: Document = {}
    if server.address in names:
        found["host"] = names[server.address]
    else:
        found["address"] = str(server.address)
    if server.port != wanted.value.at.port:
        found["port"] = server.port
    found["weight"] = server.weight
    found["method"] = server.method.value
    tunnel = server.tunnel or IPIP
    unusual = {
        "upper_threshold": (server.upper, 0),
        "lower_threshold": (server.lower, 0),
        "tunnel": (tunnel.type, IPIP.type),
        "tunnel_port": (tunnel.port, IPIP.port),
        "tunnel_checksum": (tunnel.checksum, IPIP.checksum),
        "enabled": ((server.address, server.port) not in wanted.off, True),
    }
    return found | {key: now for key, (now, usual) in unusual.items() if now != usual}
