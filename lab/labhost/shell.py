"""SSH to a host the way a person would: with the ssh command."""

from __future__ import annotations

import subprocess
from pathlib import Path

from labhost.instance import Instance
from labhost.seed import host_key
from labhost.table import Host


def ssh_words(instance: Instance, host: Host, *options: str) -> list[str]:
    """Logs in as root with the lab's own key.

    The host key is not checked: the port leads through our own gate into our own
    namespace, and a host whose key was changed on purpose must stay reachable.
    """
    return [
        *_ssh(instance, host, instance.root_key),
        *("-o", "StrictHostKeyChecking=no"),
        *("-o", "UserKnownHostsFile=/dev/null"),
        *options,
        "root@127.0.0.1",
    ]


def answers(instance: Instance, host: Host) -> bool:
    """Whether the dashboard's user can log in and the host key is the reported one."""
    known = instance.folder(host) / "known_hosts"
    known.write_text(f"{host.name} {host_key(instance, host)}\n")
    command = [
        *_ssh(instance, host, instance.dashboard_key),
        *("-o", "StrictHostKeyChecking=yes"),
        *("-o", f"UserKnownHostsFile={known}"),
        *("-o", f"HostKeyAlias={host.name}"),
        "piranha@127.0.0.1",
        "true",
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode == 0


def as_root(instance: Instance, host: Host, command: str) -> None:
    words = [*ssh_words(instance, host), command]
    subprocess.run(words, stdin=subprocess.DEVNULL, check=True)


def _ssh(instance: Instance, host: Host, key: Path) -> list[str]:
    return [
        *("ssh", "-F", "none", "-i", str(key), "-p", str(instance.port(host))),
        *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
        *("-o", "ConnectTimeout=8", "-o", "ServerAliveInterval=5"),
        # the default key exchange takes this kernel half a second longer
        *("-o", "KexAlgorithms=curve25519-sha256"),
    ]
