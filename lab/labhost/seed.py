"""What a host is given at every boot: keys that may log in, sudo rights, names.

The host reads its folder through hostfs (lab-seed), so a change reaches it without a
new image. hostfs= is a starting point, not a prison: root on a lab host is as trusted
as the person who runs the lab.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from labhost.instance import Instance
from labhost.table import REPOSITORY, Host
from labhost.trouble import Trouble


def make_keys(instance: Instance) -> None:
    for key, comment in (
        (instance.dashboard_key, "piranha dashboard"),
        (instance.root_key, "piranha lab root"),
    ):
        if not key.exists():
            words = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)]
            subprocess.run(["ssh-keygen", *words], check=True)


def seed_folder(instance: Instance, host: Host) -> Path:
    return instance.folder(host) / "seed"


def write_seed(instance: Instance, host: Host) -> bool:
    """Says whether anything differs from what the host was given before."""
    folder = seed_folder(instance, host)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "piranha.pub": public_half(instance.dashboard_key),
        "root.pub": public_half(instance.root_key),
        "hosts": _hosts_file(instance),
        "sudoers": sudoers(host.role),
        "install": "" if host.role == "probe" else product("boot_place"),
    }
    before = {name: _text(folder / name) for name in contents}
    for name, text in contents.items():
        (folder / name).write_text(text)
    return before != contents


def sudoers(role: str) -> str:
    """What the dashboard may do as root on such a host."""
    return product("privileges", role)


def product(module: str, *words: str) -> str:
    """The product's own text for a host."""
    done = subprocess.run(
        [sys.executable, "-m", f"cluster.lvs.{module}", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"cluster.lvs.{module} has no text:\n{done.stderr.strip()}")
    return done.stdout


def public_half(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()


def host_key(instance: Instance, host: Host) -> str:
    """The public host key as the host reported it itself; empty before it did."""
    return _text(seed_folder(instance, host) / "host_key.pub").strip()


def forget_host_key(instance: Instance, host: Host) -> None:
    (seed_folder(instance, host) / "host_key.pub").unlink(missing_ok=True)


def _hosts_file(instance: Instance) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{host.address} {host.name}" for host in instance.hosts.values()]
    return "\n".join(lines) + "\n"


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
