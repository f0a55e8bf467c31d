"""FULLNAT by a patched ipvsadm, against its documented syntax: no such kernel is here."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from cluster.lvs import adoption, fullnat, parts, privileges, rules
from cluster.lvs.command import Command
from cluster.lvs.host import HostState
from cluster.lvs.plan import boot_text
from cluster.lvs.table import Table
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.wish import host_wishes
from tests.build import VIP, WEB1, WEB2, at, server, service, wish
from tests.lvs.modes import (
    FULLNAT,
    NAT,
    POOL,
    POOLED,
    ROUTER,
    ROUTERS,
    carried_out,
    cluster,
    lines,
    planned,
    same,
)

BY_KERNEL = ForwardingMethod.FULLNAT
LIPS = tuple(ip_address(f"10.0.1.{n}") for n in (201, 202, 203))
OWN = ip_address("10.0.1.3")
UPSTREAM = """\
Usage:
  ipvsadm -A|E virtual-service [-s scheduler] [-p [timeout]] [-M netmask] [--pe name]
  --sched-flags  -b flags             scheduler flags (comma-separated)
"""
PATCHED = """\
  --add-laddr       -P        add local address
  --del-laddr       -Q        del local address
  --get-laddr       -G        get local address
  --fullnat      -b                   fullnat mode
  --laddr        -z local-ip          local IP
"""
DPVS = "  --ifname       -F                   nic interface for laddrs\n"


@pytest.mark.parametrize(
    ("text", "patched"),
    [
        ("", False),
        (UPSTREAM, False),
        (PATCHED, True),
        (PATCHED + DPVS, False),
        (PATCHED.replace("--add-laddr", "--add"), False),
        ("sudo: a password is required\n", False),
    ],
)
def test_the_help_tells_a_patched_tool(text, patched):
    assert fullnat.is_patched(text) is patched


LISTING = """\
VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS
10.0.1.31:80         2
                              10.0.1.202           0          3
                              10.0.1.201           0          12
"""


def test_local_addresses_are_read():
    assert fullnat.parse_local(LISTING) == (LIPS[1], LIPS[0])
    none = "VIP:VPORT TOTAL SNAT_IP CONFLICTS CONNS\n10.0.1.31:80         0        \n"
    assert fullnat.parse_local(none) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No such service\n",
        LISTING.splitlines()[0] + "\n",
        LISTING[:-60],
        LISTING.replace("10.0.1.202", "web1"),
        LISTING.replace(":80         2", ":80         3"),
    ],
)
def test_a_listing_of_another_shape_is_refused(text):
    with pytest.raises(ValueError, match=r"no list|does not appear"):
        fullnat.parse_local(text)


def by_kernel(*local):
    servers = [server(WEB1, 8080, BY_KERNEL), server(WEB2, 80, BY_KERNEL)]
    return replace(service(servers=servers), laddrs=local)


def test_rules_are_spelled_as_documented():
    assert rules.render(Table((by_kernel(*LIPS[:2]),))).splitlines() == [
        "-A -t 10.0.1.31:80 -s rr",
        "-P -t 10.0.1.31:80 -z 10.0.1.201",
        "-P -t 10.0.1.31:80 -z 10.0.1.202",
        f"-a -t 10.0.1.31:80 -r {WEB1}:8080 -b -w 1",
        f"-a -t 10.0.1.31:80 -r {WEB2}:80 -b -w 1",
    ]
    assert rules.delete_local(at(), OWN) == "-Q -t 10.0.1.31:80 -z 10.0.1.3"


def test_flags_of_a_scheduler_and_fullnat_are_told_apart():
    text = "-A -t 10.0.1.31:80 -s sh -b sh-port\n-a -t 10.0.1.31:80 -r 10.0.1.6:80 -b -w 1\n"
    (found,) = rules.parse(text).services
    assert found.flags == ("sh-port",)
    assert found.servers[0].method is BY_KERNEL


@pytest.mark.parametrize(
    "line",
    [
        "-P -t 10.0.1.31:81 -z 10.0.1.201",
        "-P -t 10.0.1.31:80 -z",
        "-P -t x",
        "-P -t 10.0.1.31:80 -x 10.0.1.201",
        "-P -t 10.0.1.31:80 -z 10.0.1.201 -F eth0",
    ],
)
def test_a_line_of_another_form_is_kept_word_for_word(line):
    assert rules.parse(f"-A -t 10.0.1.31:80 -s rr\n{line}\n").unknown == (line,)


@pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)
@pytest.mark.parametrize(
    ("wanted", "local"), [(POOLED, LIPS), (FULLNAT, (OWN,))], ids=["pool", "own"]
)
def test_a_patched_director_has_no_rule_of_the_firewall(wanted, local, router):
    models = patched(router)
    before = {name: model.state for name, model in models.items()}
    found, left = carried_out(models, wish(wanted))
    (there,) = models["lb01"].state.table.services
    assert there.laddrs == local
    assert {one.method for one in there.servers} == {BY_KERNEL}
    sent = " ".join(lines(found, "lb01"))
    assert "iptables" not in sent
    assert "conntrack" not in sent
    assert not left["lb01"].source_nat
    said = " ".join(str(s) for c in found.changes for s in c.sentences)
    assert "only with the module toa" in said
    _found, left = carried_out(models, wish(), left)
    assert all(same(models[name].state, before[name]) for name in models)
    assert not any(left.values())


@pytest.mark.parametrize("wanted", [POOLED, FULLNAT], ids=["pool", "own"])
@pytest.mark.parametrize("start", [None, NAT, POOLED, FULLNAT])
def test_every_step_can_be_undone(wanted, start):
    models, left = patched(), None
    if start:
        _found, left = carried_out(models, wish(start))
    before = {name: model.state for name, model in models.items()}
    found, _left = carried_out(models, wish(wanted), left)
    for change in reversed([c for c in found.changes if c.undo]):
        answer = models[change.host](change.undo)
        assert answer.ok
        assert not answer.stderr
    for name, model in models.items():
        # What is bound again comes last, which means nothing.
        assert same(in_order(model.state), in_order(before[name]))


def in_order(state):
    return replace(state, addresses=tuple(sorted(state.addresses, key=str)))


def test_from_a_stock_kernel_to_a_patched_one_and_back():
    models = cluster(lb01=ROUTER)
    _found, left = carried_out(models, wish(POOLED))
    assert left["lb01"].source_nat
    stock = models["lb01"].state
    models["lb01"].state = replace(stock, fullnat=True)
    models["lb01"].patched = True
    _found, left = carried_out(models, wish(POOLED), left)
    assert not models["lb01"].state.source_nat
    assert dict(models["lb01"].state.sysctls)["net.ipv4.vs.conntrack"] == "0"
    _found, left = carried_out(models, wish(NAT), left)
    (there,) = models["lb01"].state.table.services
    assert not there.laddrs
    assert {one.method for one in there.servers} == {ForwardingMethod.NAT}


def patched(router=ROUTER):
    models = cluster(lb01=router)
    models["lb01"].state = replace(models["lb01"].state, fullnat=True)
    models["lb01"].patched = True
    return models


def test_the_boot_file_has_the_same_rules():
    models = patched()
    states = {name: model.state for name, model in models.items()}
    mine = host_wishes(wish(POOLED), states)["lb01"]
    text = boot_text("lb01", states["lb01"], mine)
    assert "\n-P -t 10.0.1.31:80 -z 10.0.1.203\n" in text
    assert " -b -w 1\n" in text
    assert "SNAT" not in text


def test_a_local_address_is_a_line_of_its_own():
    models = patched()
    carried_out(models, wish(replace(POOLED, local=(POOL[0], POOL[0]))))
    footprints = dict.fromkeys(models, adoption.Footprint())
    table = [
        c
        for c in planned(models, wish(POOLED), footprints).changes
        if parts.target(c) is not None
    ]
    found = [part for change in table for part in parts.parts(change)]
    assert [
        (part.command.stdin.decode(), part.undo.stdin.decode()) for part in found
    ] == [
        (f"-P -t {VIP}:80 -z {local}\n", f"-Q -t {VIP}:80 -z {local}\n")
        for local in LIPS[1:]
    ]


@pytest.mark.parametrize(
    ("local", "pool"),
    [
        (LIPS, (LIPS[0], LIPS[2])),
        (LIPS[:1], (LIPS[0], LIPS[0])),
        ((LIPS[0], LIPS[2]), None),
        ((), None),
    ],
)
def test_a_listed_service_in_the_words_of_a_wish(local, pool):
    found = fullnat.as_wished(by_kernel(*local))
    if pool is None:
        assert found == by_kernel(*local)
    else:
        nat = [replace(s, method=ForwardingMethod.NAT) for s in by_kernel().servers]
        assert found == replace(
            by_kernel(), servers=tuple(nat), source_nat=True, local=pool
        )


def test_a_state_survives_json():
    state = HostState(table=Table((by_kernel(*LIPS),)), fullnat=True)
    assert HostState.from_json(state.as_json()) == state
    old = state.as_json()
    del old["fullnat"]
    assert HostState.from_json(old).fullnat is False


@pytest.mark.parametrize(
    ("words", "may"),
    [
        ("--help", True),
        ("-G -t 10.0.1.31:80", True),
        ("-G --sctp-service [2001:db8::31]:80", True),
        ("-G", False),
        ("-G -t 10.0.1.31:80 -C", False),
        ("-P -t 10.0.1.31:80 -z 10.0.1.201", False),
        ("--help -C", False),
    ],
)
def test_sudo_allows_these_questions_and_no_others(words, may):
    command = Command(("ipvsadm", *words.split()), root=True)
    assert privileges.allowed("director", command) is may
