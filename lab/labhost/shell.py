"""SSH to a host the way a person would: with the ssh command."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from labhost.image import cache_folder
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


def shared_words(instance: Instance, host: Host, *options: str) -> list[str]:
    """As ``ssh_words``, over one login that is kept for a minute: a login costs a lab
    host a second or two, a command over an open one a fifth of that."""
    keep = ("-o", "ControlMaster=auto", "-o", "ControlPersist=60")
    return ssh_words(instance, host, *_kept(instance, host), *keep, *options)


def hang_up(instance: Instance, host: Host) -> None:
    """End the kept login, if there is one: its host is about to lose its power."""
    words = ssh_words(instance, host, *_kept(instance, host), "-O", "exit")
    subprocess.run(words, capture_output=True, check=False)


def _kept(instance: Instance, host: Host) -> tuple[str, ...]:
    # The path of a socket has 108 bytes at most, and ssh adds 17 while it makes it:
    # the folder of the host may be too far down.
    place = hashlib.sha256(str(instance.folder(host)).encode()).hexdigest()[:16]
    return ("-o", f"ControlPath={cache_folder()}/{place}")


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
