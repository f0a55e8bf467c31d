"""What services need to be listened to, and what ss says about it."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import facts
from cluster.lvs.listening import Socket, needed, parse, unheard
from cluster.lvs.table import Packets, ServiceAddress, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol
from tests.build import VIP, WEB1, at, server, service, table

TCP, UDP = Protocol.TCP, Protocol.UDP
RIP = ip_address(WEB1)
# As iproute2 6.1 prints it; the last column is the peer.
SS = """\
udp UNCONN 0      0      127.0.0.53%lo:53   0.0.0.0:*
udp UNCONN 0      0      [fe80::1]%eth0:546 [::]:*
tcp LISTEN 0      128          0.0.0.0:22   0.0.0.0:*
tcp LISTEN 0      511                *:80         *:*
tcp LISTEN 0      128             [::]:22      [::]:*
tcp LISTEN 0      128 [::ffff:10.0.1.6]:443       *:*
"""


def any_address(port=80, protocol=TCP):
    return Socket(protocol, None, port)


def test_ss_is_asked_without_root():
    assert facts.LISTENING.command.line == "ss -Hltun"
    assert not facts.LISTENING.command.root


def test_a_listing_is_read():
    assert parse(SS) == (
        Socket(UDP, ip_address("127.0.0.53"), 53),
        Socket(UDP, ip_address("fe80::1"), 546),
        Socket(TCP, ip_address(0), 22),
        any_address(80),
        Socket(TCP, ip_address("::"), 22),
        Socket(TCP, RIP, 443),
    )
    assert parse("tcp LISTEN 0 128 :::80 :::*\n") == (any_address(80),)
    assert parse("sctp LISTEN 0 5 10.0.1.6:9 0.0.0.0:*\n") == ()
    assert parse("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "ss: invalid option",
        "tcp LISTEN 0 1 what *:*",
        "tcp LISTEN 0 1 a:80 *:*",
        "tcp LISTEN 0 1 *:http *:*",
    ],
)
def test_what_is_no_listing_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse(text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from((TCP, UDP)),
            st.one_of(st.none(), st.ip_addresses()),
            st.integers(0, 65535),
        )
    )
)
def test_every_listing_is_read_as_it_was_written(sockets):
    lines, wanted = [], []
    for protocol, address, port in sockets:
        place = "*" if address is None else str(address)
        place = f"[{place}]" if ":" in place else place
        lines.append(f"{protocol.value} X 0 0 {place}:{port} *:*")
        mapped = getattr(address, "ipv4_mapped", None)
        wanted.append(Socket(protocol, mapped or address, port))
    assert parse("\n".join(lines)) == tuple(wanted)


def places(*services, rips=(WEB1,)):
    hosts = {"web1": [ip_address(rip) for rip in rips]}
    found = needed(table(*services), hosts)["web1"]
    return [(one.protocol.value, str(one.address), one.port) for one in found]


@pytest.mark.parametrize(
    ("method", "place"),
    [
        (ForwardingMethod.DR, ("tcp", VIP, 80)),
        (ForwardingMethod.TUN, ("tcp", VIP, 80)),
        (ForwardingMethod.NAT, ("tcp", WEB1, 8080)),
        (ForwardingMethod.FULLNAT, ("tcp", WEB1, 8080)),
    ],
)
def test_a_method_decides_where_the_packet_arrives(method, place):
    port = place[2]
    assert places(service(servers=[server(port=port, method=method)])) == [place]


def marked(method):
    vip = ip_address(VIP)
    packets = (
        Packets(TCP, vip, 443, 443),
        Packets(UDP, vip, 53, 53),
        Packets(TCP, vip, 8000, 8010),
    )
    one = server(port=0, method=method)
    return VirtualService(ServiceAddress.of_mark(7), servers=(one,), packets=packets)


def test_of_a_firewall_mark_single_ports_are_needed():
    assert places(marked(ForwardingMethod.DR)) == [("tcp", VIP, 443), ("udp", VIP, 53)]
    assert places(marked(ForwardingMethod.NAT)) == [
        ("tcp", WEB1, 443),
        ("udp", WEB1, 53),
    ]


def test_what_is_not_judged():
    assert places(service(port=0)) == []
    assert places(service(servers=[server(weight=0)])) == []
    assert places(VirtualService(at(protocol=Protocol.SCTP), servers=(server(),))) == []
    assert places(service(), rips=("10.0.1.77",)) == []


@pytest.mark.parametrize(
    ("method", "text", "told"),
    [
        (ForwardingMethod.DR, "*:80", None),
        (ForwardingMethod.DR, "0.0.0.0:80", None),
        (ForwardingMethod.DR, "10.0.1.31:80", None),
        (ForwardingMethod.DR, "0.0.0.0%eth0:80", None),
        (
            ForwardingMethod.DR,
            "10.0.1.6:80",
            (
                "TCP 80 of web1 (10.0.1.6) listens on 10.0.1.6 only: TCP 10.0.1.31:80 needs"
                " a daemon that listens on 10.0.1.31 or on any address."
            ),
        ),
        (
            ForwardingMethod.DR,
            "*:81",
            (
                "Nothing listens on TCP 80 of web1 (10.0.1.6): TCP 10.0.1.31:80 needs a"
                " daemon that listens on 10.0.1.31 or on any address."
            ),
        ),
        (
            ForwardingMethod.TUN,
            "[::]:80",
            (
                "TCP 80 of web1 (10.0.1.6) listens on :: only: TCP 10.0.1.31:80 needs a"
                " daemon that listens on 10.0.1.31 or on any address."
            ),
        ),
        (ForwardingMethod.NAT, "10.0.1.6:80", None),
        (
            ForwardingMethod.NAT,
            "*:81",
            "Nothing listens on TCP 80 of web1 (10.0.1.6), which TCP 10.0.1.31:80 needs.",
        ),
        (
            ForwardingMethod.NAT,
            "127.0.0.1:80",
            (
                "TCP 80 of web1 (10.0.1.6) listens on 127.0.0.1 only: TCP 10.0.1.31:80 needs"
                " a daemon that listens on 10.0.1.6 or on any address."
            ),
        ),
    ],
)
def test_what_is_missing_is_said(method, text, told):
    wanted = needed(table(service(servers=[server(method=method)])), {"web1": [RIP]})[
        "web1"
    ]
    found = unheard(wanted, parse(f"tcp LISTEN 0 128 {text} *:*\n"), "web1")
    assert [str(sentence) for _one, sentence in found] == ([told] if told else [])


def test_udp_does_not_answer_for_tcp():
    wanted = needed(table(service()), {"web1": [RIP]})["web1"]
    assert unheard(wanted, [any_address(80, UDP)], "web1")


def test_each_host_is_told_apart_and_may_have_two_addresses():
    rip, six, other = RIP, ip_address("fd00::6"), ip_address("10.0.1.7")
    near = service(servers=[server(), server(str(other)), server("10.0.1.77")])
    again = service("fd00::31", servers=[server("fd00::6")])
    found = needed(table(again, near), {"web1": [rip, six], "web2": [other]})
    assert {
        owner: [str(one.server.address) for one in some]
        for owner, some in found.items()
    } == {
        "web1": ["10.0.1.6", "fd00::6"],
        "web2": ["10.0.1.7"],
    }


def test_two_hosts_that_claim_one_address_are_both_asked():
    found = needed(table(service(servers=[server()])), {"web1": [RIP], "web9": [RIP]})
    assert len(found["web1"]) == 1
    assert found["web1"] == found["web9"]
