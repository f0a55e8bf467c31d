"""The reasons for a second look, as a table."""

from ipaddress import ip_address

import pytest

from cluster.lvs import safety
from cluster.lvs.safety import Director, cautions
from cluster.lvs.table import Table
from tests.build import at, director, eth_vip, lo_vip, server, service, table

WEB = "TCP 10.0.1.31:80"
MANY = table(*(service(port=port) for port in range(80, 100)))
CASES = {
    "nothing moves": (table(service()), table(service()), {}, []),
    "another weight": (
        table(service()),
        table(service(servers=[server(weight=9), server("10.0.1.9")])),
        {WEB: {"10.0.1.6:80": 7}},
        [],
    ),
    "a new service": (table(), table(service()), {}, []),
    "the last service, counters not known": (
        table(service()),
        table(),
        None,
        [
            "After this the director has no virtual service of ours left.",
            f"{WEB} is deleted: connections that it carries are cut off.",
        ],
    ),
    "a service that carries connections": (
        table(service(), service(port=443)),
        table(service(port=443)),
        {WEB: {"10.0.1.6:80": 3, "10.0.1.9:80": 4}},
        [f"{WEB} is deleted: active connections that are cut off now: 7."],
    ),
    "a service that carries none": (
        table(service(), service(port=443)),
        table(service(port=443)),
        {WEB: {"10.0.1.6:80": 0}},
        [f"{WEB} is deleted. It carries no connection now."],
    ),
    "a service without servers": (
        table(service()),
        table(service(servers=())),
        {},
        [f"{WEB} is left without a real server."],
    ),
    "all weights 0": (
        table(service()),
        table(service(servers=[server(weight=0), server("10.0.1.9", weight=0)])),
        {},
        [f"{WEB} takes no new connection: all weights are 0."],
    ),
    "a server with live connections": (
        table(service()),
        table(service(servers=[server()])),
        {WEB: {"10.0.1.9:80": 12, "10.0.1.6:80": 3}},
        [
            (
                f"10.0.1.9:80 is taken out of {WEB}: active connections that are cut off now:"
                " 12. Drain it first to lose none."
            )
        ],
    ),
    "a server that was drained": (
        table(service()),
        table(service(servers=[server()])),
        {WEB: {"10.0.1.9:80": 0, "10.0.1.6:80": 3}},
        [],
    ),
    "a server, counters not known": (
        table(service()),
        table(service(servers=[server()])),
        None,
        [
            (
                f"10.0.1.9:80 is taken out of {WEB}: connections that it carries are cut"
                " off. How many is not known now. Drain it first to lose none."
            )
        ],
    ),
}


def told(observed, desired, active, ours=None):
    mine = [one.at for one in observed.services] if ours is None else ours
    return [str(s) for s in cautions(Director(observed, tuple(mine), active), desired)]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_reasons(case):
    observed, desired, active, expected = case
    assert told(observed, desired, active) == expected


@pytest.mark.parametrize(
    ("kept", "many"), [(19, False), (17, False), (16, False), (15, True), (9, True)]
)
def test_more_than_a_fifth_of_the_services_is_many(kept, many):
    """16 of 20: exactly a fifth goes."""
    said = told(MANY, Table(MANY.services[:kept]), {})
    assert (said[0] == f"This deletes {20 - kept} of 20 virtual services.") == many


def test_more_than_ten_of_a_thousand_is_many():
    large = table(*(service(port=port) for port in range(1, 1001)))
    assert "This deletes" not in told(large, Table(large.services[:990]), {})[0]
    assert "This deletes 11 of" in told(large, Table(large.services[:989]), {})[0]


def test_what_is_not_ours_is_no_reason():
    assert told(table(service()), table(), {}, ours=()) == []


@pytest.mark.parametrize(
    ("bound", "wanted", "expected"),
    [
        (
            ["10.0.1.31", "10.0.1.32"],
            [],
            [
                (
                    "The last VIP goes: nothing of this cluster answers for"
                    " 10.0.1.31, 10.0.1.32 then."
                )
            ],
        ),
        (["10.0.1.31"], ["10.0.1.32"], []),
        ([], [], []),
        ([], ["10.0.1.31"], []),
    ],
)
def test_the_last_vip(bound, wanted, expected):
    vips = [ip_address(vip) for vip in bound]
    found = safety.last_vip(vips, [ip_address(vip) for vip in wanted])
    assert [str(sentence) for sentence in found] == expected


@pytest.mark.parametrize(
    ("address", "fought_over"),
    [(eth_vip(), True), (lo_vip(), False), (eth_vip("10.0.1.99"), False)],
    ids=["on the LAN", "on lo", "another address"],
)
def test_split_brain(address, fought_over):
    found = safety.split_brain([at().address], {"lb02": director(address)})
    assert [str(sentence) for sentence in found] == (
        [
            (
                "lb02 holds 10.0.1.31 too: two directors would answer for it (split brain)."
                " Take it off lb02 first."
            )
        ]
        if fought_over
        else []
    )
