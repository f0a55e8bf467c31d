"""One lab of possibly several on this machine: its name, folder and ports.

Two instances share nothing but the cached disk image: each has its own network
namespace, its own processes and its own state folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labhost.table import REPOSITORY, Host, read_table
from labhost.trouble import Trouble

DEFAULT_PORTS = 2200


@dataclass(frozen=True, slots=True)
class Instance:
    name: str
    state: Path
    ports: int
    hosts: dict[str, Host]
    chosen: bool = False  # some of the hosts, rather than the whole table

    def port(self, host: Host) -> int:
        return self.ports + host.port

    def folder(self, host: Host) -> Path:
        return self.state / "hosts" / host.name

    @property
    def wanted(self) -> list[Host]:
        """What is booted together: extra hosts only where they were named."""
        return [h for h in self.hosts.values() if self.chosen or not h.extra]

    @property
    def dashboard_key(self) -> Path:
        return self.state / "piranha_ed25519"

    @property
    def root_key(self) -> Path:
        return self.state / "root_ed25519"

    @property
    def hosts_json(self) -> Path:
        return self.state / "hosts.json"

    def host(self, name: str) -> Host:
        if name not in self.hosts:
            raise Trouble(f"There is no host {name!r}; there are {self.names}.")
        return self.hosts[name]

    @property
    def names(self) -> str:
        return ", ".join(self.hosts)

    def remember(self) -> None:
        """So that later commands need the instance's name only."""
        self.state.mkdir(parents=True, exist_ok=True)
        hosts = list(self.hosts) if self.chosen else None
        settings = {"ports": self.ports, "hosts": hosts}
        (self.state / "instance.json").write_text(json.dumps(settings) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time changes this lab; a second one waits here."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read_instance() -> Instance:
    """Chosen by PIRANHA_LAB_NAME, _PORTS and _HOSTS (names separated by commas)."""
    name = os.environ.get("PIRANHA_LAB_NAME", "")
    if not re.fullmatch(r"[a-z0-9-]{0,20}", name):
        raise Trouble(f"PIRANHA_LAB_NAME={name!r}: small letters, digits and '-' only.")
    data = Path(os.environ.get("PIRANHA_DATA") or REPOSITORY / "var").resolve()
    state = data / (f"lab-{name}" if name else "lab")
    remembered = _remembered(state)
    table = read_table()
    wanted = os.environ.get("PIRANHA_LAB_HOSTS", "")
    chosen = wanted.split(",") if wanted else remembered.get("hosts")
    names = chosen or list(table)
    unknown = [name for name in names if name not in table]
    if unknown:
        raise Trouble(f"lab/hosts.toml has no host {', '.join(unknown)}.")
    return Instance(
        name=name,
        state=state,
        ports=_ports(name, remembered.get("ports")),
        hosts={name: table[name] for name in names},
        chosen=bool(chosen),
    )


def _remembered(state: Path) -> dict[str, Any]:
    try:
        settings = json.loads((state / "instance.json").read_text())
    except FileNotFoundError:
        return {}
    return dict(settings)


def _ports(name: str, remembered: int | None) -> int:
    text = os.environ.get("PIRANHA_LAB_PORTS") or remembered
    if text is None:
        if name:
            raise Trouble(f"Lab {name!r} needs PIRANHA_LAB_PORTS=<base>, such as 2500.")
        return DEFAULT_PORTS
    if not str(text).isdigit() or not 1024 <= int(str(text)) <= 65000:
        raise Trouble(f"PIRANHA_LAB_PORTS={text}: give a number from 1024 to 65000.")
    return int(str(text))
