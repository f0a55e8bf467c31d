"""Every command that we send as root is allowed for its role, and nothing else is."""

from ipaddress import ip_address, ip_interface

import pytest

from cluster.lvs import change, facts, lan
from cluster.lvs.change import Mark, Phase, Rules
from cluster.lvs.command import Command
from cluster.lvs.director import forwarding
from cluster.lvs.host import TUNNELS, BoundAddress, Route, Tunnel
from cluster.lvs.privileges import ROLES, allowed, sudoers
from cluster.lvs.real_server import ARP_SYSCTLS, tunnel_sysctls
from cluster.lvs.source_nat import TOOLS, SourceNat
from cluster.lvs.sysctls import CONNTRACK, Purpose
from cluster.lvs.terms import ForwardingMethod, Protocol
from tests.build import at, server, service, table
from tests.forbidden import FORBIDDEN

ON_ETH = [
    BoundAddress(device, ip_interface(interface), label)
    for device, interface, label in (
        ("eth0", "10.0.1.31/24", "eth0:1"),
        ("enp0s31f6", "192.168.100.200/28", "enp0s31f6:12"),
        ("bond0.100", "172.16.0.1/16", "bond0.100:3"),
        ("br-lan", "10.255.255.254/8", "br-lan:99999"),
    )
]
ON_LO = BoundAddress("lo", ip_interface("10.0.1.31/32"), "lo:1")
BOTH_KINDS = dict(ARP_SYSCTLS) | {
    key: value for device in TUNNELS for key, value in tunnel_sysctls(device)
}
NAT = table(service(servers=[server(method=ForwardingMethod.NAT)]))


def both(made):
    return [command for command in (made.command, made.undo) if command]


def director_commands():
    for bound in ON_ETH:
        yield lan.check_address_free("lb01", bound).command
        yield lan.announce_address("lb01", bound).command
        yield from both(change.bind_address("lb01", Phase.BIND, bound))
        yield from both(change.release_address("lb01", Phase.WITHDRAW, bound))
    rules = Rules()
    rules.add("-A -t 10.0.1.31:80 -s rr", ["-D -t 10.0.1.31:80"])
    yield from both(change.change_table("lb01", Phase.TABLE, Mark.ADD, rules))
    for device in ("eth0", "bond0.100", "br-lan"):
        own = BoundAddress(device, ip_interface("10.0.1.3/24"), device)
        yield from sysctls(Purpose.FORWARDING, dict(forwarding(NAT, [own])))
    for tool in TOOLS:
        for protocol in Protocol:
            rule = SourceNat(at(protocol=protocol), ip_address("10.0.1.3"))
            yield from both(change.add_source_nat("lb01", tool, rule))
            yield from both(change.delete_source_nat("lb01", tool, rule))
        yield facts.SOURCE_NAT[tool].command
    yield from sysctls(Purpose.TRACKING, {CONNTRACK: "1"})
    yield facts.RULES.command
    yield facts.THRESHOLDS.command
    yield facts.CONNECTIONS.command


def real_server_commands():
    route = Route("10.0.1.31/32", "lo")
    yield from both(change.bind_address("web1", Phase.PREPARE, ON_LO))
    yield from both(change.release_address("web1", Phase.WITHDRAW, ON_LO))
    yield from both(change.add_route("web1", route))
    yield from both(change.delete_route("web1", route))
    for device in TUNNELS:
        vip = BoundAddress(device, ip_interface("10.0.1.31/32"), f"{device}:1")
        yield from both(change.bind_address("web1", Phase.PREPARE, vip))
        for up in (True, False):
            yield from both(change.switch_device("web1", device, up=up))
    for module in change.MODULES:
        yield from both(change.load_module("web1", module))
        yield from both(change.unload_module("web1", module))
    own = Tunnel("gre-csum", up=True, module="ip_gre", local="10.0.1.6")
    yield from both(change.add_device("web1", own))
    yield from both(change.delete_device("web1", own))
    yield from both(change.add_gue("web1", 65535))
    yield from both(change.delete_gue("web1", 65535))
    silent = [pair for pair in BOTH_KINDS.items() if "arp_" in pair[0]]
    for count in range(1, len(silent) + 1):
        yield from sysctls(Purpose.SILENCE, dict(silent[:count]))
    loose = [pair for pair in BOTH_KINDS.items() if "rp_filter" in pair[0]]
    for count in range(1, len(loose) + 1):
        yield from sysctls(Purpose.TUNNEL, dict(loose[:count]))


def sysctls(purpose, values):
    zero = dict.fromkeys(values, "0")
    for last in (True, False):
        yield from both(change.set_sysctls("host", purpose, values, zero, last=last))


def probe_commands():
    yield lan.duplicate_address_probe(ip_address("10.0.1.31"), "eth0")


SENT = {
    "director": list(director_commands()),
    "real_server": list(real_server_commands()),
    "probe": list(probe_commands()),
}


@pytest.mark.parametrize(
    ("role", "command"),
    [(role, command) for role, commands in SENT.items() for command in commands],
    ids=lambda value: value if isinstance(value, str) else value.line,
)
def test_what_we_send_is_allowed(role, command):
    assert command.root
    assert allowed(role, command)


def test_everything_else_that_a_host_is_asked_needs_no_root():
    for fact in (facts.BOOT_ID, facts.LINKS, facts.ROUTES, facts.SYSCTLS, facts.GUE):
        assert not fact.command.root
    assert not facts.NFT_WORKS.root


@pytest.mark.parametrize(
    ("role", "argv"),
    [(role, argv) for role in ROLES for argv in FORBIDDEN[role]],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_leads_to_root_is_refused(role, argv):
    assert not allowed(role, Command(argv, root=True))


@pytest.mark.parametrize("role", ROLES)
def test_the_list_of_forbidden_commands_is_long_enough(role):
    assert len(FORBIDDEN[role]) >= 30


@pytest.mark.parametrize("role", ROLES)
def test_the_file_has_neither_wildcards_nor_negations(role):
    """``*`` matches spaces, ``!`` excludes only what is spelled the same way."""
    rules = [
        line.strip().rstrip(",\\ ")
        for line in sudoers(role).splitlines()
        if line.startswith((" ", "Cmnd_Alias"))
    ]
    for line in rules:
        command = line.rpartition(" = ")[2]
        assert command.startswith(("/usr/sbin/", "/usr/bin/")), line
        arguments = command.partition(" ")[2]
        assert arguments, f"a program without arguments may be run with any: {line}"
        if arguments.startswith("^"):
            assert arguments.endswith("$")
            assert ".*" not in arguments
            assert ".+" not in arguments
        else:
            assert not set(arguments) & set("*?[]!")
