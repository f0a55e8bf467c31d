"""What a person does on a real server that nobody manages: the texts to copy."""

from dataclasses import replace

import pytest

from cluster.lvs.host import Footprint
from cluster.lvs.manual_steps import Family, commands, steps, task
from cluster.lvs.table import Tunnel
from cluster.lvs.terms import ForwardingMethod
from tests.build import WEB1, server, service, wish
from tests.lvs.modes import cluster, same

DR, TUN, NAT = ForwardingMethod.DR, ForwardingMethod.TUN, ForwardingMethod.NAT
LINUX, FREEBSD, WINDOWS = Family
DIRECTORS = ("10.0.1.3", "10.0.1.5")
GUE = Tunnel("gue", 6080)
GRE, GRE_CSUM = Tunnel("gre"), Tunnel("gre", 0, "csum")


def by(method, tunnel=None, **options):
    return service(servers=[server(WEB1, 80, method, tunnel=tunnel)], **options)


def of(*services):
    rip = services[0].servers[0].address
    return task(wish(*services), rip, DIRECTORS, gateways=("10.0.1.3",))


def text(family, *services):
    return "\n".join(block.text for block in steps(of(*services), family))


def words(family, *services):
    return " ".join(str(block.sentence) for block in steps(of(*services), family))


KINDS = {"dr": (DR, None), "ipip": (TUN, None), "gue": (TUN, GUE), "gre": (TUN, GRE),
         "gre-csum": (TUN, GRE_CSUM)}  # fmt: skip


@pytest.mark.parametrize(("method", "tunnel"), KINDS.values(), ids=KINDS)
def test_on_linux_these_are_the_commands_of_a_plan_and_they_undo_themselves(
    method, tunnel
):
    web1 = cluster()["web1"]
    before = web1.state
    start, stop = commands(of(by(method, tunnel)))
    for command in start:
        assert web1(command).ok
    assert web1.state != before
    for command in stop:
        assert web1(command).ok
    assert same(web1.state, before)
    unit = text(LINUX, by(method, tunnel))
    for command in start:
        assert f"\nExecStart={' '.join(command.argv)}\n" in unit
    for command in stop:
        assert f"\nExecStop=-{' '.join(command.argv)}\n" in unit
    assert not Footprint()


def test_the_unit_for_linux_as_a_whole():
    first, last = steps(of(by(DR)), LINUX)
    assert first.text.splitlines() == [
        "cat > /etc/systemd/system/lvs-real-server.service <<'END'",
        "[Unit]",
        "Description=VIPs of a real server of LVS",
        "After=network.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        (
            "ExecStart=sysctl -q -w net.ipv4.conf.all.arp_ignore=1"
            " net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.lo.arp_ignore=1"
            " net.ipv4.conf.lo.arp_announce=2"
        ),
        "ExecStart=ip addr add 10.0.1.31/32 dev lo label lo:1",
        "ExecStart=ip route add 10.0.1.31/32 dev lo",
        "ExecStop=-ip route del 10.0.1.31/32 dev lo",
        "ExecStop=-ip addr del 10.0.1.31/32 dev lo label lo:1",
        (
            "ExecStop=-sysctl -q -w net.ipv4.conf.all.arp_ignore=0"
            " net.ipv4.conf.all.arp_announce=0 net.ipv4.conf.lo.arp_ignore=0"
            " net.ipv4.conf.lo.arp_announce=0"
        ),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "END",
        "systemctl daemon-reload && systemctl enable --now lvs-real-server",
    ]
    assert last.text == (
        "systemctl disable --now lvs-real-server;"
        " rm /etc/systemd/system/lvs-real-server.service"
    )


CASES = [
    (FREEBSD, by(DR), ["ifconfig lo0 inet 10.0.1.31 netmask 255.255.255.255 alias"]),
    (
        FREEBSD,
        by(TUN),
        [
            'sysrc cloned_interfaces+="gif0 gif1"',
            "ifconfig gif0 create; ifconfig gif0 tunnel 10.0.1.6 10.0.1.3 up",
            "ifconfig gif1 create; ifconfig gif1 tunnel 10.0.1.6 10.0.1.5 up",
            'sysrc ifconfig_lo0_alias0="inet 10.0.1.31 netmask 255.255.255.255"',
        ],
    ),
    (
        FREEBSD,
        by(TUN, GRE_CSUM),
        ["ifconfig gre1 tunnel 10.0.1.6 10.0.1.5 enable_csum up"],
    ),
    (FREEBSD, by(NAT), ["route change default 10.0.1.3", 'defaultrouter="10.0.1.3"']),
    (
        WINDOWS,
        by(DR),
        [
            "hdwwiz.exe",
            'netsh interface ipv4 add address "lvs" 10.0.1.31 255.255.255.255',
            "weakhostreceive=enabled weakhostsend=enabled",
            '(Get-NetIPAddress -IPAddress "10.0.1.6").InterfaceAlias',
        ],
    ),
    (WINDOWS, by(NAT), ["New-NetRoute", "-NextHop 10.0.1.3"]),
    (LINUX, by(NAT), ["ip route replace default via 10.0.1.3"]),
]


@pytest.mark.parametrize(("family", "wanted", "lines"), CASES)
def test_other_families_and_nat(family, wanted, lines):
    found = text(family, wanted)
    for line in lines:
        assert line in found


@pytest.mark.parametrize(
    ("family", "wanted", "told"),
    [
        (WINDOWS, by(TUN), "Windows cannot take packets out of a tunnel"),
        (FREEBSD, by(TUN, GUE), "FreeBSD cannot take packets out of GUE"),
    ],
)
def test_what_a_family_cannot_do_is_said(family, wanted, told):
    assert told in words(family, wanted)


@pytest.mark.parametrize("family", Family)
def test_fullnat_leaves_nothing_to_do(family):
    (only,) = steps(of(by(NAT, source_nat=True)), family)
    assert "Nothing" in str(only.sentence)
    assert only.text == ""


def test_every_vip_and_method_of_a_machine_is_there_at_once():
    other = replace(by(TUN, GUE), at=service("10.0.1.32", 443).at)
    found = text(LINUX, by(DR), other)
    for line in (
        "ip addr add 10.0.1.31/32 dev lo label lo:1",
        "ip addr add 10.0.1.32/32 dev tunl0 label tunl0:2",
        "ip fou add port 6080 gue",
    ):
        assert f"ExecStart={line}\n" in found
