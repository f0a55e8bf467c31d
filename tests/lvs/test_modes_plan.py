"""TUN and NAT: what hosts get beside the table, and that they give it back."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from cluster.lvs.command import Command
from cluster.lvs.host import Footprint, Gateway, HostState, Tunnel
from cluster.lvs.replies import detours
from cluster.lvs.source_nat import NFT, SourceNat, parse
from cluster.lvs.wish import ClusterWish
from tests.build import (
    at,
    director,
    lo_vip,
    real_server,
    service,
    wish,
)
from tests.lvs.modes import (
    CONF,
    DEFAULTS,
    FULLNAT,
    METHODS,
    MIXED,
    NAT,
    POOL,
    POOLED,
    ROUTERS,
    TUN,
    carried_out,
    cluster,
    lines,
    planned,
    same,
)


def test_a_tunnel_is_silent_before_it_has_the_vip():
    found, left = carried_out(cluster(), wish(TUN))
    assert lines(found, "web1") == [
        "modprobe ipip",
        (
            f"sysctl -q -w {CONF}.all.arp_ignore=1 {CONF}.all.arp_announce=2"
            f" {CONF}.tunl0.arp_ignore=1 {CONF}.tunl0.arp_announce=2"
        ),
        f"sysctl -q -w {CONF}.tunl0.rp_filter=2",
        "ip link set tunl0 up",
        "ip addr add 10.0.1.31/32 dev tunl0 label tunl0:1",
    ]
    assert left["web1"].tunnels == (("tunl0", "absent"),)
    assert "sysctl" not in "\n".join(lines(found, "lb01"))


def test_nat_needs_the_director_alone():
    found, _left = carried_out(cluster(), wish(NAT))
    assert lines(found, "web1") == lines(found, "web2") == []
    assert lines(found, "lb01")[1] == (
        f"sysctl -q -w net.ipv4.ip_forward=1 {CONF}.all.send_redirects=0"
        f" {CONF}.eth0.send_redirects=0 {CONF}.all.accept_redirects=0"
    )
    assert "-a -t 10.0.1.31:80 -r 10.0.1.6:8080 -m -w 1" in lines(found, "lb01")[2]


def test_fullnat_tracks_connections_and_replaces_their_source():
    found, left = carried_out(cluster(), wish(FULLNAT))
    assert lines(found, "web1") == lines(found, "web2") == []
    assert "sysctl -q -w net.ipv4.vs.conntrack=1" in lines(found, "lb01")
    rule = (
        "POSTROUTING -p tcp -m ipvs --vaddr 10.0.1.31/32 --vport 80 --vmethod masq"
        " -j SNAT --to-source 10.0.1.3"
    )
    assert f"iptables-legacy -w 5 -t nat -A {rule}" in lines(found, "lb01")
    assert [" ".join(r.words) for r in left["lb01"].source_nat] == [rule]


def test_a_pool_of_local_addresses_is_there_before_the_rule_that_uses_it():
    models = cluster()
    found, left = carried_out(models, wish(POOLED))
    sent = lines(found, "lb01")
    rule = "-j SNAT --to-source 10.0.1.201-10.0.1.203"
    used = next(n for n, line in enumerate(sent) if line.endswith(rule))
    for n in (201, 202, 203):
        assert f"arping -D -c 2 -w 3 -I eth0 10.0.1.{n}" in sent
        bind = f"ip addr add 10.0.1.{n}/24 dev eth0 label eth0:0"
        assert sent.index(bind) < used
        assert f"arping -U -c 2 -I eth0 10.0.1.{n}" in sent
    assert [str(b.address) for b in left["lb01"].addresses if b.is_local] == [
        "10.0.1.201",
        "10.0.1.202",
        "10.0.1.203",
    ]
    # A smaller pool: what is gone is taken off after the rule that used it.
    smaller = replace(POOLED, local=(POOL[0], POOL[0]))
    found, left = carried_out(models, wish(smaller), left)
    sent = lines(found, "lb01")
    assert sent[0].endswith("--to-source 10.0.1.201")
    assert sent[1].endswith("--to-source 10.0.1.201-10.0.1.203")
    assert " -D " in sent[1]
    assert [line.split()[3] for line in sent[2:]] == ["10.0.1.202/24", "10.0.1.203/24"]


def test_an_address_of_the_director_itself_may_be_in_the_pool():
    own = replace(FULLNAT, local=(ip_address("10.0.1.3"), ip_address("10.0.1.3")))
    found, _left = carried_out(cluster(), wish(own))
    assert any(line.endswith("--to-source 10.0.1.3") for line in lines(found, "lb01"))
    assert not any(" label eth0:0" in line for line in lines(found, "lb01"))


def test_a_pool_is_read_back_and_kept_in_a_wish():
    rule = SourceNat(at(), *POOL)
    assert parse(f"-A {' '.join(rule.words)}\n".replace("masq", "MASQ")) == (rule,)
    assert ClusterWish.from_json(wish(POOLED).as_json()) == wish(POOLED)


def test_the_program_that_works_on_the_host_is_used():
    models = cluster()
    models["lb01"].state = replace(models["lb01"].state, firewall=NFT)
    found = planned(models, wish(FULLNAT), {})
    assert any(line.startswith("iptables-nft ") for line in lines(found, "lb01"))


def test_fullnat_and_back_to_nat():
    models = cluster()
    _found, left = carried_out(models, wish(NAT))
    before = models["lb01"].state
    _found, left = carried_out(models, wish(FULLNAT), left)
    _found, left = carried_out(models, wish(NAT), left)
    assert same(models["lb01"].state, before)


LISTED = [
    ("-P POSTROUTING ACCEPT", False),
    ("-A POSTROUTING -j MASQUERADE", False),
    (
        (
            "-A POSTROUTING -p tcp -m ipvs --vaddr 10.0.1.31 --vport 80 --vmethod MASQ -j"
            " SNAT --to-source 10.0.1.3"
        ),
        True,
    ),
    (
        (
            "-A POSTROUTING -s 10.9.0.0/16 -p tcp -m ipvs --vaddr 10.0.1.31 --vport 80"
            " --vmethod MASQ -j SNAT --to-source 10.0.1.3"
        ),
        False,
    ),
    (
        (
            "-A POSTROUTING -p tcp -m ipvs --vaddr 10.0.1.0/24 --vport 80 --vmethod MASQ"
            " -j SNAT --to-source 10.0.1.3"
        ),
        False,
    ),
    (
        (
            "-A POSTROUTING -p tcp -m ipvs --vaddr 10.0.1.31 --vport 80 --vmethod GATE -j"
            " SNAT --to-source 10.0.1.3"
        ),
        False,
    ),
    (
        (
            "-A POSTROUTING -p tcp -m ipvs --vaddr 10.0.1.31 --vport 80 --vmethod MASQ -j"
            " SNAT --to-source 10.0.1.3-nobody"
        ),
        False,
    ),
]


@pytest.mark.parametrize(("line", "ours"), LISTED)
def test_only_rules_of_our_form_are_read(line, ours):
    rule = SourceNat(at(), ip_address("10.0.1.3"))
    assert parse(f"{line}\n") == ((rule,) if ours else ())


def test_the_wish_keeps_what_the_rules_of_ipvsadm_cannot_say():
    for wanted in (wish(FULLNAT), wish(NAT)):
        assert ClusterWish.from_json(wanted.as_json()) == wanted
    assert "source_nat" not in wish(NAT).as_json()


@pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)
@pytest.mark.parametrize("wanted", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("rp_filter", ["0", "1", "2"])
def test_hosts_are_left_exactly_as_they_were_found(wanted, router, rp_filter):
    webs = (*DEFAULTS[:-1], (f"{CONF}.default.rp_filter", rp_filter))
    models = cluster(webs, router)
    before = {name: model.state for name, model in models.items()}
    _found, left = carried_out(models, wish(wanted))
    _found, left = carried_out(models, wish(), left)
    assert all(same(models[name].state, before[name]) for name in models)
    assert not any(left.values())


@pytest.mark.parametrize("wanted", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)
def test_undoing_every_step_leaves_nothing_behind(wanted, router):
    models = cluster(lb01=router)
    before = {name: model.state for name, model in models.items()}
    found, _left = carried_out(models, wish(wanted))
    for change in reversed([c for c in found.changes if c.undo]):
        assert models[change.host](change.undo).ok
    assert all(same(models[name].state, before[name]) for name in models)


def test_from_routing_to_tunneling_and_back():
    models = cluster()
    _found, left = carried_out(models, wish(service()))
    routed = models["web1"].state
    _found, left = carried_out(models, wish(TUN), left)
    assert not [b for b in models["web1"].state.addresses if b.label == "lo:1"]
    _found, left = carried_out(models, wish(service()), left)
    assert same(models["web1"].state, routed)


def test_a_tunnel_that_was_up_before_is_used_and_stays():
    models = cluster()
    web1 = models["web1"]
    for argv in (("modprobe", "ipip"), ("ip", "link", "set", "tunl0", "up")):
        assert web1(Command(argv)).ok
    before = web1.state
    found, left = carried_out(models, wish(TUN))
    assert left["web1"].tunnels == ()
    assert "modprobe" not in "\n".join(lines(found, "web1"))
    carried_out(models, wish(), left)
    assert same(web1.state, before)


def test_a_module_that_carries_other_tunnels_is_not_unloaded():
    models = cluster()
    _found, left = carried_out(models, wish(TUN))
    web1 = models["web1"]
    others = (*web1.state.tunnels, Tunnel("ipip7", up=True))
    web1.state = HostState.from_json(
        web1.state.as_json() | {"tunnels": [[t.name, t.up] for t in others]}
    )
    found, _left = carried_out(models, wish(), left)
    assert "ip link set tunl0 down" in lines(found, "web1")
    assert "modprobe -r ipip" not in lines(found, "web1")


def test_a_vip_of_others_on_the_tunnel_keeps_it_up():
    models = cluster()
    _found, left = carried_out(models, wish(TUN))
    web1 = models["web1"]
    foreign = lo_vip("10.0.1.77", 9)
    web1.state = HostState.from_json(
        web1.state.as_json()
        | {
            "addresses": [
                *web1.state.as_json()["addresses"],
                ["tunl0", str(foreign.interface), "tunl0:9"],
            ]
        }
    )
    found, _left = carried_out(models, wish(), left)
    assert lines(found, "web1") == ["ip addr del 10.0.1.31/32 dev tunl0 label tunl0:1"]


def test_forwarding_stays_while_a_nat_service_of_others_needs_it():
    models = cluster()
    _found, left = carried_out(models, wish(NAT))
    lb01 = models["lb01"]
    assert lb01(Command(("ipvsadm", "-R"), b"-A -t 10.0.1.99:80 -s rr\n")).ok
    rule = b"-a -t 10.0.1.99:80 -r 10.0.1.6:80 -m -w 1\n"
    assert lb01(Command(("ipvsadm", "-R"), rule)).ok
    found, _left = carried_out(models, wish(), left)
    assert "sysctl" not in "\n".join(lines(found, "lb01"))


def test_states_and_footprints_survive_json():
    models = cluster()
    other = replace(FULLNAT, at=at(port=443))
    _found, left = carried_out(models, wish(MIXED, other))
    for name, model in models.items():
        assert HostState.from_json(model.state.as_json()) == model.state
        assert Footprint.from_json(left[name].as_json()) == left[name]


def test_what_was_kept_before_there_were_tunnels_is_read():
    old = real_server().as_json()
    for key in ("tunnels", "gateways", "firewall", "source_nat"):
        del old[key]
    assert HostState.from_json(old) == real_server()
    kept = Footprint(services=(at(),)).as_json()
    del kept["tunnels"], kept["source_nat"]
    assert Footprint.from_json(kept) == Footprint(services=(at(),))


GATEWAYS = [
    ((Gateway("default", "10.0.1.3"),), None, ""),
    ((Gateway("default", "10.0.1.250"),), True, "Its default route is 10.0.1.250,"),
    ((), True, "Its default route is missing,"),
    (
        (Gateway("default", "10.0.1.250"), Gateway("10.7.0.0/16", "10.0.1.3")),
        False,
        "only replies to 10.7.0.0/16 go from web1 back through lb01",
    ),
]


@pytest.mark.parametrize(("gateways", "always", "words"), GATEWAYS)
def test_replies_that_miss_the_director(gateways, always, words):
    state = HostState("b", real_server().addresses, gateways=gateways)
    found = detours("lb01", director(), {"web1": state})
    assert [one.always for one in found] == ([] if always is None else [always])
    assert all(words in str(one.sentence) for one in found)
