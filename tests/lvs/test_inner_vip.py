"""The inner VIP: where real servers with NAT send their replies, on whatever director."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from cluster.lvs.host import Footprint, Gateway, HostState
from cluster.lvs.plan import plan
from cluster.lvs.replies import detours
from cluster.lvs.settings import Settings
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.validate import Surroundings, inner_vip
from cluster.lvs.wish import ClusterWish, host_wishes
from cluster.lvs.wish_edits import wish_edits
from cluster.lvs.wish_file import Known, Refused, read
from tests.build import NAMES, at, director, real_server, wish
from tests.lvs.modes import (
    FULLNAT,
    NAT,
    by,
    carried_out,
    cluster,
    lines,
    same,
)

INNER = "10.0.1.40"


def wanted(*services, inner=INNER, where="lb01"):
    return replace(wish(*services, director=where), settings=Settings(inner_vip=inner))


def test_it_is_there_while_a_nat_service_needs_it():
    models = cluster()
    clean = {name: model.state for name, model in models.items()}
    found, left = carried_out(models, wanted(NAT))
    sent = lines(found, "lb01")
    assert f"arping -D -c 2 -w 3 -I eth0 {INNER}" in sent
    bind = sent.index(f"ip addr add {INNER}/24 dev eth0 label eth0:0")
    assert bind < sent.index("ip addr add 10.0.1.31/24 dev eth0 label eth0:1")
    assert f"arping -U -c 2 -I eth0 {INNER}" in sent
    found, left = carried_out(models, wanted(FULLNAT), left)
    assert f"ip addr del {INNER}/24 dev eth0 label eth0:0" in lines(found, "lb01")
    carried_out(models, wanted(), left)
    assert all(same(model.state, clean[name]) for name, model in models.items())


@pytest.mark.parametrize("method", [ForwardingMethod.DR, ForwardingMethod.TUN])
def test_other_methods_do_not_need_it(method):
    found, _left = carried_out(cluster(), wanted(by(method)))
    assert not any(INNER in line for line in lines(found, "lb01"))


def test_it_moves_along_with_the_vips():
    models = cluster()
    _found, left = carried_out(models, wanted(NAT))
    states = {name: model.state for name, model in models.items()}
    other = director()
    states["lb02"] = replace(other, sysctls=states["lb01"].sysctls)
    moved = wanted(NAT, where="lb02")
    found = plan(states, host_wishes(moved, states), {**left, "lb02": Footprint()})
    sent = [(c.host, c.command.shown) for c in found.changes]
    gone = ("lb01", f"ip addr del {INNER}/24 dev eth0 label eth0:0")
    come = ("lb02", f"ip addr add {INNER}/24 dev eth0 label eth0:0")
    assert sent.index(gone) < sent.index(come), "never on two directors at once"


def test_replies_may_go_to_it_before_it_is_bound():
    state = HostState(
        "b", real_server().addresses, gateways=(Gateway("default", INNER),)
    )
    hosts = {"web1": state}
    assert [one.always for one in detours("lb01", director(), hosts)] == [True]
    assert detours("lb01", director(), hosts, [INNER]) == []
    lost = HostState("b", real_server().addresses)
    (told,) = detours("lb01", director(), {"web1": lost}, [INNER])
    assert f"must be an address of lb01: {INNER}, 10.0.1.3" in str(told.sentence)


def test_it_is_part_of_the_wish_and_of_what_was_edited():
    assert ClusterWish.from_json(wanted(NAT).as_json()) == wanted(NAT)
    (edit,) = wish_edits(wish(NAT), wanted(NAT), NAMES)
    assert "inner VIP - → 10.0.1.40" in str(edit.sentences[0])
    assert not Settings(inner_vip=INNER).is_of_every_director


AROUND = Surroundings(
    "lb01", director().addresses, ((ip_address("10.0.1.6"), "web1"),), (at(),)
)
REASONS = {
    "10.0.1.31": "is a VIP of this cluster",
    "10.0.1.6": "is web1's own address",
    "10.0.9.1": "is in no network of lb01",
    "10.0.1.255": "is the broadcast address",
    "224.0.0.1": "is a multicast address",
}


@pytest.mark.parametrize(("text", "words"), REASONS.items())
def test_what_it_cannot_be(text, words):
    assert words in str(inner_vip(ip_address(text), AROUND))


def test_in_a_file():
    row = {"protocol": "tcp", "vip": "10.0.1.31", "port": 80, "real_servers": []}
    data = {"cluster": "lab", "settings": {"inner_vip": INNER}, "services": [row]}
    around = replace(AROUND, services=())
    assert read(data, Known("lab"), around).settings.inner_vip == INNER
    data["settings"]["inner_vip"] = "10.0.1.31"
    with pytest.raises(Refused) as refused:
        read(data, Known("lab"), around)
    assert "settings.inner_vip: 10.0.1.31 is a VIP" in str(refused.value)
