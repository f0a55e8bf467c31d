"""The sudoers file of a host: exactly the commands that we send as root, no others.

``python3 -m cluster.lvs.privileges director`` prints /etc/sudoers.d/piranha. Where an
argument varies, a regular expression (sudo 1.9.10 and newer, see sudoers(5), "Regular
expressions") says what it may be; no shell wildcard, which would match spaces.

An address can only be taken off a device together with its label ``eth0:1``, and the
kernel compares the label: the host's own address, label ``eth0``, is out of reach.
In IPv6 it compares the prefix length: VIPs are bound as /128, and the host's own address
has the prefix of its network. Only global and local unicast addresses are let through
(2000::/3, fc00::/7), so that ::1 and fe80:: are never touched.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from cluster.lvs import (
    arming,
    boot_place,
    change,
    facts,
    frame,
    fullnat,
    ipvs_sysctls,
    lan,
    marks,
    patch,
    script,
    source_nat,
)
from cluster.lvs.command import Command
from cluster.lvs.host import GRE_CSUM, LOOPBACK, TUNNELS, TUNNELS6
from cluster.lvs.real_server import ARP_SYSCTLS

USER = boot_place.USER
ROLES = ("director", "real_server", "probe")
_ADDRESS = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_ADDRESS6 = r"([23][0-9a-f]{3}|f[cd][0-9a-f]{2})(:[0-9a-f]{0,4}){2,7}"
_DEVICE = r"[a-z][a-z0-9._-]{0,14}"
_KEY_DEVICE = r"[a-z][a-z0-9/_-]{0,14}"  # sysctl writes bond0.100 as bond0/100
_NUMBER = r"[0-9]{1,5}"
# Where distributions keep a program; sudo allows only these full paths.
_PLACES = {
    "arping": ("/usr/bin/arping", "/usr/sbin/arping"),
    "ip": ("/usr/sbin/ip", "/usr/bin/ip"),
    "ipvsadm": ("/usr/sbin/ipvsadm",),
    "systemd-run": ("/usr/bin/systemd-run",),
    "modprobe": ("/usr/sbin/modprobe",),
    "sh": ("/usr/bin/sh",),
    "sysctl": ("/usr/sbin/sysctl",),
    **{t: (f"/usr/sbin/{t}",) for t in (*source_nat.TOOLS, *marks.TOOLS6)},
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One program with its arguments: exact words, or a regular expression."""

    program: str
    arguments: str
    pattern: bool = False

    def allows(self, argv: tuple[str, ...]) -> bool:
        """Return whether sudo would let this command through."""
        if argv[0] != self.program:
            return False
        given = " ".join(argv[1:])
        if self.pattern:
            return re.fullmatch(self.arguments, given) is not None
        return given == self.arguments

    def lines(self) -> list[str]:
        spelled = f"^{self.arguments}$" if self.pattern else self.arguments
        return [f"{path} {spelled}" for path in _PLACES[self.program]]


def _address6_pattern(device: str, *quick: str) -> str:
    place = rf"{_ADDRESS6}/128 dev {device}"
    words = " ".join((*quick, "preferred_lft", "0"))
    return rf"addr (add {place} {words}|del {place})"


def _exactly(command: Command) -> Rule:
    return Rule(command.argv[0], " ".join(command.argv[1:]))


# Listings that are asked for again and again; they are left out of the host's own log.
_READS = (
    _exactly(facts.RULES.command),
    _exactly(facts.THRESHOLDS.command),
    _exactly(facts.CONNECTIONS.command),
    Rule("ipvsadm", "-Ln --stats --exact"),
    # A shell that takes names of listings and no command. sudo compares words joined by
    # spaces: cut elsewhere they are `echo`, or nothing that a shell can read to its end.
    _exactly(frame.lister()),
    Rule("ipvsadm", "-Ln --rate --exact"),
    _exactly(facts.TIMEOUTS.command),
    _exactly(facts.DAEMONS.command),
    Rule("ipvsadm", "--version"),
    *(_exactly(fact.command) for fact in facts.SOURCE_NAT.values()),
    *(_exactly(fact.command) for fact in facts.MARKS.values()),
    # FULLNAT of a patched ipvsadm; its rules go through -R, as all rules do.
    _exactly(fullnat.HELP),
    Rule(
        "ipvsadm",
        rf"-G (-t|-u|--sctp-service) ({_ADDRESS}|\[{_ADDRESS6}\]):{_NUMBER}",
        pattern=True,
    ),
)
_SYSCTLS = "|".join(
    name
    for name in ipvs_sysctls.NAMES
    if name not in (ipvs_sysctls.THRESHOLD, ipvs_sysctls.CPUS)
)
_SECONDS = r"[0-9]{1,7}"
# How IPVS works: numbers, and a list of processors.
_SETTINGS = (
    Rule("ipvsadm", rf"--set {_SECONDS} {_SECONDS} {_SECONDS}", pattern=True),
    Rule(
        "ipvsadm",
        rf"--start-daemon (master|backup) --mcast-interface {_DEVICE}"
        rf" --syncid [0-9]{{1,3}}( --sync-maxlen {_NUMBER})?"
        rf"( --mcast-group [0-9a-f.:]{{2,39}})?( --mcast-port {_NUMBER})?"
        r"( --mcast-ttl [0-9]{1,3})?",
        pattern=True,
    ),
    Rule("ipvsadm", "--stop-daemon master"),
    Rule("ipvsadm", "--stop-daemon backup"),
    Rule(
        "sysctl",
        rf"-q -w( net\.ipv4\.vs\.(({_SYSCTLS})=-?[0-9]{{1,10}}"
        rf"|{ipvs_sysctls.THRESHOLD}=[0-9]{{1,5}} [0-9]{{1,5}}"
        rf"|{ipvs_sysctls.CPUS}=[0-9,-]{{1,64}})){{1,{len(ipvs_sysctls.NAMES)}}}",
        pattern=True,
    ),
)
_ARP_CHECK = Rule("arping", rf"-D -c 2 -w 3 -I {_DEVICE} {_ADDRESS}", pattern=True)
# Starts a unit that a person has installed, and nothing else; see boot_place.py.
_RETURN = Rule(
    "systemd-run",
    r"--quiet --unit=piranha-return@[0-9]{1,9} --on-active=[0-9]{1,5}"
    r" --timer-property=AccuracySec=100ms",
    pattern=True,
)
_DIRECTOR_WRITES = (
    _RETURN,
    Rule("ipvsadm", "-R"),
    *_SETTINGS,
    _ARP_CHECK,
    Rule("arping", rf"-U -c 2 -I {_DEVICE} {_ADDRESS}", pattern=True),
    Rule(
        "ip",
        rf"addr (add|del) {_ADDRESS}/[0-9]{{1,2}} dev {_DEVICE}"
        rf" label {_DEVICE}:{_NUMBER}",
        pattern=True,
    ),
    Rule("ip", _address6_pattern(_DEVICE), pattern=True),
    Rule(
        "sysctl",
        rf"-q -w( net\.ipv6\.conf\.{_KEY_DEVICE}\.ndisc_notify=[01]){{1,9}}",
        pattern=True,
    ),
    # NAT: the director forwards replies, and sends no redirect past itself.
    Rule(
        "sysctl",
        r"-q -w( net\.ipv4\.(ip_forward|vs\.conntrack|conf\.all\.accept_redirects"
        rf"|conf\.{_KEY_DEVICE}\.send_redirects)=[01]){{1,9}}",
        pattern=True,
    ),
    Rule(
        "sysctl",
        rf"-q -w( net\.ipv6\.conf\.(all\.forwarding=[01]"
        rf"|{_KEY_DEVICE}\.accept_ra=[0-2])){{1,9}}",
        pattern=True,
    ),
    # FULLNAT: only for connections of IPVS, whoever else's packets pass by.
    *(
        Rule(
            tool,
            rf"-w 5 -t nat -[AD] {source_nat.CHAIN} -p (tcp|udp|sctp) -m ipvs"
            rf" --vaddr {_ADDRESS}/32 --vport {_NUMBER} --vmethod masq"
            rf" -j SNAT --to-source {_ADDRESS}(-{_ADDRESS})?",
            pattern=True,
        )
        for tool in source_nat.TOOLS
    ),
)
# A mark for packets to one VIP, and to one port or a range of them.
_MARKING = tuple(
    Rule(
        tool,
        rf"-w 5 -t mangle -[AD] {marks.CHAIN} -d {vip} -p {name} -m {name}"
        rf" --dport {_NUMBER}(:{_NUMBER})? -j MARK"
        r" --set-xmark 0x[0-9a-f]{1,8}/0xffffffff",
        pattern=True,
    )
    for tools, vip in (
        (source_nat.TOOLS, f"{_ADDRESS}/32"),
        (marks.TOOLS6, f"{_ADDRESS6}/128"),
    )
    for tool in tools
    for name in ("tcp", "udp", "sctp")
)
_ARP_KEYS = "|".join(sorted({key.rsplit(".", 1)[1] for key, _ in ARP_SYSCTLS}))
_TUNNELS = "|".join(TUNNELS)
_ON_INNER = "|".join(f"{one} label {one}" for one in (LOOPBACK, *TUNNELS))
_REAL_SERVER_WRITES = (
    _RETURN,
    Rule(
        "ip",
        rf"addr (add|del) {_ADDRESS}/32 dev ({_ON_INNER}):{_NUMBER}",
        pattern=True,
    ),
    Rule("ip", rf"route (add|del) {_ADDRESS}/32 dev lo", pattern=True),
    Rule("ip", _address6_pattern("lo", "nodad"), pattern=True),
    Rule(
        "sysctl",
        rf"-q -w( net\.ipv4\.conf\.(all|lo|{_TUNNELS})\.({_ARP_KEYS})=[0-8]){{1,10}}",
        pattern=True,
    ),
    Rule(
        "sysctl",
        rf"-q -w( net\.ipv4\.conf\.({_TUNNELS})\.rp_filter=[0-2]){{1,3}}",
        pattern=True,
    ),
    *(Rule("modprobe", module) for module in change.MODULES),
    *(Rule("modprobe", f"-r {module}") for module in change.MODULES),
    Rule("ip", rf"link set ({_TUNNELS}|{'|'.join(TUNNELS6)}) (up|down)", pattern=True),
    # NAT over IPv6 in one LAN: no redirect leads replies past the director.
    Rule(
        "sysctl",
        rf"-q -w( net\.ipv6\.conf\.{_KEY_DEVICE}\.accept_redirects=[01]){{1,9}}",
        pattern=True,
    ),
    Rule("ip", rf"link add {GRE_CSUM} type gre local {_ADDRESS} icsum", pattern=True),
    Rule("ip", f"link del {GRE_CSUM}"),
    Rule("ip", rf"fou add port {_NUMBER} gue", pattern=True),
    Rule("ip", rf"fou del port {_NUMBER}", pattern=True),
)


def rules_for(role: str) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of a role by the name of their alias."""
    if role == "director":
        return {"PIRANHA_READ": _READS, "PIRANHA_WRITE": _DIRECTOR_WRITES + _MARKING}
    if role == "real_server":
        return {"PIRANHA_WRITE": _REAL_SERVER_WRITES}
    return {"PIRANHA_WRITE": (_ARP_CHECK,)}


def allowed(role: str, command: Command) -> bool:
    """Return whether this is a command of ours for a host of this role: one that its
    sudo allows, one that writes a boot file of nothing but such commands, or a question
    to the LAN, which needs no root."""
    if not command.root:
        if boot_place.writes_there(command):
            return _is_script(role, command.stdin)
        return role in ("director", "probe") and _asks_the_lan(command)
    rules = (rule for group in rules_for(role).values() for rule in group)
    return any(rule.allows(command.argv) for rule in rules)


def _is_script(role: str, data: bytes) -> bool:
    text = data.decode()
    try:
        if patch.is_patch(text):
            found = script.read_lines(patch.lines_in(text))
        else:
            found = script.read(data, arming.FIXED)
    except ValueError:
        return False
    return all(allowed(role, command) for command in found)


def _asks_the_lan(command: Command) -> bool:
    device, address = ("", *command.argv)[-2:]
    if not (re.fullmatch(_DEVICE, device) and re.fullmatch(_ADDRESS6, address)):
        return False
    try:
        vip = IPv6Address(address)
    except AddressValueError:
        return False
    asked = (lan.duplicate_address_probe, lan.announced_by_kernel)
    return command.argv in [ask(vip, device).argv for ask in asked]


def sudoers(role: str, user: str = USER) -> str:
    """Return the text of /etc/sudoers.d/piranha for a host of this role."""
    groups = rules_for(role)
    text = [
        f"# Piranha Web, {role.replace('_', ' ')}: what the dashboard may do as root.",
        "# Generated; check with: visudo -c -f FILE. Needs sudo 1.9.10 or newer.",
        (
            f"Defaults:{user} !requiretty, env_reset, !setenv,"
            ' secure_path="/usr/sbin:/usr/bin:/sbin:/bin"'
        ),
    ]
    for name, group in groups.items():
        text.append(f"Cmnd_Alias {name} = {_joined(group)}")
    if "PIRANHA_READ" in groups:
        text.append("# Asked every few seconds: not worth a line in the log each time,")
        text.append("# nor a terminal, a session and a process to look after them.")
        quick = "!log_allowed, !use_pty, !pam_session, !pam_setcred"
        text.append(f"Defaults!PIRANHA_READ {quick}")
    text.append(f"{user} ALL=(root:root) NOPASSWD: {', '.join(groups)}")
    return "\n".join(text) + "\n"


def _joined(group: Iterable[Rule]) -> str:
    return ", \\\n    ".join(line for rule in group for line in rule.lines())


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ROLES:
        sys.stdout.write(sudoers(sys.argv[1]))
    else:
        sys.exit(f"usage: python3 -m cluster.lvs.privileges {'|'.join(ROLES)}")
