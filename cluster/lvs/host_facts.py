"""What a host is and what it lacks: read-only questions and their pure parsers.

``facts.py`` asks what a plan needs; this asks what a person wants to know when a host
is added. Answers come from ordinary files and programs, without root.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from cluster.lvs.command import Command

# The places of a program are those that the sudoers file names, see privileges.py.
PROGRAMS = {
    "arping": ("/usr/bin/arping", "/usr/sbin/arping"),
    "curl": ("/usr/bin/curl",),
    "ip": ("/usr/sbin/ip", "/usr/bin/ip"),
    "ipvsadm": ("/usr/sbin/ipvsadm",),
    "keepalived": ("/usr/sbin/keepalived",),
    "modprobe": ("/usr/sbin/modprobe",),
    "sudo": ("/usr/bin/sudo",),
    "sysctl": ("/usr/sbin/sysctl",),
}
# The first sudo with regular expressions in sudoers, see sudoers(5).
OLDEST_SUDO = (1, 9, 10)

# One question for four files: a login costs a slow host less than four commands.
OS_RELEASE = "/etc/os-release"
KERNEL = "/proc/sys/kernel/osrelease"
IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
MODULES = "/proc/modules"
FILES = Command(("grep", "-s", ".", OS_RELEASE, KERNEL, IP_FORWARD, MODULES))
LINKS = Command(("ip", "-j", "addr", "show"))
DEFAULT_ROUTE = Command(("ip", "-j", "route", "show", "default"))
SUDO_VERSION = Command(("sudo", "-V"))
IPVSADM_VERSION = Command(("ipvsadm", "--version"), root=True)
KEEPALIVED_VERSION = Command(("/usr/sbin/keepalived", "--version"))
FOUND_PROGRAMS = Command(
    ("ls", "-d", *(path for places in PROGRAMS.values() for path in places))
)
_KERNEL_RELEASE = re.compile(r"[0-9][A-Za-z0-9._+-]{0,80}")


@dataclass(frozen=True, slots=True)
class System:
    """What /etc/os-release says: ``System("debian", "", "Debian GNU/Linux 12 ...")``."""

    id: str = ""
    like: str = ""
    name: str = ""

    @property
    def family(self) -> str:
        """Return ``debian`` or ``rhel``, whose package manager is known, or ""."""
        words = {self.id, *self.like.split()}
        if words & {"debian", "ubuntu"}:
            return "debian"
        return "rhel" if words & {"rhel", "fedora", "centos"} else ""


@dataclass(frozen=True, slots=True)
class Link:
    """A network device with its addresses, as ``ip addr`` lists it."""

    name: str
    mac: str
    mtu: int
    state: str
    addresses: tuple[str, ...]


def parse_files(text: str) -> dict[str, str]:
    """Read what ``grep . FILE FILE`` prints: ``/etc/os-release:ID=debian``."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        path, colon, rest = line.partition(":")
        if colon:
            found.setdefault(path, []).append(rest)
    return {path: "\n".join(lines) for path, lines in found.items()}


def parse_os_release(text: str) -> System:
    """Read ``KEY="value"`` lines, quoted as for a shell; see os-release(5)."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            values[key.strip()] = _unquoted(value)
    name = values.get("PRETTY_NAME") or values.get("NAME", "")
    return System(values.get("ID", ""), values.get("ID_LIKE", ""), name)


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:  # a quote without its partner: show it as it is
        return value


def kernel_release(text: str) -> str:
    """Return ``6.1.0-18-amd64``, or "" when it does not look like a release."""
    release = text.strip()
    return release if _KERNEL_RELEASE.fullmatch(release) else ""


def modules_on_disk(release: str) -> Command:
    """Ask which IPVS modules this kernel could load, or has built in."""
    place = f"/lib/modules/{release}"
    files = (f"{place}/modules.dep", f"{place}/modules.builtin")
    return Command(("grep", "-h", "/ip_vs", *files))


def parse_loaded(text: str) -> tuple[str, ...]:
    """Return the IPVS modules of /proc/modules: the first word of a line."""
    names = (line.partition(" ")[0] for line in text.splitlines())
    return tuple(sorted(name for name in names if name.startswith("ip_vs")))


def parse_on_disk(text: str) -> tuple[str, ...]:
    """Read modules.dep: ``kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz: ...``."""
    paths = (line.partition(":")[0] for line in text.splitlines())
    names = {path.rpartition("/")[2].partition(".ko")[0] for path in paths}
    return tuple(sorted(name for name in names if name.startswith("ip_vs")))


def parse_programs(text: str) -> tuple[str, ...]:
    """Return the names of the programs whose paths ``ls -d`` found."""
    found = set(text.split())
    return tuple(name for name, places in PROGRAMS.items() if found & set(places))


def parse_version(text: str) -> str:
    """Return the first number with dots: ``Sudo version 1.9.13p3`` -> ``1.9.13p3``."""
    found = re.search(r"\b[vV]?(\d+(?:\.\d+)+(?:p\d+)?)", text)
    return found[1] if found else ""


def sudo_is_old(version: str) -> bool:
    numbers = re.findall(r"\d+", version.partition("p")[0])
    return bool(numbers) and tuple(map(int, numbers)) < OLDEST_SUDO


def fingerprint(host_key: str) -> str:
    """Return ``SHA256:...`` of ``ssh-ed25519 AAAA...``, as ``ssh-keygen -l`` does."""
    blob = base64.b64decode(host_key.split()[1])
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def parse_links(text: str) -> tuple[Link, ...]:
    """Read ``ip -j addr show``, link-local addresses too."""
    found = []
    for link in _objects(text):
        addresses = (
            f"{info['local']}/{info['prefixlen']}" for info in link.get("addr_info", ())
        )
        mac, state = link.get("address", ""), link.get("operstate", "")
        up = "UP" if "UP" in link.get("flags", ()) and state == "UNKNOWN" else state
        mtu = int(link.get("mtu", 0))
        found.append(Link(link.get("ifname", ""), mac, mtu, up, tuple(addresses)))
    return tuple(found)


def parse_default_route(text: str) -> str:
    """Return ``10.0.1.250 dev eth0``, or "" without a default route."""
    for route in _objects(text):
        words = [route.get("gateway", ""), "dev", route.get("dev", "")]
        return " ".join(word for word in words if word)
    return ""


def _objects(text: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(text or "[]")
    except ValueError:
        return []
    if not isinstance(data, list):
        return []
    return [item for item in data if isinstance(item, dict)]


def as_json(value: System | Iterable[Link]) -> Any:
    """Return plain data for the database."""
    if isinstance(value, System):
        return asdict(value) | {"family": value.family}
    return [asdict(link) | {"addresses": list(link.addresses)} for link in value]
