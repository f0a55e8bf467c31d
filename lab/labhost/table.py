"""The table of hosts and subnets, read from lab/hosts.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
)
from pathlib import Path

LAB = Path(__file__).resolve().parent.parent
REPOSITORY = LAB.parent
ROLES = ("director", "real_server", "probe")


@dataclass(frozen=True, slots=True)
class Subnet:
    name: str
    bridge: str
    network: IPv4Network
    router: IPv4Address
    network6: IPv6Network | None = None
    router6: IPv6Address | None = None

    def with_prefix(self, address: IPv4Address | IPv6Address) -> str:
        network = self.network if address.version == 4 else self.network6
        return f"{address}/{network.prefixlen}" if network else str(address)


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    role: str
    subnet: Subnet
    address: IPv4Address
    port: int
    address6: IPv6Address | None = None
    extra: bool = False  # booted only by its name

    @property
    def tap(self) -> str:
        return f"tap-{self.name}"

    @property
    def mac(self) -> str:
        """Made from the address, so that a packet trace can be read by eye."""
        octets = ":".join(f"{octet:02x}" for octet in self.address.packed)
        return f"02:00:{octets}"


def read_table(path: Path = LAB / "hosts.toml") -> dict[str, Host]:
    table = tomllib.loads(path.read_text())
    subnets = {
        name: Subnet(
            name=name,
            bridge=row["bridge"],
            network=IPv4Network(row["network"]),
            router=IPv4Address(row["router"]),
            network6=IPv6Network(row["network6"]) if "network6" in row else None,
            router6=IPv6Address(row["router6"]) if "router6" in row else None,
        )
        for name, row in table["subnets"].items()
    }
    hosts = [_host(row, subnets) for row in table["hosts"]]
    if len({host.port for host in hosts}) < len({host.name for host in hosts}):
        raise ValueError(f"{path}: two hosts share a port")
    return {host.name: host for host in hosts}


def _host(row: dict[str, str | int], subnets: dict[str, Subnet]) -> Host:
    host = Host(
        name=str(row["name"]),
        role=str(row["role"]),
        subnet=subnets[str(row["subnet"])],
        address=IPv4Address(row["address"]),
        port=int(row["port"]),
        extra=bool(row.get("extra")),
        address6=IPv6Address(str(row["address6"])) if "address6" in row else None,
    )
    if host.role not in ROLES:
        raise ValueError(f"{host.name}: role {host.role!r} is none of {ROLES}")
    if host.address not in host.subnet.network:
        raise ValueError(f"{host.name}: {host.address} is not in {host.subnet.name}")
    lan6 = host.subnet.network6
    if host.address6 and (lan6 is None or host.address6 not in lan6):
        raise ValueError(f"{host.name}: {host.address6} is not in {host.subnet.name}")
    if len(host.tap) > 15:
        raise ValueError(f"{host.name}: the kernel allows 11 letters for a name here")
    return host
