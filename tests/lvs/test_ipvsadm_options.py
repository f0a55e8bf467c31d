"""ipvsadm(8), option by option: what it refuses, or takes and quietly changes, is
refused here with a reason, whether it was typed in the form or stands in a file.

Each case is one service as a file has it, around what is usual. The form asks the same
``validate.check``; what it cannot even say needs no case of its own.
"""

from ipaddress import ip_address

import pytest

from cluster.lvs.validate import Surroundings
from cluster.lvs.wish_file import Known, Refused, read
from tests.build import director

WEBS = {"web1": ip_address("10.0.1.6"), "web2": ip_address("10.0.1.9")}
KNOWN = Known("lab", ("lb01",), {name: (rip,) for name, rip in WEBS.items()})
NAMES = tuple((address, name) for name, address in WEBS.items())
AROUND = Surroundings("lb01", director().addresses, NAMES)
UDP, LASTING = {"protocol": "udp"}, {"persistence_timeout": 300}


def problems(service, server):
    usual = {"host": "web1"} | server
    # A case with an address has no host.
    one = {key: value for key, value in usual.items() if value is not None}
    row = {"protocol": "tcp", "vip": "10.0.1.31", "port": 80, "real_servers": [one]}
    data = {"cluster": "lab", "services": [row | service]}
    try:
        read(data, KNOWN, AROUND)
    except Refused as refused:
        place = "services[0]."
        return {p.where.removeprefix(place): str(p.sentence) for p in refused.problems}
    return {}


RS = "real_servers[0]."
TUN = {"method": "tun"}
# option of ipvsadm: the service, its real server, the field, words of the reason
REFUSED = {
    # -t -u --sctp-service
    "port 0": ({"port": 0}, {}, "port", "Switch persistence on, or write a port"),
    "port too high": ({"port": 65536}, {}, "port", "out of range"),
    "no such protocol": ({"protocol": "icmp"}, {}, "protocol", "not possible here"),
    # -s
    "no such scheduler": ({"scheduler": "twos"}, {}, "scheduler", "not possible"),
    # -p
    "persistence too long": (
        {"persistence_timeout": 2678401},
        {},
        "persistence_timeout",
        "0 to 2678400 are possible",
    ),
    "persistence below 0": (
        {"persistence_timeout": -1},
        {},
        "persistence_timeout",
        "out of range",
    ),
    # -M
    "netmask without persistence": (
        {"persistence_netmask": 24},
        {},
        "persistence_netmask",
        "switch persistence on",
    ),
    "netmask of nobody": (
        {**LASTING, "persistence_netmask": 0},
        {},
        "persistence_netmask",
        "1 to 128 are possible",
    ),
    "netmask too long": (
        {**LASTING, "persistence_netmask": 33},
        {},
        "persistence_netmask",
        "1 to 32 are possible",
    ),
    # --pe
    "no such engine": (
        {**UDP, **LASTING, "persistence_engine": "rtp"},
        {},
        "persistence_engine",
        "not possible here",
    ),
    "sip over TCP": (
        {**LASTING, "persistence_engine": "sip"},
        {},
        "persistence_engine",
        "reads UDP only",
    ),
    "sip over SCTP": (
        {"protocol": "sctp", **LASTING, "persistence_engine": "sip"},
        {},
        "persistence_engine",
        "reads UDP only: with SCTP",
    ),
    "sip without persistence": (
        {**UDP, "persistence_engine": "sip"},
        {},
        "persistence_engine",
        "switch persistence on",
    ),
    # -b
    **{
        f"{flag} with {name}": (
            {"scheduler": name, flag: True},
            {},
            flag,
            f"Only sh and mh hash the client; {name} has no use for it.",
        )
        for flag in ("hash_port", "hash_fallback")
        for name in ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sed", "nq")
    },
    # -o
    **{
        f"one packet over {name}": (
            {"protocol": name, "one_packet": True},
            {},
            "one_packet",
            "One-packet scheduling is for UDP only",
        )
        for name in ("tcp", "sctp")
    },
    "one packet by NAT": (
        {**UDP, "one_packet": True},
        {"method": "nat"},
        RS + "method",
        "NAT and one-packet scheduling do not go together",
    ),
    # -r
    "DR changes the port": (
        {},
        {"port": 8080},
        RS + "port",
        (
            "Direct routing cannot change the port: packets reach web1 with the VIP's"
            " own port, 80."
        ),
    ),
    "TUN changes the port": (
        {},
        {**TUN, "port": 8080},
        RS + "port",
        "Tunneling cannot change the port",
    ),
    "another family": (
        {},
        {"host": None, "address": "2001:db8::6"},
        RS + "address",
        "IPv6",
    ),
    "DR beyond the LAN": (
        {},
        {"host": None, "address": "10.0.2.7"},
        RS + "address",
        "direct routing rewrites only the MAC address",
    ),
    "the VIP itself": (
        {},
        {"host": None, "address": "10.0.1.31"},
        RS + "address",
        "is the VIP itself",
    ),
    # -w
    "weight below 0": ({}, {"weight": -1}, RS + "weight", "0 to 65535"),
    "weight too large": ({}, {"weight": 65536}, RS + "weight", "0 to 65535"),
    # -x -y
    "lower without upper": (
        {},
        {"lower_threshold": 5},
        RS + "lower_threshold",
        "write an upper threshold too",
    ),
    "lower above upper": (
        {},
        {"upper_threshold": 5, "lower_threshold": 6},
        RS + "lower_threshold",
        "The lower threshold 6 is above the upper one, 5.",
    ),
    "threshold too large": (
        {},
        {"upper_threshold": 65536},
        RS + "upper_threshold",
        "0 to 65535",
    ),
    # --tun-type --tun-port --tun-nocsum --tun-csum --tun-remcsum
    "no such tunnel": ({}, {**TUN, "tunnel": "ipsec"}, RS + "tunnel", "not possible"),
    **{
        f"a tunnel by {name}": (
            {},
            {"method": name, "tunnel": "gre"},
            RS + "tunnel",
            "A type of tunnel belongs to tunneling only",
        )
        for name in ("dr", "nat")
    },
    "gue without port": (
        {},
        {**TUN, "tunnel": "gue"},
        RS + "tunnel_port",
        "GUE needs a UDP port",
    ),
    **{
        f"{kind} with port": (
            {},
            {**TUN, "tunnel": kind, "tunnel_port": 6080},
            RS + "tunnel_port",
            f"Only GUE has a port: {kind}",
        )
        for kind in ("ipip", "gre")
    },
    "port 0 of gue": (
        {},
        {**TUN, "tunnel": "gue", "tunnel_port": 0},
        RS + "tunnel_port",
        "GUE needs a UDP port",
    ),
    **{
        f"ipip with {word}": (
            {},
            {**TUN, "tunnel_checksum": word},
            RS + "tunnel_checksum",
            "ipip has no checksum",
        )
        for word in ("csum", "remcsum")
    },
    "gre with remcsum": (
        {},
        {**TUN, "tunnel": "gre", "tunnel_checksum": "remcsum"},
        RS + "tunnel_checksum",
        "gre knows nocsum, csum only",
    ),
    # FULLNAT, which is NAT with the source replaced
    "local addresses without fullnat": (
        {"local_addresses": "10.0.1.201"},
        {"method": "nat"},
        "local_addresses",
        "switch FULLNAT on",
    ),
    **{
        f"local addresses {text}": (
            {"fullnat": True, "local_addresses": text},
            {"method": "nat"},
            "local_addresses",
            words,
        )
        for text, words in {
            "10.0.1.31": "is a VIP of this cluster",
            "10.0.9.1": "is in no network of lb01",
            "10.0.1.204-10.0.1.201": "Write the first address, a hyphen",
            "10.0.1.100-10.0.1.200": "at most 64 in all",
            "10.0.1.6": "is web1's own address",
            "here": "is no IP address",
        }.items()
    },
    **{
        f"fullnat by {name}": (
            {"fullnat": True},
            {"method": name},
            RS + "method",
            "Choose NAT.",
        )
        for name in ("dr", "tun")
    },
}

LEGAL = {
    "as usual": ({}, {}),
    "drained": ({}, {"weight": 0}),
    "persistent for a month": ({"persistence_timeout": 2678400}, {}),
    "a network of clients": ({**LASTING, "persistence_netmask": 1}, {}),
    "sip": ({**UDP, **LASTING, "persistence_engine": "sip"}, {}),
    "sip, each packet": (
        {**UDP, **LASTING, "persistence_engine": "sip", "one_packet": True},
        {},
    ),
    "sh with flags": (
        {"scheduler": "sh", "hash_port": True, "hash_fallback": True},
        {},
    ),
    "mh with flags": (
        {"scheduler": "mh", "hash_port": True, "hash_fallback": True},
        {},
    ),
    "one packet by DR": ({**UDP, "one_packet": True}, {}),
    "one packet by TUN": ({**UDP, "one_packet": True}, TUN),
    "NAT changes the port": ({}, {"method": "nat", "port": 8080}),
    "NAT beyond the LAN": (
        {},
        {"host": None, "address": "10.0.2.7", "method": "nat"},
    ),
    "TUN beyond the LAN": ({}, {"host": None, "address": "10.0.2.7", **TUN}),
    "thresholds": ({}, {"upper_threshold": 65535, "lower_threshold": 65535}),
    "upper alone": ({}, {"upper_threshold": 1}),
    "gue": ({}, {**TUN, "tunnel": "gue", "tunnel_port": 65535}),
    "gre with checksum": ({}, {**TUN, "tunnel": "gre", "tunnel_checksum": "csum"}),
    "fullnat": ({"fullnat": True}, {"method": "nat", "port": 8080}),
    **{
        f"local addresses {text}": (
            {"fullnat": True, "local_addresses": text},
            {"method": "nat"},
        )
        for text in ("10.0.1.3", "10.0.1.201-10.0.1.204")
    },
    "sctp": ({"protocol": "sctp"}, {}),
}


@pytest.mark.parametrize(
    ("service", "server", "field", "words"), REFUSED.values(), ids=REFUSED
)
def test_refused(service, server, field, words):
    found = problems(service, server)
    assert words in found.get(field, ""), found


@pytest.mark.parametrize(("service", "server"), LEGAL.values(), ids=LEGAL)
def test_legal(service, server):
    assert problems(service, server) == {}


def test_a_server_twice():
    row = {"protocol": "tcp", "vip": "10.0.1.31", "port": 80}
    row["real_servers"] = [{"host": "web1"}, {"host": "web1"}]
    with pytest.raises(Refused) as refused:
        read({"cluster": "lab", "services": [row]}, KNOWN, AROUND)
    assert "web1 stands here twice" in str(refused.value)


def test_a_service_twice():
    row = {"protocol": "tcp", "vip": "10.0.1.31", "port": 80}
    with pytest.raises(Refused) as refused:
        read({"cluster": "lab", "services": [row, row]}, KNOWN, AROUND)
    assert "TCP 10.0.1.31:80 exists in this cluster already" in str(refused.value)
