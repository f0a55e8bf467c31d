"""What was built by hand and becomes ours, and what stays somebody else's."""

import pytest

from cluster.lvs.host import Footprint, HostWish
from cluster.lvs.plan import plan
from cluster.lvs.real_server import ARP_SYSCTLS
from cluster.lvs.wish import host_wishes
from tests.build import (
    NAMES,
    WEB2,
    at,
    bound,
    director,
    eth_vip,
    lo_route,
    lo_vip,
    real_server,
    service,
    wish,
)


def by_hand(*, vip=None, services=None):
    """The cluster of the notes, as an administrator types it."""
    vip = vip or eth_vip()
    return {
        "lb01": director(vip, services=services or [service()]),
        "web1": real_server(
            "10.0.1.6", lo_vip(), sysctls=ARP_SYSCTLS, routes=[lo_route()]
        ),
        "web2": real_server(WEB2, lo_vip(), sysctls=ARP_SYSCTLS, routes=[lo_route()]),
    }


def adopting(states, wanted, *, adopts=None, footprints=None):
    return plan(
        states,
        host_wishes(wanted, states),
        footprints or {},
        NAMES,
        [s.at for s in wanted.table.services] if adopts is None else adopts,
    )


def test_a_cluster_built_by_hand_needs_no_command():
    found = adopting(by_hand(), wish(service()))
    assert found.is_empty
    assert found.adds["lb01"] == Footprint((eth_vip(),), services=(at(),))
    assert found.adds["web1"] == Footprint(
        (lo_vip(),), (lo_route(),), tuple((key, "0") for key, _ in ARP_SYSCTLS)
    )


def test_deleting_it_afterwards_takes_everything_away():
    states = by_hand()
    ours = dict(adopting(states, wish(service())).adds)
    gone = plan(states, dict.fromkeys(states, HostWish()), ours, NAMES)
    lines = [f"{c.host}: {c.command.line}" for c in gone.changes]
    assert "lb01: sudo -n ip addr del 10.0.1.31/24 dev eth0 label eth0:1" in lines
    assert "web1: sudo -n ip addr del 10.0.1.31/32 dev lo label lo:1" in lines
    assert "web2: sudo -n ip route del 10.0.1.31/32 dev lo" in lines
    assert any("arp_ignore=0" in line for line in lines)
    assert any(c.command.stdin == b"-D -t 10.0.1.31:80\n" for c in gone.changes)


@pytest.mark.parametrize(
    "vip",
    [
        bound("10.0.1.31/24"),
        bound("10.0.1.31/32"),
        bound("10.0.1.31/32", label="eth0:vip"),
    ],
)
def test_a_vip_without_a_label_of_ours_is_used_and_stays(vip):
    found = adopting(by_hand(vip=vip), wish(service()))
    assert found.is_empty
    assert found.adds["lb01"].addresses == ()
    gone = plan(by_hand(vip=vip), {}, dict(found.adds), NAMES)
    assert not [
        c
        for c in gone.changes
        if c.command.argv[:3] == ("ip", "addr", "del") and c.host == "lb01"
    ]


def test_a_label_with_another_prefix_is_used_and_goes_as_it_was_bound():
    vip = bound("10.0.1.31/32", label="eth0:7")
    found = adopting(by_hand(vip=vip), wish(service()))
    assert found.is_empty
    assert found.adds["lb01"].addresses == (vip,)
    again = plan(
        by_hand(vip=vip),
        host_wishes(wish(service()), by_hand(vip=vip)),
        dict(found.adds),
        NAMES,
    )
    assert again.is_empty
    gone = plan(by_hand(vip=vip), {}, dict(found.adds), NAMES)
    lines = [c.command.line for c in gone.changes]
    assert "sudo -n ip addr del 10.0.1.31/32 dev eth0 label eth0:7" in lines


def test_only_what_is_missing_is_in_the_plan():
    states = by_hand() | {"web2": real_server(WEB2)}
    found = adopting(states, wish(service()))
    assert found.hosts == ["web2"]
    # What we put there ourselves goes back to what it was.
    assert dict(found.adds["web2"].sysctls) == dict.fromkeys(
        (key for key, _ in ARP_SYSCTLS), "0"
    )


def test_a_vip_that_another_service_by_hand_has_is_not_ours():
    states = by_hand(services=[service(), service(port=443)])
    found = adopting(states, wish(service()))
    assert found.is_empty
    assert found.adds["lb01"] == Footprint(services=(at(),))
    assert found.adds["web1"] == Footprint()
    later = adopting(
        states,
        wish(service(), service(port=443)),
        adopts=[at(port=443)],
        footprints=dict(found.adds),
    )
    assert later.adds["lb01"].addresses == (eth_vip(),)


def test_a_vip_of_ours_stays_while_somebody_else_balances_it_too():
    state = director(eth_vip(), services=[service(), service(port=443)])
    ours = {"lb01": Footprint((eth_vip(),), services=(at(),))}
    gone = plan({"lb01": state}, {}, ours, NAMES)
    assert [c.command.argv[0] for c in gone.changes] == ["ipvsadm"]
    alone = director(eth_vip(), services=[service()])
    gone = plan({"lb01": alone}, {}, ours, NAMES)
    assert [c.command.argv[0] for c in gone.changes] == ["ipvsadm", "ip"]


def test_without_adoption_nothing_by_hand_becomes_ours():
    found = adopting(by_hand(), wish(service()), adopts=[])
    assert found.is_empty
    assert not any(found.adds.values())


def test_arp_of_a_host_without_a_vip_by_hand_is_as_it_was_found():
    """Somebody keeps it silent for reasons of their own."""
    states = by_hand() | {"web2": real_server(WEB2, sysctls=ARP_SYSCTLS)}
    assert adopting(states, wish(service())).adds["web2"].sysctls == ()
