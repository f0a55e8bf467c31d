"""Firewall marks: packets, rules and their listings, plan, footprint, rights."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import change, facts, marks, probe
from cluster.lvs.command import Command
from cluster.lvs.host import BoundAddress, Footprint, HostState, HostWish
from cluster.lvs.marks import MarkRule
from cluster.lvs.plan import plan
from cluster.lvs.privileges import allowed
from cluster.lvs.table import Packets, ServiceAddress, VirtualService
from cluster.lvs.terms import Protocol, Scheduler
from cluster.lvs.wish import ClusterWish, Vip, host_wishes
from tests.build import NAMES, WEB1, WEB2, bound, real_server, server, table

VIP, VIP6 = ip_address("10.0.1.31"), ip_address("fd00:10:0:1::31")
HTTP, HTTPS = Packets(Protocol.TCP, VIP, 80, 80), Packets(Protocol.TCP, VIP, 443, 443)
SHOP = VirtualService(
    ServiceAddress.of_mark(7),
    Scheduler.RR,
    (server(WEB1, 0), server(WEB2, 0)),
    persistence=300,
    packets=(HTTPS, HTTP),
)
WISH = ClusterWish("lb01", table(SHOP), (Vip(VIP, 1),), tuple(NAMES.items()))
DIRECTOR = HostState("boot-lb01", (bound("10.0.1.3/24"),), firewall="iptables-legacy")
STATES = {"lb01": DIRECTOR, "web1": real_server(WEB1), "web2": real_server(WEB2)}
LISTED = """\
-P PREROUTING ACCEPT
-A PREROUTING -d 10.0.1.31/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x7/0xffffffff
-A PREROUTING -d 10.0.1.31/32 -p udp -m udp --dport 5000:5010 -j MARK --set-xmark 0x10/0xffffffff
-A PREROUTING -d 10.0.1.0/24 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x7/0xffffffff
-A PREROUTING -d 10.0.1.31/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x7/0xff
-A PREROUTING -d 10.0.1.31/32 -p tcp -m tcp --dport 80 -m comment --comment x -j MARK --set-xmark 0x7/0xffffffff
-A PREROUTING -i eth0 -j MARK --set-xmark 0x9/0xffffffff
"""

PACKETS = st.builds(
    lambda protocol, address, ports: Packets(protocol, address, *sorted(ports)),
    st.sampled_from(Protocol),
    st.ip_addresses(v=4) | st.ip_addresses(network="fd00::/8"),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)),
)


RULES = st.builds(MarkRule, st.integers(1, 2**32 - 1), PACKETS)


def test_only_rules_of_our_form_are_read():
    phones = Packets(Protocol.UDP, VIP, 5000, 5010)
    assert marks.parse(LISTED) == (MarkRule(7, HTTP), MarkRule(16, phones))
    assert marks.others(LISTED) == (7, 9)


@given(RULES)
def test_a_rule_is_read_as_it_was_written_and_allowed(rule):
    line = f"-A {' '.join(rule.words)}\n"
    assert marks.parse(line) == (rule,)
    assert marks.read(list(rule.words)) == rule
    for firewall in ("iptables-legacy", "iptables-nft"):
        tool = marks.tool_for(rule.family, firewall)
        made = change.add_mark("lb01", tool, rule)
        assert allowed("director", made.command)
        assert allowed("director", made.undo)
        assert allowed("director", facts.MARKS[tool].command)
        assert not allowed("real_server", made.command)


@given(PACKETS, PACKETS)
def test_packets_overlap_when_a_packet_can_be_both(one, other):
    ports = set(range(one.first, one.last + 1)) & set(
        range(other.first, other.last + 1)
    )
    same = (one.protocol, one.address) == (other.protocol, other.address)
    assert one.overlaps(other) == (same and bool(ports))
    assert one.overlaps(one)


def lines(found):
    return [
        (one.host, one.phase.name, " ".join(one.command.argv))
        for one in found.changes
        if one.command.argv[0] not in ("arping", "sysctl")
    ]


def mark(verb, port):
    return (
        f"iptables-legacy -w 5 -t mangle {verb} PREROUTING -d 10.0.1.31/32 -p tcp"
        f" -m tcp --dport {port} -j MARK --set-xmark 0x7/0xffffffff"
    )


def test_a_mark_has_rules_vips_and_real_servers_like_any_other_service():
    found = plan(STATES, host_wishes(WISH, STATES), {})
    assert lines(found) == [
        ("web1", "PREPARE", "ip addr add 10.0.1.31/32 dev lo label lo:1"),
        ("web1", "PREPARE", "ip route add 10.0.1.31/32 dev lo"),
        ("web2", "PREPARE", "ip addr add 10.0.1.31/32 dev lo label lo:1"),
        ("web2", "PREPARE", "ip route add 10.0.1.31/32 dev lo"),
        ("lb01", "TABLE", "ipvsadm -R"),
        ("lb01", "TABLE", mark("-A", 80)),
        ("lb01", "TABLE", mark("-A", 443)),
        ("lb01", "BIND", "ip addr add 10.0.1.31/24 dev eth0 label eth0:1"),
    ]
    (change_of_table,) = (c for c in found.changes if c.command.stdin)
    assert change_of_table.command.stdin.decode() == (
        "-A -f 7 -s rr -p 300\n"
        "-a -f 7 -r 10.0.1.6:0 -g -w 1\n"
        "-a -f 7 -r 10.0.1.9:0 -g -w 1\n"
    )


def test_marks_are_taken_away_and_those_of_others_stay():
    theirs = MarkRule(9, HTTP)
    ours = (MarkRule(7, HTTP), MarkRule(7, HTTPS))
    here = HostState(
        "boot-lb01",
        (
            bound("10.0.1.3/24"),
            BoundAddress("eth0", ip_interface("10.0.1.31/24"), "eth0:1"),
        ),
        firewall="iptables-legacy",
        marks=(theirs, *ours),
        table=table(SHOP),
    )
    wishes = host_wishes(WISH, STATES)
    assert not lines(plan({"lb01": here}, {"lb01": wishes["lb01"]}, {}))
    adds = plan(STATES, wishes, {}).adds["lb01"]
    assert Footprint.from_json(adds.as_json()) == adds
    assert adds.still_on(here).marks == ours
    assert adds.still_on(DIRECTOR).marks == ()
    found = plan({"lb01": here}, {}, {"lb01": adds})
    assert [line for _host, phase, line in lines(found) if phase == "WITHDRAW"] == [
        mark("-D", 80),
        mark("-D", 443),
    ]
    assert HostState.from_json(here.as_json()).marks == here.marks


def test_the_packets_survive_in_a_revision():
    six = Packets(Protocol.UDP, VIP6, 53, 53)
    dns = VirtualService(ServiceAddress.of_mark(7, 6), packets=(six,))
    both = ClusterWish("lb01", table(SHOP, dns))
    again = ClusterWish.from_json(both.as_json())
    assert again == both
    assert [service.vips for service in again.table.services] == [(VIP,), (VIP6,)]


def with_marks(state, argv):
    """Return the state after a command of the plan."""
    if "tables-" not in argv[0]:
        return state
    rule = marks.read(argv[6:])
    kept = tuple(one for one in state.marks if one != rule)
    assert (len(kept) == len(state.marks)) == (argv[5] == "-A"), "once, and only there"
    return replace(state, marks=(*kept, rule) if argv[5] == "-A" else kept)


@given(
    st.sets(RULES, max_size=4), st.sets(RULES, max_size=4), st.sets(RULES, max_size=2)
)
def test_a_plan_leads_from_any_marks_to_any_others_and_back(before, after, theirs):
    """What is there is ours, or by hand: only ours ever goes."""
    here = replace(DIRECTOR, marks=tuple(before | theirs))
    ours = Footprint(marks=tuple(before - theirs))
    wish = {"lb01": HostWish(marks=tuple(after))}
    found = plan({"lb01": here}, wish, {"lb01": ours})
    there = here
    for one in found.changes:
        there = with_marks(there, one.command.argv)
    assert {*there.marks} == after | theirs
    assert plan({"lb01": there}, wish, {"lb01": ours}).is_empty
    left = (ours | found.adds["lb01"]).still_on(there)
    assert {*left.marks} == after - theirs
    for one in reversed(found.changes):
        there = with_marks(there, one.undo.argv)
    assert {*there.marks} == {*here.marks}


def test_one_port_of_a_mark_answers_for_it():
    ftp = Packets(Protocol.TCP, VIP, 21, 21), Packets(Protocol.TCP, VIP, 30000, 30100)
    services = (replace(SHOP, packets=(*ftp, HTTPS)), replace(SHOP, packets=ftp[1:]))
    assert probe.asked(table(services[0])) == [ServiceAddress.of(Protocol.TCP, VIP, 21)]
    assert probe.asked(table(services[1])) == []


NEVER = [
    "-w 5 -t mangle -F PREROUTING",
    "-w 5 -t mangle -A PREROUTING -j MARK --set-xmark 0x7/0xffffffff",
    (
        "-w 5 -t mangle -A PREROUTING -d 10.0.1.0/24 -p tcp -m tcp --dport 80 -j MARK"
        " --set-xmark 0x7/0xffffffff"
    ),
    "-w 5 -t mangle -A PREROUTING -d 10.0.1.31/32 -p tcp -m tcp --dport 80 -j DROP",
    (
        "-w 5 -t mangle -A FORWARD -d 10.0.1.31/32 -p tcp -m tcp --dport 80 -j MARK"
        " --set-xmark 0x7/0xffffffff"
    ),
    (
        "-w 5 -t mangle -A PREROUTING -d 10.0.1.31/32 -p tcp -m udp --dport 80 -j MARK"
        " --set-xmark 0x7/0xffffffff"
    ),
]


@pytest.mark.parametrize("words", NEVER)
def test_nothing_but_a_mark_for_a_vip_and_its_ports_is_allowed(words):
    command = Command(("iptables-legacy", *words.split()), root=True)
    assert not allowed("director", command)
