"""Types of tunnel: what goes together, what each costs, and what a host gets for it."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from cluster.lvs import facts
from cluster.lvs.encapsulation import advice, described, device, overhead, wrong
from cluster.lvs.host import Footprint, HostState, Tunnel
from cluster.lvs.plan import plan
from cluster.lvs.rules import parse, render
from cluster.lvs.table import Tunnel as Encapsulated
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.validate import Draft, Server, Surroundings, check
from cluster.lvs.wish import host_wishes
from tests.build import NAMES, WEB1, WEB2, server, service, table, wish
from tests.lvs.modes import carried_out, cluster, lines, same

DR, TUN, NAT = ForwardingMethod.DR, ForwardingMethod.TUN, ForwardingMethod.NAT
GUE, GRE = Encapsulated("gue", 6080), Encapsulated("gre")
GRE_CSUM = Encapsulated("gre", 0, "csum")

# ipvsadm(8): the port is required for gue and illegal elsewhere; gue knows all three
# checksums, gre the first two, ipip none; all of it needs -i.
LEGAL = [
    *(Encapsulated("gue", 6080, word) for word in ("nocsum", "csum", "remcsum")),
    *(Encapsulated("gre", 0, word) for word in ("nocsum", "csum")),
    None,
]
ILLEGAL = [
    (DR, GUE, "tunnel_type", "A type of tunnel belongs to tunneling only"),
    (NAT, GRE, "tunnel_type", "NAT packs nothing into other packets"),
    (DR, Encapsulated("ipip", 6080), "tunnel_type", "Direct routing packs nothing"),
    (TUN, Encapsulated("gue"), "tunnel_port", "GUE needs a UDP port"),
    (TUN, Encapsulated("gre", 6080), "tunnel_port", "Only GUE has a port: gre is"),
    (TUN, Encapsulated("ipip", 6080), "tunnel_port", "Only GUE has a port: ipip is"),
    (TUN, Encapsulated("ipip", 0, "csum"), "tunnel_checksum", "ipip has no checksum."),
    (
        TUN,
        Encapsulated("gre", 0, "remcsum"),
        "tunnel_checksum",
        "gre knows nocsum, csum only.",
    ),
]


@pytest.mark.parametrize("tunnel", LEGAL)
def test_what_is_legal(tunnel):
    assert not [*wrong(TUN, tunnel)]


@pytest.mark.parametrize("method", [DR, NAT])
def test_no_tunnel_is_legal_everywhere(method):
    assert not [*wrong(method, None)]


@pytest.mark.parametrize(("method", "tunnel", "field", "words"), ILLEGAL)
def test_what_is_not_legal_is_refused_at_its_field(method, tunnel, field, words):
    found = dict(wrong(method, tunnel))
    assert words in str(found[field])


# As the lab's kernel told a client by ICMP: 1480, 1468 and 1460 bytes are left.
SIZES = [
    (None, 20),
    (GRE, 24),
    (GRE_CSUM, 28),
    (GUE, 32),
    (replace(GUE, checksum="csum"), 32),
    (replace(GUE, checksum="remcsum"), 40),
]


@pytest.mark.parametrize(("tunnel", "size"), SIZES)
def test_what_a_tunnel_costs(tunnel, size):
    assert overhead(tunnel) == size
    said = str(advice(tunnel))
    assert f"adds {size} bytes" in said
    assert f"an MSS of {1500 - size - 40} there" in said
    assert f"an MSS of {1500 - size - 20 - 60} there" in str(advice(tunnel, family=6))


def test_a_tunnel_in_words():
    found = [str(described(one)) for one in (None, GUE, GRE_CSUM)]
    assert found == ["ipip", "gue, UDP port 6080, no checksum", "gre, checksum"]


# -- one real server takes GRE in one way only ----------------------------------------


def drafted(*tunnels):
    servers = (
        Server(n, "web1", ip_address(WEB1), 80 + n, TUN, tunnel=tunnel)
        for n, tunnel in enumerate(tunnels)
    )
    return Draft(ip_address("10.0.1.31"), 80, servers=tuple(servers))


MIXED = "web1 takes GRE packets either with a checksum or without one"


@pytest.mark.parametrize(
    ("other", "refused"), [(GRE, True), (GRE_CSUM, False), (GUE, False)]
)
def test_gre_with_and_without_checksum_in_two_services(other, refused):
    around = Surroundings(tunnels=((ip_address(WEB1), other),))
    found = [f for f in check(drafted(GRE_CSUM), around) if f.field != "port"]
    assert [f.field for f in found] == ["tunnel_checksum"] * refused
    assert all(MIXED in str(f.sentence) for f in found)
    elsewhere = Surroundings(tunnels=((ip_address(WEB2), other),))
    assert not check(drafted(GRE_CSUM), elsewhere)


def test_gre_with_and_without_checksum_in_one_service():
    found = check(drafted(GRE, GRE_CSUM), Surroundings())
    assert [(f.field, f.row) for f in found if MIXED in str(f.sentence)] == [
        ("tunnel_checksum", 0),
        ("tunnel_checksum", 1),
    ]


# -- the text of ipvsadm, as a director printed it (ipvsadm 1.31, Debian 12) -----------

PRINTED = """\
-A -t 10.0.1.31:80 -s rr
-a -t 10.0.1.31:80 -r 10.0.1.6:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 10.0.1.31:80 -r 10.0.1.9:80 -i -w 1 --tun-type gre --tun-csum
-A -t 10.0.1.31:81 -s rr
-a -t 10.0.1.31:81 -r 10.0.1.6:81 -i -w 1 --tun-type ipip
-a -t 10.0.1.31:81 -r 10.0.1.9:81 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
"""


def by(*tunnels, port=80):
    servers = [
        server(rip, port, TUN, tunnel=tunnel)
        for rip, tunnel in zip((WEB1, WEB2), tunnels, strict=True)
    ]
    return service(port=port, servers=servers)


def test_what_a_director_prints_is_read_back():
    remote = replace(GUE, checksum="remcsum")
    wanted = table(by(GUE, GRE_CSUM), by(None, remote, port=81))
    assert parse(PRINTED) == wanted
    assert parse(render(wanted)) == wanted


# -- what a real server gets ----------------------------------------------------------


def test_which_device_packets_come_out_of():
    found = [device(one) for one in (None, GUE, GRE, GRE_CSUM)]
    assert found == ["tunl0", "tunl0", "gre0", "gre-csum"]


def prepared(host, tunnel):
    found, _left = carried_out(cluster(), wish(by(tunnel, tunnel)))
    return [line for line in lines(found, host) if not line.startswith("sysctl")]


def test_gue_is_taken_out_of_its_port_and_then_comes_out_of_tunl0():
    assert prepared("web1", GUE) == [
        "modprobe ipip",
        "modprobe fou",
        "ip link set tunl0 up",
        "ip fou add port 6080 gue",
        "ip addr add 10.0.1.31/32 dev tunl0 label tunl0:1",
    ]


def test_gre_comes_out_of_the_device_of_its_module():
    assert prepared("web1", GRE) == [
        "modprobe ip_gre",
        "ip link set gre0 up",
        "ip addr add 10.0.1.31/32 dev gre0 label gre0:1",
    ]


def test_gre_with_a_checksum_needs_a_device_of_its_own():
    assert prepared("web2", GRE_CSUM) == [
        "modprobe ip_gre",
        "ip link add gre-csum type gre local 10.0.1.9 icsum",
        "ip link set gre-csum up",
        "ip addr add 10.0.1.31/32 dev gre-csum label gre-csum:1",
    ]


def test_the_plan_says_what_a_tunnel_does_to_the_size_of_packets():
    found, _left = carried_out(cluster(), wish(by(GUE, GRE)))
    told = [str(s) for change in found.changes for s in change.sentences]
    assert str(advice(GUE)) in told
    assert str(advice(GRE)) in told
    assert any("Tunneling by gue, UDP port 6080" in text for text in told)


KINDS = {"ipip": None, "gue": GUE, "gre": GRE, "gre-csum": GRE_CSUM}


@pytest.mark.parametrize("after", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("before", KINDS.values(), ids=KINDS)
def test_from_any_type_to_any_other_and_away(before, after):
    models = cluster()
    clean = {name: model.state for name, model in models.items()}
    _found, left = carried_out(models, wish(by(before, before)))
    _found, left = carried_out(models, wish(by(after, before)), left)
    _found, left = carried_out(models, wish(by(after, after)), left)
    _found, left = carried_out(models, wish(), left)
    assert all(same(model.state, clean[name]) for name, model in models.items())
    assert not any(left.values())


@pytest.mark.parametrize("tunnel", KINDS.values(), ids=KINDS)
def test_undoing_every_step_leaves_nothing_behind(tunnel):
    models = cluster()
    clean = {name: model.state for name, model in models.items()}
    found, _left = carried_out(models, wish(by(tunnel, tunnel)))
    for change in reversed([c for c in found.changes if c.undo]):
        assert models[change.host](change.undo).ok
    assert all(same(model.state, clean[name]) for name, model in models.items())


def on_web1(state, wanted, footprint):
    wishes = host_wishes(wanted, {"lb01": cluster()["lb01"].state, "web1": state})
    found = plan({"web1": state}, wishes, {"web1": footprint}, NAMES)
    return lines(found, "web1")


def test_what_others_have_made_is_used_and_stays():
    web1 = cluster()["web1"].state
    others = (
        Tunnel("gre0", up=False, module="ip_gre"),
        Tunnel("to-lb01", up=True, module="ip_gre", local=WEB1),
    )
    state = replace(web1, tunnels=others, gue=(6080, 7777))
    sent = on_web1(state, wish(by(GUE, GUE)), Footprint())
    assert "modprobe fou" not in sent
    assert not [line for line in sent if "fou add" in line]
    # Ours is the port and the device; the modules came with others or carry others.
    ours = Footprint(gue=(6080,), modules=("fou",), tunnels=(("gre0", "absent"),))
    sent = on_web1(state, wish(), ours)
    assert sent == ["ip fou del port 6080"]


def test_states_and_footprints_survive_json():
    models = cluster()
    _found, left = carried_out(models, wish(by(GUE, GRE_CSUM)))
    for name, model in models.items():
        assert HostState.from_json(model.state.as_json()) == model.state
        assert Footprint.from_json(left[name].as_json()) == left[name]
    assert left["web1"].gue == (6080,)
    assert left["web2"].tunnels == (("gre0", "absent"), ("gre-csum", "absent"))


SAMPLES = Path(__file__).parent / "samples" / "debian12"


def test_devices_and_ports_are_read():
    listed = (SAMPLES / "ip-d-j-addr-show").read_text()
    assert set(facts.parse_tunnels(listed)) == {
        Tunnel("tunl0", up=True),
        Tunnel("gre0", up=True, module="ip_gre"),
        Tunnel("gretap0", up=False, module="ip_gre"),
        Tunnel("erspan0", up=False, module="ip_gre"),
        Tunnel("gre-csum", up=True, module="ip_gre", local="10.0.1.9"),
    }
    own = {bound.device for bound in facts.parse_addresses(listed)}
    assert own == {"lo", "eth0"}, "what the kernel gives to gre0 is no VIP"
    assert facts.parse_gue((SAMPLES / "ip-j-fou-show").read_text()) == (6080,)
    assert facts.parse_gue("[]") == ()
