"""What the lab needs from the machine, and how it gets it.

Missing Debian packages are installed. What no package can give (a tun device,
namespaces) is tried before anything is made, and told in one sentence.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable

from labhost import registers
from labhost.image import MODULES, alone
from labhost.network import fresh_namespace
from labhost.trouble import Impossible, last_line

# command: the Debian package that has it
PROGRAMS = {
    "linux.uml": "user-mode-linux",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "unshare": "util-linux",
}
WITHOUT_ROOT = {"newuidmap": "uidmap"}
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def meet_needs(say: Callable[[str], None]) -> None:
    os.environ["PATH"] += f":{SBIN}"  # an ordinary user's path lacks mke2fs and ip
    install_missing(say)
    _try_tun()
    _try_namespace()
    _try_kernel()


def install_missing(say: Callable[[str], None]) -> None:
    with alone():  # apt-get does not wait for another one
        _install(_missing(), say)


def _missing() -> list[str]:
    programs = PROGRAMS if os.geteuid() == 0 else PROGRAMS | WITHOUT_ROOT
    missing = {package for name, package in programs.items() if not shutil.which(name)}
    if registers.too_many():
        missing.update(registers.compiler_packages())
    return sorted(missing)


def _install(packages: list[str], say: Callable[[str], None]) -> None:
    if not packages:
        return
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise Impossible(
            f"The lab needs the Debian packages {names}, "
            "and this system has no apt-get to install them with."
        )
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if sudo and not shutil.which("sudo"):
        raise Impossible(
            f"The lab needs the Debian packages {names}, and without root or sudo "
            f"it cannot install them: apt-get install {names}"
        )
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q"]
    for words in (["update"], ["install", "--no-install-recommends", *packages]):
        command = [*apt, *words]
        say(f"installing what is missing: {shlex.join(command)}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and words != ["update"]:
            raise Impossible(
                f"The lab needs the Debian packages {names}, "
                f"and apt-get could not install them: {last_line(done.stderr)}"
            )


def _try_tun() -> None:
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        raise Impossible(
            "The lab needs /dev/net/tun to connect its hosts, "
            f"and it cannot be opened here ({error.strerror})."
        ) from error


def _try_namespace() -> None:
    """The very things that the lab does later: a bridge and a tap in a namespace."""
    attempt = (
        "ip link add br0 type bridge && ip tuntap add dev tap0 mode tap"
        " && ip link set tap0 master br0 && ip link set br0 up"
    )
    command = [*fresh_namespace(), "sh", "-c", attempt]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Impossible(
            "The lab needs a network namespace with a bridge of its own, "
            f"and this system does not allow one ({last_line(done.stderr)})."
        )


def _try_kernel() -> None:
    command = ["linux.uml", "--version"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Impossible(f"User-Mode Linux does not run here ({error}).") from error
    if done.returncode or not MODULES.is_dir() or not any(MODULES.iterdir()):
        raise Impossible(
            "User-Mode Linux does not run here "
            f"({last_line(done.stderr) or f'no modules in {MODULES}'})."
        )
