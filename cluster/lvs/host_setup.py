"""What a person types on a host so that the dashboard may work there, to copy.

Everything here is text for people; we never send it. See useradd(8), sshd(8)
"AUTHORIZED_KEYS FILE FORMAT", visudo(8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from cluster.lvs import (
    boot_place,
    change,
    facts,
    frame,
    fullnat,
    lan,
    marks,
    privileges,
    settings_plan,
    source_nat,
)
from cluster.lvs.change import Phase
from cluster.lvs.command import Command
from cluster.lvs.encapsulation import DEFAULT_PORT
from cluster.lvs.host import GRE_CSUM, TUNNEL, BoundAddress, Route, Tunnel
from cluster.lvs.host_facts import IPVSADM_VERSION, System, sudo_is_old
from cluster.lvs.ipvs_sysctls import CATALOGUE
from cluster.lvs.marks import MarkRule
from cluster.lvs.real_server import ARP_SYSCTLS, TUNNEL_SYSCTLS
from cluster.lvs.settings import SyncDaemon, SyncRole, Timeouts
from cluster.lvs.source_nat import SourceNat
from cluster.lvs.sysctls import (
    ALONG_WITH_FORWARD,
    FORWARD,
    FORWARD6,
    Purpose,
    of_device,
)
from cluster.lvs.table import Packets, ServiceAddress
from cluster.lvs.terms import Protocol
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

SUDOERS = "/etc/sudoers.d/piranha"
INSTALL = {"debian": "apt-get install", "rhel": "dnf install"}
# program -> package, by family of distributions
PACKAGES = {
    "arping": {"debian": "iputils-arping", "rhel": "iputils"},
    "curl": {"debian": "curl", "rhel": "curl"},
    "ip": {"debian": "iproute2", "rhel": "iproute"},
    "ipvsadm": {"debian": "ipvsadm", "rhel": "ipvsadm"},
    "modprobe": {"debian": "kmod", "rhel": "kmod"},
    "sudo": {"debian": "sudo", "rhel": "sudo"},
    "sysctl": {"debian": "procps", "rhel": "procps-ng"},
}
NEEDED = {
    "director": ("sudo", "ip", "ipvsadm", "arping", "sysctl"),
    "real_server": ("sudo", "ip", "sysctl", "modprobe"),
    "probe": ("sudo", "ip", "arping", "curl"),
}


def authorized_keys_line(public_key: str) -> str:
    """``restrict``: no terminal, no forwarding, no agent; commands still run."""
    return f"restrict {public_key}"


def make_user(user: str, public_key: str) -> str:
    """Return the commands, for root, that make the user and let our key in.

    The password ``*`` fits no input, but unlike ``!`` it does not lock the account,
    which sshd without PAM would take as a reason to refuse the key. ``&&``: of a user
    that exists already nothing is touched, least of all the other keys.
    """
    owned = f"-o {user} -g {user}"
    keys = f"~{user}/.ssh/authorized_keys"
    return "\n".join(
        [
            f"useradd --create-home --shell /bin/bash --password '*' {user} &&",
            f"install -d -m 0700 {owned} ~{user}/.ssh &&",
            f"install -m 0600 {owned} /dev/stdin {keys} <<'END'",
            authorized_keys_line(public_key),
            "END",
        ]
    )


def install_sudoers(role: str, user: str) -> str:
    """Return the commands, for root, that check the sudoers file, then install it,
    and the units that bring back after a reboot what was applied."""
    more = [] if role == "probe" else ["&&", boot_place.install(user)]
    return "\n".join(
        [
            "draft=$(mktemp) && cat > \"$draft\" <<'END'",
            privileges.sudoers(role, user).rstrip("\n"),
            "END",
            " ".join(
                [f'visudo -c -f "$draft" && install -m 0440 "$draft" {SUDOERS}', *more]
            ),
            'rm -f "$draft"',
        ]
    )


def print_fingerprint(host_key: str) -> str:
    """Return the command that prints the fingerprint of this type of key, on the
    host itself."""
    words = host_key.split()[:1] or ["ssh-ed25519"]
    kind = words[0].removeprefix("ssh-").partition("-")[0]
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub"


def install_packages(role: str, family: str) -> str:
    """Return ``apt-get install sudo iproute2 ...`` for everything that a role needs."""
    names = (PACKAGES[program][family] for program in NEEDED[role])
    return " ".join([INSTALL[family], *dict.fromkeys(names)])


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that a host lacks, and the command that brings it ("" if unknown)."""

    sentence: Sentence
    install: str = ""


def lacks(
    role: str,
    system: System,
    programs: Iterable[str],
    modules: Iterable[str],
    sudo: str,
) -> list[Lack]:
    """Return what the host still needs for its role."""
    present = set(programs)
    found = [
        Lack(_("{program} is not installed.", program=program),
             _install(program, system.family))
        for program in NEEDED[role] if program not in present
    ]  # fmt: skip
    if sudo and sudo_is_old(sudo):
        text = _("sudo is {version}; the sudoers file needs 1.9.10.", version=sudo)
        found.append(Lack(text, _install("sudo", system.family)))
    if role == "director" and "ip_vs" not in modules:
        text = _("The kernel has no module ip_vs; some small kernels leave it out.")
        extra = {"debian": "apt-get install linux-image-amd64",
                 "rhel": "dnf install kernel-modules"}  # fmt: skip
        found.append(Lack(text, extra.get(system.family, "")))
    return found


def _install(program: str, family: str) -> str:
    package = PACKAGES[program].get(family, "")
    return f"{INSTALL[family]} {package}" if package else ""


# -- rights ---------------------------------------------------------------------------

# 192.0.2.0/24 is for documentation (RFC 5737). Nothing of this is carried out.
_VIP = ip_address("192.0.2.1")
_ON_LO = BoundAddress("lo", ip_interface("192.0.2.1/32"), "lo:1")
_ON_TUNNEL = BoundAddress(TUNNEL, ip_interface("192.0.2.1/32"), f"{TUNNEL}:1")
_WITH_CHECKSUM = Tunnel(GRE_CSUM, up=True, module="ip_gre", local="192.0.2.1")
_ON_ETH = BoundAddress("eth0", ip_interface("192.0.2.1/24"), "eth0:1")
# 2001:db8::/32 is the same for IPv6 (RFC 3849).
_ON_LO6 = BoundAddress("lo", ip_interface("2001:db8::1/128"))
_ON_ETH6 = BoundAddress("eth0", ip_interface("2001:db8::1/128"))

_SOURCE_NAT = SourceNat(ServiceAddress.of(Protocol.TCP, _VIP, 80), _VIP)


def sample_commands(role: str) -> tuple[Command, ...]:
    """Return one command for every rule of the role's sudoers file, to ask
    ``sudo -l`` about. They come from the builders that a plan uses."""
    probe = lan.duplicate_address_probe(_VIP, "eth0")
    timer = boot_place.timer(run=1, seconds=60)
    if role == "director":
        bind = change.bind_address("", Phase.BIND, _ON_ETH)
        reads = ("--stats --exact", "--rate --exact")
        return (
            facts.RULES.command,
            facts.THRESHOLDS.command,
            facts.CONNECTIONS.command,
            facts.TIMEOUTS.command,
            facts.DAEMONS.command,
            *(_root("ipvsadm", "-Ln", *words.split()) for words in reads),
            frame.lister(),
            IPVSADM_VERSION,
            _root("ipvsadm", "-R"),
            timer,
            probe,
            lan.announce_address("", _ON_ETH).command,
            *_both(bind),
            *_both(change.bind_address("", Phase.BIND, _ON_ETH6)),
            _set(Purpose.FORWARDING6, {FORWARD6: "1"}),
            _set(
                Purpose.ANNOUNCING, {of_device("eth0", "ndisc_notify", family=6): "1"}
            ),
            _set(Purpose.FORWARDING, {FORWARD: "1", ALONG_WITH_FORWARD: "0"}),
            _set(Purpose.IPVS, {one.key: one.default or "0" for one in CATALOGUE}),
            *_settings_samples(),
            *_mark_samples(),
            *(fact.command for fact in facts.SOURCE_NAT.values()),
            facts.FULLNAT.command,
            fullnat.question(_SOURCE_NAT.at),
            *(
                change.add_source_nat("", tool, _SOURCE_NAT).command
                for tool in source_nat.TOOLS
            ),
        )
    if role == "real_server":
        return (timer, *_of_real_server())
    return (probe,)


def _of_real_server() -> tuple[Command, ...]:
    return (
        *_both(change.bind_address("", Phase.PREPARE, _ON_LO)),
        *_both(change.bind_address("", Phase.PREPARE, _ON_TUNNEL)),
        *_both(change.bind_address("", Phase.PREPARE, _ON_LO6)),
        *_both(change.add_route("", Route("192.0.2.1/32", "lo"))),
        _set(Purpose.SILENCE, dict(ARP_SYSCTLS)),
        _set(
            Purpose.STRAIGHT,
            {of_device("eth0", "accept_redirects", family=6): "0"},
        ),
        _set(Purpose.TUNNEL, dict(TUNNEL_SYSCTLS[-1:])),
        *(c for module in change.MODULES for c in _modprobe(module)),
        *_both(change.switch_device("", TUNNEL, up=True)),
        *_both(change.add_device("", _WITH_CHECKSUM)),
        *_both(change.add_gue("", DEFAULT_PORT)),
    )


def _mark_samples() -> tuple[Command, ...]:
    marked = [
        (tool, MarkRule(7, Packets(protocol, vip, 80, 80)))
        for tools, vip in ((source_nat.TOOLS, _VIP), (marks.TOOLS6, _ON_ETH6.address))
        for tool in tools
        for protocol in Protocol
    ]
    made = (change.add_mark("", tool, rule).command for tool, rule in marked)
    return (*(fact.command for fact in facts.MARKS.values()), *made)


def _modprobe(module: str) -> tuple[Command, ...]:
    return _both(change.load_module("", module))


def _settings_samples() -> tuple[Command, ...]:
    seconds = Timeouts(900, 120, 300)
    timeouts = settings_plan.set_timeouts(
        "", Phase.PREPARE, Purpose.IPVS.reason(""), seconds, seconds
    )
    daemons = (SyncDaemon(role, "eth0", 1) for role in SyncRole)
    started = (settings_plan.start_daemon("", Phase.PREPARE, d) for d in daemons)
    return (timeouts.command, *(one for made in started for one in _both(made)))


def _set(purpose: Purpose, values: dict[str, str]) -> Command:
    return change.set_sysctls("", purpose, values, values, last=False).command


def _root(*argv: str) -> Command:
    return Command(argv, root=True)


def _both(made: change.Change) -> tuple[Command, ...]:
    return (made.command, made.undo) if made.undo else (made.command,)


def may_i(command: Command) -> Command:
    """Return the question whether sudo would allow the command; it is not run."""
    return Command(("sudo", "-n", "-l", *command.argv))
