"""IPv6 addresses as people type them; those of IPv4 are in test_validate.py."""

from ipaddress import IPv6Address, ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.addresses import Wrong, of_family, read_address
from cluster.lvs.host import BoundAddress
from cluster.lvs.options import Options
from cluster.lvs.table import Tunnel
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.validate import Draft, Server, Surroundings, check

ODD = "“{}” is no IPv6 address"
TYPED = [
    ("fd00:10:0:1::31", "fd00:10:0:1::31"),
    (" FD00:0010:0:1:0:0:0:31 ", "fd00:10:0:1::31"),
    ("2001:db8::1", "2001:db8::1"),
    (
        "fe80::1%eth0",
        (
            "Write the address alone, without “%eth0”: the director finds the device by its"
            " networks."
        ),
    ),
    (
        "fd00::31/64",
        (
            "Write the address alone, without “/64”: the prefix is that of the director's"
            " network."
        ),
    ),
    ("[fd00::31]:80", "Write the address alone: the port has a field of its own."),
    ("[fd00::31]", "Write the address without brackets."),
    (
        "::ffff:10.0.1.31",
        (
            "“::ffff:10.0.1.31” is an IPv4 address in the clothes of IPv6: write"
            " 10.0.1.31."
        ),
    ),
    (
        "fd00::12345",
        (
            f"{ODD.format('fd00::12345')}: “12345” is not one to four digits of 0 to 9 and"
            " a to f."
        ),
    ),
    (
        "fd00::wxyz",
        (
            f"{ODD.format('fd00::wxyz')}: “wxyz” is not one to four digits of 0 to 9 and a"
            " to f."
        ),
    ),
    (
        "fd00::1::31",
        f"{ODD.format('fd00::1::31')}: “::” can stand in it only once.",
    ),
    (
        "fd00:10:0:1:31",
        (
            f"{ODD.format('fd00:10:0:1:31')}: it has 5 groups instead of 8. Write “::”"
            " where groups of zeros are left out."
        ),
    ),
    (
        "1:2:3:4:5:6:7:8:9",
        f"{ODD.format('1:2:3:4:5:6:7:8:9')} such as fd00:10:0:1::31.",
    ),
]
LAN = Surroundings(
    director="lb01",
    bound=(
        BoundAddress("lo", ip_interface("::1/128")),
        BoundAddress("eth0", ip_interface("10.0.1.3/24"), "eth0"),
        BoundAddress("eth0", ip_interface("fd00:10:0:1::3/64")),
        BoundAddress("eth0", ip_interface("fd00:10:0:9::40/128")),
    ),
    hosts=((ip_address("fd00:10:0:1::6"), "web1"),),
)
VIPS = [
    ("fd00:10:0:1::31", ""),
    ("::1", "::1 is a loopback address: no client can reach it."),
    ("ff02::1", "ff02::1 is a multicast address. A VIP belongs to one host."),
    ("::", ":: stands for “no address”, it cannot be bound."),
    (
        "fe80::1",
        (
            "fe80::1 is a link-local address: it is good on one link only, and no name or"
            " client can lead to it without naming the link."
        ),
    ),
    ("fec0::1", "fec0::1 is reserved, no network uses such addresses."),
    ("64:ff9b::1", "64:ff9b::1 is reserved, no network uses such addresses."),
    ("fd00:10:0:1::6", "fd00:10:0:1::6 is web1's own address."),
    ("fd00:10:0:1::", "fd00:10:0:1:: stands for every router of fd00:10:0:1::/64."),
    # The /128 beside it is a VIP of somebody's, no network.
    (
        "fd00:10:0:9::41",
        (
            "fd00:10:0:9::41 is in no network of lb01: eth0 10.0.1.0/24, eth0"
            " fd00:10:0:1::/64."
        ),
    ),
]
VIP = ip_address("fd00:10:0:1::31")
WEB6, TUN = ip_address("fd00:10:0:1::6"), ForwardingMethod.TUN
SERVERS = [
    ("fd00:10:0:1::6", ForwardingMethod.NAT, ""),
    ("fd00:10:0:9::6", ForwardingMethod.TUN, ""),
    ("10.0.1.6", ForwardingMethod.TUN, ""),
    ("fd00:10:0:1::6", ForwardingMethod.DR, ""),
    (
        "10.0.1.6",
        ForwardingMethod.DR,
        (
            "web1 is reached at 10.0.1.6, which is IPv4, and the VIP fd00:10:0:1::31 is"
            " IPv6: Direct routing cannot change the family. Give the host an address of"
            " IPv6."
        ),
    ),
    (
        "10.0.1.6",
        ForwardingMethod.NAT,
        (
            "web1 is reached at 10.0.1.6, which is IPv4, and the VIP fd00:10:0:1::31 is"
            " IPv6: NAT cannot change the family. Give the host an address of IPv6."
        ),
    ),
    (
        "fd00:10:0:2::6",
        ForwardingMethod.DR,
        (
            "fd00:10:0:2::6 is not in the LAN of lb01 (fd00:10:0:1::/64): direct routing"
            " rewrites only the MAC address and cannot leave the LAN."
        ),
    ),
]


@pytest.mark.parametrize(("text", "result"), TYPED)
def test_read_address(text, result):
    try:
        shown = str(read_address(text))
    except Wrong as wrong:
        shown = str(wrong.sentence)
    assert shown == result


@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_address_is_read_alike(address):
    if not address.ipv4_mapped:
        assert read_address(address.exploded) == address
        assert read_address(address.compressed.upper()) == address


@given(st.text("0123456789abcdef:.%[]/g", max_size=50))
def test_no_text_is_taken_for_an_address_that_it_is_not(text):
    try:
        found = read_address(text)
    except Wrong:
        return
    assert found == ip_address(text.strip())


@pytest.mark.parametrize(("vip", "why"), VIPS)
def test_a_vip_among_its_surroundings(vip, why):
    found = check(Draft(IPv6Address(vip), 80), LAN)
    assert [(one.field, str(one.sentence)) for one in found] == (
        [("address", why)] if why else []
    )


@pytest.mark.parametrize(("rip", "method", "why"), SERVERS)
def test_a_real_server_has_the_family_of_the_vip(rip, method, why):
    server = Server(0, "web1", ip_address(rip), 80, method)
    found = check(Draft(VIP, 80, servers=(server,)), LAN)
    assert [(one.field, str(one.sentence)) for one in found] == (
        [("host", why)] if why else []
    )


@pytest.mark.parametrize(
    ("vip", "prefix", "good"), [(VIP, 128, True), (ip_address("10.0.1.31"), 64, False)]
)
def test_the_persistence_prefix_fits_the_family(vip, prefix, good):
    found = check(Draft(vip, 80, options=Options(persistence=9, netmask=prefix)), LAN)
    assert [one.field for one in found] == ([] if good else ["netmask"])


def test_a_host_is_reached_in_the_family_that_is_asked_for():
    four, six = ip_address("10.0.1.6"), ip_address("fd00:10:0:1::6")
    assert of_family((four, six), 6) == six
    assert of_family((four, six), 4) == four
    assert of_family((four,), 6) == four


def test_what_is_set_up_for_ipv4_only_is_refused_for_ipv6():
    four = Draft(
        ip_address("10.0.1.31"), 80, servers=(Server(0, "web1", WEB6, 80, TUN),)
    )
    gue = Server(0, "web1", WEB6, 80, TUN, tunnel=Tunnel("gue", 6080))
    replaced = Options(source_nat=True)
    drafts = [
        (four, "host", "a tunnel over IPv6 carries IPv6 only here"),
        (Draft(VIP, 80, servers=(gue,)), "tunnel_type", "set up for IPv4 only"),
        (Draft(VIP, 80, options=replaced), "source_nat", "set up for IPv4 only"),
    ]
    for draft, field, why in drafts:
        (found,) = check(draft, LAN)
        assert found.field == field
        assert why in str(found.sentence)
