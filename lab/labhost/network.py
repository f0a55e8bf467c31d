"""The lab's network: one namespace with a bridge for each subnet.

The namespace lives as long as a process in it: the gate (see gate.py) or any host.
Nothing is mounted and nothing is named on the machine, so nothing can be left over.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from . import process
from .instance import Instance
from .table import LAB, Host, Subnet
from .trouble import Trouble


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
    own_users = os.readlink("/proc/self/ns/user")
    if os.readlink(f"/proc/{member.pid}/ns/user") != own_users:
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


def open_gate(instance: Instance) -> bool:
    """Starts the gate unless it runs; says whether it had to.

    The listening sockets are made here, on the machine's own loopback. They stay
    there when the gate that inherits them moves into the lab's namespace.
    """
    if process.running(gate_record(instance)):
        return False
    try:
        prefix = inside(instance)
    except Trouble:
        prefix = fresh_namespace()
    listeners = {
        host.name: _listen(instance, host) for host in instance.hosts.values()
    }
    ready, tell = os.pipe()
    doors = [
        f"{listener.fileno()}={instance.hosts[name].address}"
        for name, listener in listeners.items()
    ]
    fds = [listener.fileno() for listener in listeners.values()]
    log = instance.state / "gate.log"
    process.start(
        [*prefix, sys.executable, "-m", "labhost.gate", str(tell), *doors],
        record=gate_record(instance),
        log=log,
        cwd=LAB,
        pass_fds=[tell, *fds],
    )
    os.close(tell)
    for listener in listeners.values():
        listener.close()
    with os.fdopen(ready, "rb") as answer:
        if answer.read() != b"ready":
            raise Trouble(f"The lab's network cannot be made: {log.read_text()}")
    return True


def _listen(instance: Instance, host: Host) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port = instance.port(host)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
    except OSError as error:
        raise Trouble(
            f"Port {port} for {host.name} cannot be used on 127.0.0.1 "
            f"({error.strerror}): set PIRANHA_LAB_PORTS to another base than "
            f"{instance.ports}."
        ) from error
    return listener


def make_bridges(subnets: Iterable[Subnet]) -> None:
    """Runs inside the namespace; what exists already is left alone."""
    _ip("link", "set", "lo", "up")
    for subnet in subnets:
        if Path(f"/proc/sys/net/ipv4/conf/{subnet.bridge}").exists():
            continue
        _ip("link", "add", subnet.bridge, "type", "bridge", "forward_delay", "0")
        address = subnet.with_prefix(subnet.router)
        _ip("address", "add", address, "dev", subnet.bridge)
        _ip("link", "set", subnet.bridge, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def make_tap(instance: Instance, host: Host) -> None:
    """A cable from the host's network card to its bridge; plugged in again at will."""
    prefix = inside(instance)
    subprocess.run(
        [*prefix, "ip", "tuntap", "add", "dev", host.tap, "mode", "tap"],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    for words in (["master", host.subnet.bridge], ["up"]):
        subprocess.run([*prefix, "ip", "link", "set", host.tap, *words], check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
