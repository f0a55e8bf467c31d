"""Every kind of nonsense, refused in plain words beside its field."""

# ruff: noqa: RUF001 - digits that only look like digits are the point here

from ipaddress import IPv4Address, ip_address, ip_interface

import pytest

from cluster.lvs.host import BoundAddress
from cluster.lvs.table import ServiceAddress
from cluster.lvs.terms import ForwardingMethod, Protocol
from cluster.lvs.validate import (
    Draft,
    Server,
    Surroundings,
    Wrong,
    check,
    read_address,
    read_number,
)


def at(vip: str, port: int) -> ServiceAddress:
    return ServiceAddress.of(Protocol.TCP, ip_address(vip), port)


LAB = Surroundings(
    director="lb01",
    bound=(
        BoundAddress("lo", ip_interface("127.0.0.1/8"), "lo"),
        BoundAddress("eth0", ip_interface("10.0.1.3/24"), "eth0"),
        BoundAddress("eth0", ip_interface("10.0.1.40/24"), "eth0:7"),
        BoundAddress("eth1", ip_interface("192.168.9.1/31"), "eth1"),
    ),
    hosts=(
        (ip_address("10.0.1.3"), "lb01"),
        (ip_address("10.0.1.5"), "lb02"),
        (ip_address("10.0.1.6"), "web1"),
        (ip_address("10.0.1.9"), "web2"),
        (ip_address("10.0.1.100"), "client"),
    ),
    services=(at("10.0.1.32", 80),),
    foreign=(at("10.0.1.33", 443),),
)

ADDRESSES = [
    ("10.0.1.31", "10.0.1.31"),
    ("  10.0.1.31 ", "10.0.1.31"),
    ("10.0.1.031", "Write “10.0.1.031” without leading zeros."),
    ("010.0.1.31", "Write “010.0.1.31” without leading zeros."),
    ("10.0.1.256", "“10.0.1.256” is no IPv4 address: 256 is larger than 255."),
    ("10.0.1.999", "“10.0.1.999” is no IPv4 address: 999 is larger than 255."),
    ("10.0.1", "“10.0.1” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    (
        "10.0.1.31.4",
        "“10.0.1.31.4” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
    ),
    ("10.0..31", "“10.0..31” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    ("10.0.1.-1", "“10.0.1.-1” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    (
        "10.0.1. 31",
        "“10.0.1. 31” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
    ),
    ("١٠.0.1.31", "“١٠.0.1.31” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    (
        "10．0．1．31",
        "“10．0．1．31” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
    ),
    ("web1", "“web1” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    (
        "0x0a000101",
        "“0x0a000101” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
    ),
    ("167772161", "“167772161” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    ("", "“” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    ("; reboot", "“; reboot” is no IP address such as 10.0.1.31 or fd00:10:0:1::31."),
    (
        "10.0.1.31/24",
        (
            "Write the address alone, without “/24”: the prefix is that of the"
            " director's network."
        ),
    ),
    (
        "10.0.1.31:80",
        "Write the address alone: the port has a field of its own.",
    ),
    (
        "a" * 5000,
        "“" + "a" * 39 + "…” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
    ),
]

NUMBERS = [
    ("80", 80),
    (" 80 ", 80),
    ("1", 1),
    ("65535", 65535),
    ("0", "0 is out of range: 1 to 65535 are possible."),
    ("65536", "65536 is out of range: 1 to 65535 are possible."),
    ("-1", "-1 is out of range: 1 to 65535 are possible."),
    ("9" * 13, "9999999999999 is out of range: 1 to 65535 are possible."),
    ("9" * 9999, "9" * 39 + "… is out of range: 1 to 65535 are possible."),
    ("080", "Write 080 without leading zeros."),
    ("-080", "Write -080 without leading zeros."),
    ("８０", "“８０” is no whole number. Write 1 to 65535."),
    ("٨٠", "“٨٠” is no whole number. Write 1 to 65535."),
    ("²", "“²” is no whole number. Write 1 to 65535."),
    ("8 0", "“8 0” is no whole number. Write 1 to 65535."),
    ("80.0", "“80.0” is no whole number. Write 1 to 65535."),
    ("1e3", "“1e3” is no whole number. Write 1 to 65535."),
    ("+80", "“+80” is no whole number. Write 1 to 65535."),
    ("8_0", "“8_0” is no whole number. Write 1 to 65535."),
    ("0x50", "“0x50” is no whole number. Write 1 to 65535."),
    ("http", "“http” is no whole number. Write 1 to 65535."),
    ("", "“” is no whole number. Write 1 to 65535."),
    ("80\n", 80),
    ("80\n81", "“80\n81” is no whole number. Write 1 to 65535."),
]

VIPS = [
    ("10.0.1.31", None),
    ("10.0.1.40", None),
    ("192.168.9.0", None),  # a /31 has no network address
    ("127.0.0.1", "127.0.0.1 is a loopback address: no client can reach it."),
    (
        "224.0.0.81",
        "224.0.0.81 is a multicast address. A VIP belongs to one host.",
    ),
    ("0.0.0.0", "0.0.0.0 stands for “this network”, it cannot be bound."),  # noqa: S104
    ("0.1.2.3", "0.1.2.3 stands for “this network”, it cannot be bound."),
    (
        "255.255.255.255",
        "255.255.255.255 is the broadcast address of every network.",
    ),
    ("240.0.0.1", "240.0.0.1 is reserved, no network uses such addresses."),
    ("10.0.1.0", "10.0.1.0 is the name of the network 10.0.1.0/24."),
    ("10.0.1.255", "10.0.1.255 is the broadcast address of 10.0.1.0/24."),
    ("10.0.1.6", "10.0.1.6 is web1's own address."),
    ("10.0.1.3", "10.0.1.3 is lb01's own address."),
    ("10.0.1.100", "10.0.1.100 is client's own address."),
    (
        "10.9.0.31",
        "10.9.0.31 is in no network of lb01: eth0 10.0.1.0/24, eth1 192.168.9.0/31.",
    ),
    ("10.0.1.32", "TCP 10.0.1.32:80 exists in this cluster already."),
]

SERVERS = [
    ("10.0.1.6", 80, {}),
    (
        "10.9.0.5",
        80,
        {
            "host": "10.9.0.5 is not in the LAN of lb01 (10.0.1.0/24): direct routing"
            " rewrites only the MAC address and cannot leave the LAN."
        },
    ),
    (
        "192.168.9.0",
        80,
        {
            "host": "192.168.9.0 is not in the LAN of lb01 (10.0.1.0/24): direct"
            " routing rewrites only the MAC address and cannot leave the LAN."
        },
    ),
    (
        "10.0.1.6",
        8080,
        {
            "port": "Direct routing cannot change the port: packets reach web with the"
            " VIP's own port, 80."
        },
    ),
    ("10.0.1.31", 80, {"host": "10.0.1.31 is the VIP itself."}),
    (
        "10.0.1.3",
        80,
        {"host": "10.0.1.3 is the director lb01 itself. Choose a real server."},
    ),
]


@pytest.mark.parametrize(("text", "result"), ADDRESSES)
def test_read_address(text, result):
    try:
        shown = str(read_address(text))
    except Wrong as wrong:
        shown = str(wrong.sentence)
    assert shown == result


@pytest.mark.parametrize(("text", "result"), NUMBERS)
def test_read_number(text, result):
    shown: int | str
    try:
        shown = read_number(text, 1, 65535)
    except Wrong as wrong:
        shown = str(wrong.sentence)
    assert shown == result


@pytest.mark.parametrize(("vip", "sentence"), VIPS)
def test_vip(vip, sentence):
    found = check(Draft(IPv4Address(vip), 80), LAB)
    assert [(f.field, str(f.sentence)) for f in found] == (
        [("address", sentence)] if sentence else []
    )


def test_a_service_made_by_hand_on_the_director():
    found = check(Draft(IPv4Address("10.0.1.33"), 443), LAB)
    assert [str(f.sentence) for f in found] == [
        (
            "lb01 already has TCP 10.0.1.33:443, made by hand. Choose another address or"
            " port, or delete it there first."
        )
    ]


def test_the_same_vip_with_another_port_is_fine():
    assert check(Draft(IPv4Address("10.0.1.32"), 443), LAB) == []


def test_a_vip_is_checked_although_the_port_cannot_be_read():
    found = check(Draft(IPv4Address("10.0.1.6"), None), LAB)
    assert [f.field for f in found] == ["address"]


@pytest.mark.parametrize(("rip", "port", "sentences"), SERVERS)
def test_real_server(rip, port, sentences):
    server = Server(2, "web", IPv4Address(rip), port)
    found = check(Draft(IPv4Address("10.0.1.31"), 80, servers=(server,)), LAB)
    assert {f.field: str(f.sentence) for f in found} == sentences
    assert all(f.row == 2 for f in found)


METHODS = [
    (ForwardingMethod.TUN, "10.9.0.5", 80, {}),
    (
        ForwardingMethod.TUN,
        "10.9.0.5",
        8080,
        {
            "port": "Tunneling cannot change the port: packets reach web with the VIP's"
            " own port, 80."
        },
    ),
    (ForwardingMethod.NAT, "10.9.0.5", 8080, {}),
    (ForwardingMethod.NAT, "10.0.1.31", 80, {"host": "10.0.1.31 is the VIP itself."}),
    (
        ForwardingMethod.TUN,
        "10.0.1.3",
        80,
        {"host": "10.0.1.3 is the director lb01 itself. Choose a real server."},
    ),
]


@pytest.mark.parametrize(("method", "rip", "port", "sentences"), METHODS)
def test_what_each_method_can_and_cannot(method, rip, port, sentences):
    server = Server(2, "web", IPv4Address(rip), port, method)
    found = check(Draft(IPv4Address("10.0.1.31"), 80, servers=(server,)), LAB)
    assert {f.field: str(f.sentence) for f in found} == sentences


def test_real_server_off_the_lan_is_told_before_the_vip_is_typed():
    server = Server(0, "far", IPv4Address("10.9.0.5"), 80)
    found = check(Draft(None, None, servers=(server,)), LAB)
    assert [str(f.sentence) for f in found] == [
        (
            "10.9.0.5 is not in the LAN of lb01 (10.0.1.0/24, 192.168.9.0/31): direct"
            " routing rewrites only the MAC address and cannot leave the LAN."
        )
    ]


def test_a_real_server_stands_only_once():
    twice = tuple(Server(row, "web1", IPv4Address("10.0.1.6"), 80) for row in (0, 1))
    found = check(Draft(IPv4Address("10.0.1.31"), 80, servers=twice), LAB)
    assert [(f.row, f.field, str(f.sentence)) for f in found] == [
        (1, "host", "web1 stands here twice with the same port.")
    ]


def test_rows_that_could_not_be_read_are_no_duplicates():
    empty = (Server(0, ""), Server(1, ""))
    assert check(Draft(IPv4Address("10.0.1.31"), 80, servers=empty), LAB) == []


def test_without_facts_of_the_director_only_the_address_itself_is_judged():
    nowhere = Surroundings(director="lb01")
    server = Server(0, "far", IPv4Address("10.9.0.5"), 80)
    vip = IPv4Address("172.16.0.1")
    assert check(Draft(vip, 80, servers=(server,)), nowhere) == []
    assert check(Draft(IPv4Address("127.0.0.1"), 80), nowhere) != []
