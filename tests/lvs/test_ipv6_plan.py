"""IPv6 by direct routing: what is bound, said and allowed, and what stays as it was."""

from ipaddress import ip_address, ip_interface

import pytest

from cluster.lvs import boot_file, change, lan, script
from cluster.lvs.change import Phase
from cluster.lvs.command import Command
from cluster.lvs.host import BoundAddress, Footprint, HostState
from cluster.lvs.plan import plan
from cluster.lvs.privileges import allowed
from cluster.lvs.wish import ClusterWish, Vip, host_wishes
from tests.build import QUIET, at, bound, server, service, table

VIP, WEB1, WEB2 = "fd00:10:0:1::31", "fd00:10:0:1::6", "fd00:10:0:1::9"
NOTIFY = "net.ipv6.conf.eth0.ndisc_notify"
DIRECTOR = HostState(
    "boot-lb01",
    (
        bound("10.0.1.3/24"),
        BoundAddress("eth0", ip_interface("fd00:10:0:1::3/64")),
        BoundAddress("lo", ip_interface("::1/128")),
    ),
    sysctls=((NOTIFY, "0"),),
)
WEB = HostState(
    "boot-web1",
    (bound("10.0.1.6/24"), BoundAddress("eth0", ip_interface(f"{WEB1}/64"))),
    sysctls=QUIET,
)
SERVICE = service(VIP, servers=(server(WEB1), server(WEB2)))
WISH = ClusterWish(
    "lb01",
    table(SERVICE),
    (Vip(ip_address(VIP), 1),),
    (
        (ip_address("10.0.1.6"), "web1"),
        (ip_address(WEB1), "web1"),
        (ip_address(WEB2), "web2"),
    ),
)
STATES = {"lb01": DIRECTOR, "web1": WEB, "web2": WEB}
ON_ETH = BoundAddress("eth0", ip_interface(f"{VIP}/128"))
ON_LO = BoundAddress("lo", ip_interface(f"{VIP}/128"))


def lines(found):
    return [
        (one.host, one.phase.name, " ".join(one.command.argv[:9]))
        for one in found.changes
        if one.command.argv[0] != "bash"
    ]


def test_the_vip_is_a_128_and_real_servers_need_nothing_else():
    found = plan(STATES, host_wishes(WISH, STATES), {})
    assert lines(found) == [
        ("lb01", "PREPARE", f"sysctl -q -w {NOTIFY}=1"),
        ("web1", "PREPARE", f"ip addr add {VIP}/128 dev lo nodad preferred_lft 0"),
        ("web2", "PREPARE", f"ip addr add {VIP}/128 dev lo nodad preferred_lft 0"),
        ("lb01", "TABLE", "ipvsadm -R"),
        ("lb01", "BIND", f"ip addr add {VIP}/128 dev eth0 preferred_lft 0"),
    ]
    assert found.changes[0].phase is Phase.CHECK
    assert found.changes[-1].phase is Phase.ANNOUNCE
    told = found.changes[4].command.stdin.decode()
    assert f"-a -t [{VIP}]:80 -r [{WEB1}]:80 -g -w 1\n" in told


def test_what_was_put_there_is_taken_away_and_nothing_else():
    wishes = host_wishes(WISH, STATES)
    adds = plan(STATES, wishes, {}).adds
    after = {
        "lb01": HostState(
            "boot-lb01",
            (*DIRECTOR.addresses, ON_ETH),
            sysctls=((NOTIFY, "1"),),
            table=table(SERVICE),
        ),
        **{
            name: HostState(name, (*WEB.addresses, ON_LO), sysctls=QUIET)
            for name in ("web1", "web2")
        },
    }
    assert plan(after, wishes, adds).is_empty
    kept = {n: Footprint.from_json(f.as_json()) for n, f in adds.items()}
    nothing = ClusterWish("lb01")
    found = plan(after, host_wishes(nothing, after), kept)
    assert lines(found) == [
        ("lb01", "CUT", "ipvsadm -R"),
        ("lb01", "RELEASE", f"ip addr del {VIP}/128 dev eth0"),
        ("lb01", "WITHDRAW", f"sysctl -q -w {NOTIFY}=0"),
        ("web1", "WITHDRAW", f"ip addr del {VIP}/128 dev lo"),
        ("web2", "WITHDRAW", f"ip addr del {VIP}/128 dev lo"),
    ]


def test_a_vip_of_ipv6_on_lo_needs_no_silence_about_arp():
    """Nor does one that somebody bound by hand keep it."""
    silent = tuple((key, "1") for key, _value in QUIET)
    here = HostState("b", (*WEB.addresses, ON_LO), sysctls=silent)
    footprint = {"web1": Footprint(sysctls=QUIET)}
    found = plan({"web1": here}, {}, footprint)
    assert [one.command.argv[0] for one in found.changes] == ["sysctl"]


def test_a_reboot_brings_it_back():
    """The boot file asks the LAN first, as an ordinary user, and may be written."""
    made = plan(STATES, host_wishes(WISH, STATES), {}).changes
    mine = [one for one in made if one.host == "lb01"]
    chain = [one for one in mine if one.phase.name in ("CHECK", "BIND", "ANNOUNCE")]
    text = boot_file.render("lb01", [one for one in mine if one not in chain], [chain])
    assert "if run bash -c" in text
    commands = script.read(text.encode())
    assert [one.command.argv for one in chain] == [one.argv for one in commands[-3:]]
    assert all(allowed("director", one) for one in commands)
    spoiled = script.read(text.replace("neigh show", "neigh flush").encode())
    assert not all(allowed("director", one) for one in spoiled)


def test_both_families_on_one_host_are_one_wish():
    four = service(servers=(server("10.0.1.6"),))
    both = ClusterWish(
        "lb01",
        table(SERVICE, four),
        (Vip(ip_address(VIP), 1), Vip(at().address, 2)),
        WISH.real_servers,
    )
    wish = host_wishes(both, STATES)["web1"]
    assert {str(b.interface) for b in wish.addresses} == {f"{VIP}/128", "10.0.1.31/32"}
    assert [route.destination for route in wish.routes] == ["10.0.1.31/32"]


OURS = [
    ("director", change.bind_address("", Phase.BIND, ON_ETH).command),
    ("director", change.bind_address("", Phase.BIND, ON_ETH).undo),
    ("director", lan.check_address_free("", ON_ETH).command),
    ("director", lan.announce_address("", ON_ETH).command),
    ("probe", lan.check_address_free("", ON_ETH).command),
    ("real_server", change.bind_address("", Phase.PREPARE, ON_LO).command),
    ("real_server", change.bind_address("", Phase.PREPARE, ON_LO).undo),
]
NEVER = [
    # The host's own: another prefix, or no address that a VIP can be.
    ("director", "ip addr del fd00:10:0:1::3/64 dev eth0"),
    ("director", "ip addr del fe80::aff:fe00:103/64 dev eth0"),
    ("director", "ip addr del fe80::aff:fe00:103/128 dev eth0"),
    ("real_server", "ip addr del ::1/128 dev lo"),
    ("real_server", f"ip addr del {WEB1}/128 dev eth0"),
    ("real_server", f"ip addr add {VIP}/128 dev lo"),
    ("director", f"ip addr add {VIP}/128 dev eth0"),
    ("director", f"ip addr add {VIP}/128 dev eth0 nodad preferred_lft 0"),
    ("director", f"ip addr add {VIP}/128 dev eth0 preferred_lft 0 home"),
    ("director", "ip addr add ff02::1/128 dev eth0 preferred_lft 0"),
    ("director", "sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=1"),
    ("director", "sysctl -q -w net.ipv6.conf.eth0.ndisc_notify=2"),
    ("probe", f"ip addr add {VIP}/128 dev eth0 preferred_lft 0"),
]


@pytest.mark.parametrize(("role", "command"), OURS)
def test_our_commands_are_allowed(role, command):
    assert allowed(role, command)


@pytest.mark.parametrize(("role", "line"), NEVER)
def test_the_hosts_own_addresses_are_out_of_reach(role, line):
    assert not allowed(role, Command(tuple(line.split()), root=True))


def test_as_a_user_only_the_question_to_the_lan_is_sent():
    asked = lan.check_address_free("", ON_ETH).command
    script = list(asked.argv)
    for n, word in ((2, "id"), (4, "eth0;id"), (5, "$(id)"), (5, "fd00::x")):
        other = [*script[:n], word, *script[n + 1 :]]
        assert not allowed("director", Command(tuple(other), deadline=15.0))
    assert not allowed("real_server", asked)
    assert not allowed("director", Command(("id",)))
