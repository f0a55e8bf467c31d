"""The doors into the lab: loopback ports, each leading to the SSH of one host."""

from __future__ import annotations

import json
import os
import socket
import sys

from labhost import process
from labhost.instance import Instance
from labhost.network import fresh_namespace, gate_record, inside
from labhost.table import LAB, Host
from labhost.trouble import Trouble


def open_doors(instance: Instance) -> bool:
    """Starts the gate (gate.py) unless it runs; says whether it had to.

    The listening sockets are made here, on the machine's own loopback. They stay
    there when the gate that inherits them moves into the lab's namespace.
    """
    ports = {host.name: instance.port(host) for host in instance.hosts.values()}
    record = instance.state / "doors.json"
    if process.running(gate_record(instance)):
        if json.loads(record.read_text()) != ports:
            raise Trouble(
                "The lab runs with other ports or hosts than asked for now: "
                "stop it first (make lab-stop)."
            )
        return False
    listeners = [_listen(instance, host) for host in instance.hosts.values()]
    _start_gate(instance, listeners)
    for listener in listeners:
        listener.close()
    record.write_text(json.dumps(ports) + "\n")
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


def _start_gate(instance: Instance, listeners: list[socket.socket]) -> None:
    """In the namespace of hosts that run already, or in a new one."""
    try:
        prefix = inside(instance)
    except Trouble:
        prefix = fresh_namespace()
    doors = [
        f"{listener.fileno()}={host.address}"
        for listener, host in zip(listeners, instance.hosts.values(), strict=True)
    ]
    ready, tell = os.pipe()
    log = instance.state / "gate.log"
    process.start(
        [*prefix, sys.executable, "-m", "labhost.gate", str(tell), *doors],
        record=gate_record(instance),
        log=log,
        cwd=LAB,
        pass_fds=[tell, *(listener.fileno() for listener in listeners)],
    )
    os.close(tell)
    with os.fdopen(ready, "rb") as answer:
        if answer.read() != b"ready":
            raise Trouble(f"The lab's network cannot be made: {log.read_text()}")
