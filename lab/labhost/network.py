"""The lab's network: one namespace with a bridge for each subnet.

The namespace lives as long as a process in it: the gate (see gate.py) or any host.
Nothing is mounted and nothing is named on the machine, so nothing can be left over.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from pathlib import Path

from labhost import process
from labhost.instance import Instance
from labhost.table import Host, Subnet
from labhost.trouble import Trouble

SIX = Path("/proc/sys/net/ipv6")  # not there where the machine has IPv6 off


def gate_record(instance: Instance) -> Path:
    return instance.state / "gate.json"


def fresh_namespace() -> list[str]:
    """The words that start a command in a new network namespace.

    Without root the namespace belongs to a user namespace in which we are root.
    """
    if os.geteuid() == 0:
        return ["unshare", "--net"]
    return ["unshare", "--user", "--map-root-user", "--net"]


def existing_namespace(member: process.Process) -> list[str]:
    words = ["nsenter", "--target", str(member.pid), "--net"]
    users = [Path(f"/proc/{pid}/ns/user") for pid in ("self", member.pid)]
    if users[0].readlink() != users[1].readlink():
        words += ["--user", "--preserve-credentials"]
    return words


def inside(instance: Instance) -> list[str]:
    """The words that start a command in this lab's namespace."""
    for record in [gate_record(instance), *host_records(instance)]:
        if member := process.running(record):
            return existing_namespace(member)
    raise Trouble("The lab is not running; start it with `make lab`.")


def host_records(instance: Instance) -> list[Path]:
    return sorted(instance.state.glob("hosts/*/process.json"))


def make_bridges(subnets: Collection[Subnet]) -> None:
    """Runs inside the namespace; what exists already is left alone."""
    _ip("link", "set", "lo", "up")
    for subnet in subnets:
        if Path(f"/proc/sys/net/ipv4/conf/{subnet.bridge}").exists():
            continue
        _ip("link", "add", subnet.bridge, "type", "bridge", "forward_delay", "0")
        address = subnet.with_prefix(subnet.router)
        _ip("address", "add", address, "dev", subnet.bridge)
        if subnet.router6 and SIX.exists():
            address6 = subnet.with_prefix(subnet.router6)
            _ip("address", "add", address6, "dev", subnet.bridge, "nodad")
        _ip("link", "set", subnet.bridge, "up")
    settings = Path("/proc/sys/net/ipv4")
    (settings / "ip_forward").write_text("1\n")
    # A real server far away answers with a VIP of the LAN as its source: a strict
    # filter, which the machine outside may have for its own good, would drop that.
    for name in ("all", "default", *(subnet.bridge for subnet in subnets)):
        (settings / "conf" / name / "rp_filter").write_text("0\n")
    if SIX.exists():
        (SIX / "conf/all/forwarding").write_text("1\n")


def make_tap(instance: Instance, host: Host) -> None:
    """A cable from the host's network card to its bridge; plugged in again at will."""
    prefix = inside(instance)
    subprocess.run(
        [*prefix, "ip", "tuntap", "add", "dev", host.tap, "mode", "tap"],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    # The network card of User-Mode Linux drops what is larger than a packet: a long
    # standard input would stall. Cut it on this side.
    whole = ["gso_max_segs", "1"]
    for words in (["master", host.subnet.bridge], whole, ["up"]):
        subprocess.run([*prefix, "ip", "link", "set", host.tap, *words], check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
