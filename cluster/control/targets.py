"""From a row of the database to a login on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cluster.models import Host
from cluster.remote.paramiko_shell import open_shell
from cluster.remote.shell import HostKey, Secret, Shell, Target

# What control is given instead of building shells itself; tests give a fake one.
Connect: TypeAlias = Callable[[Host], Shell]


def target_of(host: Host) -> Target:
    """Return where and as whom to log in, with the key that a person accepted."""
    return Target(
        name=host.name,
        address=host.ssh_address,
        port=host.ssh_port,
        user=host.ssh_user,
        host_key=HostKey.parse(host.host_key) if host.host_key else None,
        private_key=Secret(host.credential.unseal()),
    )


def shell_for(host: Host) -> Shell:
    """Log in; raises NothingSent when that is not possible."""
    return open_shell(target_of(host))
