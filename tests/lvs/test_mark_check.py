"""Services named by a firewall mark: words, collisions, ports of real servers."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import mark_check, packets
from cluster.lvs.addresses import Wrong
from cluster.lvs.marks import MarkRule
from cluster.lvs.options import Options
from cluster.lvs.table import Packets, ServiceAddress, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from cluster.lvs.validate import Draft, Server, Surroundings, check
from tests.build import bound
from tests.lvs.test_marks import PACKETS

VIP, VIP2 = "10.0.1.31", "10.0.1.32"
AROUND = Surroundings(
    director="lb01",
    bound=(bound("10.0.1.3/24"), bound("fd00:10:0:1::3/64")),
    hosts=((ip_address("10.0.1.6"), "web1"),),
    services=(ServiceAddress.of(Protocol.TCP, ip_address(VIP), 8080),),
    foreign=(
        ServiceAddress.of_mark(9, 6),
        ServiceAddress.of(Protocol.UDP, ip_address(VIP2), 53),
    ),
    marked=(
        (
            ServiceAddress.of_mark(5),
            Packets(Protocol.TCP, ip_address(VIP2), 21, 21),
        ),
    ),
    foreign_marks=(77,),
)
MARKED = ServiceAddress.of_mark(5)
DR, NAT, TUN = ForwardingMethod.DR, ForwardingMethod.NAT, ForwardingMethod.TUN


def draft(lines=f"{VIP} tcp 80,443", *servers, mark=7, **options):
    marked = packets.read_packets(lines)
    chosen = Options(**options)
    return Draft(None, 0, servers=servers, options=chosen, by_mark=True, mark=mark,
                 packets=marked)  # fmt: skip


def server(method=DR, port=0, address="10.0.1.6", **more):
    return Server(0, "web1", ip_address(address), port, method, **more)


def found(one, around=AROUND):
    return [(f.field, str(f.sentence)) for f in check(one, around)]


GOOD = {
    "two ports": draft(),
    "two VIPs": draft(f"{VIP} tcp 80,443\n{VIP2} tcp 80,443"),
    "TCP and UDP": draft(f"{VIP} tcp 53\n{VIP} udp 53"),
    "passive FTP": draft(f"{VIP} tcp 21,30000-30100", server(), persistence=300),
    "DR keeps the port": draft("10.0.1.31 tcp 80", server(DR)),
    "NAT changes it": draft("10.0.1.31 tcp 80", server(NAT, 8000)),
    "calls of SIP": draft(f"{VIP} udp 5060-5070", persistence=9, engine="sip"),
    "packet by packet": draft(f"{VIP} udp 53,5353", server(TUN), one_packet=True),
    "IPv6": draft("fd00:10:0:1::31 tcp 80,443", server(DR, 0, "fd00:10:0:1::6")),
    "the largest mark": draft(mark=2**32 - 1),
    "beside a service": draft(f"{VIP} tcp 8079,8081"),
}
BAD = {
    "the mark of a service by hand": (draft(mark=9), "mark", "already has FWM 9 IPv6"),
    "the mark of a rule by hand": (draft(mark=77), "mark", "rule of the firewall"),
    "two families": (
        draft(f"{VIP} tcp 80\nfd00:10:0:1::31 tcp 80"),
        "packets",
        "IPv4 and IPv6 are two services",
    ),
    "one port twice": (draft(f"{VIP} tcp 80,70-90"), "packets", "overlap"),
    "a port of a service": (
        draft(f"{VIP} tcp 8000-9000"),
        "packets",
        "TCP 10.0.1.31:8080 is a service of its own",
    ),
    "a port of a service by hand": (
        draft(f"{VIP2} udp 53"),
        "packets",
        "UDP 10.0.1.32:53 is a service of its own",
    ),
    "a port of another mark": (
        draft(f"{VIP2} tcp 20-25"),
        "packets",
        "TCP 10.0.1.32:21 belongs to FWM 5 already",
    ),
    "no address of the LAN": (draft("10.9.9.9 tcp 80"), "packets", "in no network"),
    "a host's address": (draft("10.0.1.6 tcp 80"), "packets", "web1's own address"),
    "DR to another port": (
        draft("10.0.1.31 tcp 80", server(DR, 81)),
        "port",
        "Direct routing cannot change the port",
    ),
    "NAT to another port, persistent": (
        draft("10.0.1.31 tcp 80", server(NAT, 81), persistence=60),
        "port",
        "keeps the port that the client asked for",
    ),
    "FULLNAT": (
        draft("10.0.1.31 tcp 80", server(NAT), source_nat=True),
        "source_nat",
        "does not go together with a firewall mark",
    ),
    "one-packet TCP": (
        draft(f"{VIP} tcp 53\n{VIP} udp 53", one_packet=True),
        "one_packet",
        "TCP needs all packets",
    ),
    "a tunnel of the other family": (
        draft("fd00:10:0:1::31 tcp 80", server(TUN)),
        "host",
        "listing does not tell the two families apart",
    ),
    "a real server in another family": (
        draft("fd00:10:0:1::31 tcp 80", server(DR)),
        "host",
        "cannot change the family",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_goes_together_is_taken(name):
    assert found(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_is_refused_with_the_reason(name):
    one, field, part = BAD[name]
    (said,) = found(one)
    assert said[0] == field
    assert part in said[1]


def test_a_mark_is_used_once_on_a_director_whatever_the_family():
    around = Surroundings(services=(ServiceAddress.of_mark(7, 6),))
    assert found(draft(), around) == [
        ("mark", "7 is the mark of another service of this cluster.")
    ]


WORDS = [
    ("10.0.1.31 tcp 80", ["TCP 10.0.1.31:80"]),
    ("10.0.1.31 TCP 80, 443", ["TCP 10.0.1.31:80", "TCP 10.0.1.31:443"]),
    ("\n10.0.1.31 udp 5000-5010 53\n", [
        "UDP 10.0.1.31:5000-5010",
        "UDP 10.0.1.31:53",
    ]),
    ("fd00::31 sctp 9", ["SCTP [fd00::31]:9"]),
    ("10.0.1.31 tcp", "“10.0.1.31 tcp”: write a VIP, a protocol and ports"),
    ("10.0.1.31 80 tcp", "“80” is no protocol. Possible are: tcp, udp, sctp."),
    ("web tcp 80", "“web” is no IP address"),
    ("10.0.1.31 tcp 0", "0 is out of range"),
    ("10.0.1.31 tcp 443-80", "443-80 goes backwards: write 80-443."),
    ("10.0.1.31 tcp 80\n10.0.1.31 tcp x", "Line 2: “x” is no whole number."),
    ("10.0.1.31 tcp 80\n" * 65, "65 lines are too many"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_packets_are_read_as_people_write_them(text, expected):
    if isinstance(expected, list):
        assert [str(one) for one in packets.read_packets(text)] == expected
        return
    with pytest.raises(Wrong) as caught:
        packets.read_packets(text)
    assert str(caught.value).startswith(expected)


@given(st.lists(PACKETS, unique=True, max_size=8))
def test_packets_are_spelled_as_they_are_read(marked):
    again = packets.read_packets("\n".join(packets.lines(marked)))
    assert sorted(again, key=lambda one: one.sort_key) == sorted(
        marked, key=lambda one: one.sort_key
    )


@given(st.lists(PACKETS, max_size=6))
def test_any_two_that_overlap_are_found(marked):
    pairs = [
        (one, other)
        for n, one in enumerate(marked)
        for other in marked[n + 1 :]
        if one.overlaps(other)
    ]
    assert bool(packets.overlapping(marked)) == bool(pairs)


def test_a_mark_that_other_rules_set_is_not_begun_with():
    http, https = packets.read_packets(f"{VIP} tcp 80,443")
    shop = VirtualService(ServiceAddress.of_mark(7), Scheduler.RR, packets=(http,))
    mine, theirs = MarkRule(7, http), MarkRule(7, https)

    def why(*args):
        said = mark_check.marked_elsewhere(shop, *args)
        return str(said) if said else ""

    assert why((mine,), ()) == ""
    assert why((mine, theirs), (), (theirs,)) == ""
    assert "TCP 10.0.1.31:443" in why((mine, theirs), ())
    assert "another rule" in why((), (7,))
    assert why((MarkRule(8, https),), (9,)) == ""
    assert "No rule was found" in str(mark_check.not_ours(
        VirtualService(ServiceAddress.of_mark(7)), ()))  # fmt: skip
    assert mark_check.not_ours(shop, ()) is None
    assert mark_check.lowest_free([MARKED, ServiceAddress.of_mark(1)], [2]) == 3
