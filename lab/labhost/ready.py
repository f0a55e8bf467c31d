"""Waiting until hosts answer, and telling others how to reach them (hosts.json)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from labhost import machine
from labhost.instance import Instance
from labhost.seed import host_key
from labhost.shell import answers
from labhost.table import Host
from labhost.trouble import Trouble

PATIENCE = 180.0
Say = Callable[[str], None]


def wait_for(instance: Instance, hosts: Sequence[Host], say: Say) -> None:
    """Until each host lets the dashboard's user in, with a line for each step."""
    if not hosts:
        return
    with ThreadPoolExecutor(len(hosts)) as pool:
        waits = [pool.submit(_wait, instance, host, say) for host in hosts]
        for wait in as_completed(waits):
            wait.result()


def _wait(instance: Instance, host: Host, say: Say) -> None:
    began = time.monotonic()

    def until(step: str, done: Callable[[], bool]) -> None:
        _tell(say, host, f"waits for {step}", began)
        told = time.monotonic()
        while not done():
            _check_alive(instance, host, step, began)
            if time.monotonic() - told > 15:
                told = time.monotonic()
                _tell(say, host, f"still waits for {step}", began)
            time.sleep(0.2)

    until("its kernel and its SSH host key", lambda: bool(host_key(instance, host)))
    until("a login by SSH", lambda: answers(instance, host))
    _tell(say, host, f"answers on 127.0.0.1:{instance.port(host)}", began)


def _tell(say: Say, host: Host, what: str, began: float) -> None:
    say(f"{host.name:8} {what:42} {time.monotonic() - began:5.1f} s")


def _check_alive(instance: Instance, host: Host, step: str, began: float) -> None:
    log = instance.folder(host) / "console.log"
    if not machine.is_on(instance, host):
        lines = log.read_text(errors="replace").splitlines()[-6:]
        raise Trouble(
            "\n".join([f"{host.name} stopped by itself; {log} ends:", *lines])
        )
    if time.monotonic() - began > PATIENCE:
        raise Trouble(f"{host.name} waited {PATIENCE:.0f} s for {step}; see {log}.")


def write_hosts_json(instance: Instance) -> None:
    """Host keys as the hosts reported them, so that nobody has to trust a first use."""
    rows = [
        {
            "name": host.name,
            "role": host.role,
            "address": str(host.address),
            "address6": str(host.address6) if host.address6 else None,
            "ssh_address": "127.0.0.1",
            "ssh_port": instance.port(host),
            "host_key": host_key(instance, host),
        }
        for host in instance.hosts.values()
        if host in instance.wanted or machine.is_on(instance, host)
    ]
    content = {
        "user": "piranha",
        "private_key_file": str(instance.dashboard_key),
        "hosts": rows,
    }
    fresh = instance.hosts_json.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=2) + "\n")
    fresh.replace(instance.hosts_json)
