"""(observed, desired, footprint) -> the commands, in their order."""

import pytest

from cluster.lvs import table_plan
from cluster.lvs.change import Change, Phase, bind_address
from cluster.lvs.host import Footprint, HostState
from cluster.lvs.lan import announcement_after
from cluster.lvs.plan import plan
from cluster.lvs.table import Table
from cluster.lvs.terms import Scheduler
from cluster.lvs.wish import host_wishes
from tests.build import (
    NAMES,
    QUIET,
    VIP,
    WEB1,
    WEB2,
    at,
    director,
    eth_vip,
    lo_route,
    lo_vip,
    real_server,
    server,
    service,
    table,
    wish,
)

SILENT = tuple(zip((key for key, _ in QUIET), "1212", strict=True))
ARP = " ".join(f"{key}={value}" for key, value in SILENT)
ARP_BACK = ARP.replace("=1", "=0").replace("=2", "=0")


def hosts(**states):
    return {"lb01": director(), "web1": real_server(), "web2": real_server(WEB2)} | (
        states
    )


def ours(*vips, services=()):
    """The footprints after these VIPs were applied by us."""
    numbered = list(enumerate(vips, start=1))
    back = tuple((key, "0") for key, _ in QUIET) if vips else ()
    on_lo = Footprint(
        tuple(lo_vip(v, n) for n, v in numbered), tuple(map(lo_route, vips)), back
    )
    on_eth = Footprint(tuple(eth_vip(v, n) for n, v in numbered), services=services)
    return {"lb01": on_eth, "web1": on_lo, "web2": on_lo}


def serving(*vips, services):
    """The hosts after these VIPs were applied."""
    numbered = list(enumerate(vips, start=1))
    on_lo = tuple(lo_vip(v, n) for n, v in numbered)
    routes = tuple(map(lo_route, vips))
    return {
        "lb01": director(*(eth_vip(v, n) for n, v in numbered), services=services),
        "web1": real_server(WEB1, *on_lo, sysctls=SILENT, routes=routes),
        "web2": real_server(WEB2, *on_lo, sysctls=SILENT, routes=routes),
    }


def planned(observed, wanted, footprints=None):
    return plan(observed, host_wishes(wanted, observed), footprints or {}, NAMES)


def shown(found):
    return [f"{c.host}: {c.command.shown}" for c in found.changes]


def test_a_first_service_is_prepared_behind_before_it_is_opened_in_front():
    assert shown(planned(hosts(), wish(service()))) == [
        "lb01: arping -D -c 2 -w 3 -I eth0 10.0.1.31",
        f"web1: sysctl -q -w {ARP}",
        "web1: ip addr add 10.0.1.31/32 dev lo label lo:1",
        "web1: ip route add 10.0.1.31/32 dev lo",
        f"web2: sysctl -q -w {ARP}",
        "web2: ip addr add 10.0.1.31/32 dev lo label lo:1",
        "web2: ip route add 10.0.1.31/32 dev lo",
        (
            "lb01: ipvsadm -R <<\n"
            "-A -t 10.0.1.31:80 -s rr\n"
            "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1\n"
            "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1"
        ),
        "lb01: ip addr add 10.0.1.31/24 dev eth0 label eth0:1",
        "lb01: arping -U -c 2 -I eth0 10.0.1.31",
    ]


def test_what_is_in_force_needs_no_plan():
    observed = serving(VIP, services=[service()])
    found = planned(observed, wish(service()), ours(VIP, services=(at(),)))
    assert found.changes == ()
    assert found.is_empty


def test_the_last_service_leaves_in_front_first_and_arp_comes_back_last():
    observed = serving(VIP, services=[service()])
    found = planned(observed, wish(), ours(VIP, services=(at(),)))
    assert shown(found) == [
        "lb01: ipvsadm -R <<\n-D -t 10.0.1.31:80",
        "lb01: ip addr del 10.0.1.31/24 dev eth0 label eth0:1",
        "web1: ip route del 10.0.1.31/32 dev lo",
        "web1: ip addr del 10.0.1.31/32 dev lo label lo:1",
        f"web1: sysctl -q -w {ARP_BACK}",
        "web2: ip route del 10.0.1.31/32 dev lo",
        "web2: ip addr del 10.0.1.31/32 dev lo label lo:1",
        f"web2: sysctl -q -w {ARP_BACK}",
    ]


def test_arp_stays_silent_while_a_second_vip_is_bound():
    first, second = service(), service("10.0.1.32")
    observed = serving(VIP, "10.0.1.32", services=[first, second])
    footprints = ours(VIP, "10.0.1.32", services=(first.at, second.at))
    lines = shown(planned(observed, wish(first), footprints))
    assert "web1: ip addr del 10.0.1.32/32 dev lo label lo:2" in lines
    assert not [line for line in lines if "sysctl" in line]


def test_arp_stays_silent_while_somebody_elses_vip_is_bound():
    observed = serving(VIP, services=[service()])
    by_hand = lo_vip("10.0.1.77", 9)
    web1 = observed["web1"]
    observed["web1"] = real_server(
        WEB1, *web1.addresses[2:], by_hand, sysctls=SILENT, routes=web1.routes
    )
    lines = shown(planned(observed, wish(), ours(VIP, services=(at(),))))
    assert [line for line in lines if "sysctl" in line] == [
        f"web2: sysctl -q -w {ARP_BACK}"
    ]


def test_arp_goes_back_to_what_it_was_and_not_to_zero():
    before = dict(QUIET) | {"net.ipv4.conf.all.arp_ignore": "2"}
    observed = hosts(web1=real_server(sysctls=tuple(before.items())))
    found = planned(observed, wish(service()))
    assert dict(found.adds["web1"].sysctls) == before


def test_a_sysctl_that_was_already_right_never_becomes_ours():
    observed = hosts(web1=real_server(sysctls=SILENT))
    found = planned(observed, wish(service()))
    assert found.adds["web1"].sysctls == ()
    assert "web1: sysctl" not in "\n".join(shown(found))


def test_a_vip_that_was_bound_by_hand_is_used_and_never_taken_away():
    observed = hosts(web1=real_server(WEB1, lo_vip()))
    found = planned(observed, wish(service()))
    assert found.adds["web1"].addresses == ()
    gone = planned(observed, wish(), {"web1": found.adds["web1"]})
    assert gone.changes == ()


def test_foreign_services_are_left_alone():
    foreign = service("10.0.1.99")
    observed = hosts(lb01=director(services=[foreign]))
    assert planned(observed, wish()).changes == ()
    assert "10.0.1.99" not in "\n".join(shown(planned(observed, wish(service()))))


EDITS = {
    "another scheduler": (
        service(scheduler=Scheduler.WLC),
        ["-E -t 10.0.1.31:80 -s wlc"],
        ["-E -t 10.0.1.31:80 -s rr"],
    ),
    "persistence": (
        service(persistence=300),
        ["-E -t 10.0.1.31:80 -s rr -p 300"],
        ["-E -t 10.0.1.31:80 -s rr"],
    ),
    "flags and persistence of networks": (
        service(scheduler=Scheduler.SH, persistence=60, netmask=24, flags=("sh-port",)),
        ["-E -t 10.0.1.31:80 -s sh -p 60 -M 255.255.255.0 -b sh-port"],
        ["-E -t 10.0.1.31:80 -s rr"],
    ),
    "thresholds": (
        service(servers=(server(upper=100, lower=50), server(WEB2))),
        ["-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1 -x 100 -y 50"],
        ["-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1"],
    ),
    "a weight": (
        service(servers=(server(weight=3), server(WEB2))),
        ["-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 3"],
        ["-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1"],
    ),
    "one server less": (
        service(servers=(server(),)),
        ["-d -t 10.0.1.31:80 -r 10.0.1.9:80"],
        ["-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1"],
    ),
    "the default netmask is no change": (
        service(netmask=32),
        [],
        [],
    ),
}


@pytest.mark.parametrize(("wanted", "lines", "undo"), EDITS.values(), ids=EDITS)
def test_an_edit_is_the_smallest_rule_and_knows_its_undo(wanted, lines, undo):
    observed = {"lb01": serving(VIP, services=[service()])["lb01"]}
    wishes = {"lb01": host_wishes(wish(wanted), serving(VIP, services=[]))["lb01"]}
    found = plan(observed, wishes, {})
    assert [line for c in found.changes for line in rules_of(c.command)] == lines
    assert [line for c in found.changes for line in rules_of(c.undo)] == undo


def rules_of(command):
    return command.stdin.decode().splitlines()


def test_a_replaced_server_is_added_before_the_old_one_is_cut():
    observed = serving(VIP, services=[service(servers=(server(WEB1),))])
    wanted = wish(service(servers=(server(WEB2),)))
    lines = "\n".join(shown(planned(observed, wanted, ours(VIP))))
    assert lines.index("-a -t 10.0.1.31:80 -r 10.0.1.9:80") < lines.index(
        "-d -t 10.0.1.31:80 -r 10.0.1.6:80"
    )


def test_the_hash_tells_the_same_plan_from_another():
    one, same = planned(hosts(), wish(service())), planned(hosts(), wish(service()))
    other = planned(hosts(), wish(service(scheduler=Scheduler.WLC)))
    assert one.hash == same.hash != other.hash


def test_changes_and_states_survive_json():
    for change in planned(hosts(), wish(service())).changes:
        assert Change.from_json(change.as_json()) == change
    for state in serving(VIP, services=[service()]).values():
        assert HostState.from_json(state.as_json()) == state
    for footprint in ours(VIP, services=(at(),)).values():
        assert Footprint.from_json(footprint.as_json()) == footprint


def test_a_very_large_change_says_how_it_begins_and_how_much_more_there_is():
    many = [service(port=port) for port in range(1, 1001)]
    (change,) = table_plan.changes("lb01", Table(), table(*many), [], NAMES)
    assert change.command.stdin.count(b"\n") == 3000
    assert len(change.sentences) == 501
    assert str(change.sentences[-1]) == "and 2500 more: see the rules"
    assert change.command.deadline == 10 + 3000 * 0.005


# -- the VIPs move to another director ------------------------------------------------


def moving(**states):
    observed = serving(VIP, services=[service()])
    observed["lb02"] = director()
    observed |= states
    return planned(
        {name: state for name, state in observed.items() if state},
        wish(service(), director="lb02"),
        ours(VIP, services=(at(),)),
    )


def test_a_vip_moves_when_the_new_table_is_ready_and_is_never_in_two_places():
    assert shown(moving()) == [
        (
            "lb02: ipvsadm -R <<\n"
            "-A -t 10.0.1.31:80 -s rr\n"
            "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1\n"
            "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1"
        ),
        "lb01: ip addr del 10.0.1.31/24 dev eth0 label eth0:1",
        "lb02: ip addr add 10.0.1.31/24 dev eth0 label eth0:1",
        "lb02: arping -U -c 2 -I eth0 10.0.1.31",
        "lb01: ipvsadm -R <<\n-D -t 10.0.1.31:80",
    ]


def test_a_vip_of_a_dead_director_is_asked_for_before_it_is_taken():
    lines = shown(moving(lb01=None))
    assert lines[0] == "lb02: arping -D -c 2 -w 3 -I eth0 10.0.1.31"
    assert [line for line in lines if line.startswith("lb01")] == []
    assert lines[-2:] == [
        "lb02: ip addr add 10.0.1.31/24 dev eth0 label eth0:1",
        "lb02: arping -U -c 2 -I eth0 10.0.1.31",
    ]


def test_a_vip_that_comes_back_by_an_undo_is_announced():
    released = next(c for c in moving().changes if c.host == "lb01")
    call = announcement_after(released.undo, "lb01")
    assert call.command.shown == "arping -U -c 2 -I eth0 10.0.1.31"
    on_lo = bind_address("web1", Phase.PREPARE, lo_vip())
    assert announcement_after(on_lo.command, "web1") is None
    assert announcement_after(on_lo.undo, "web1") is None
