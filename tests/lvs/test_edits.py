from dataclasses import replace
from ipaddress import ip_address

import pytest

from cluster.lvs.edits import Kind, edit, edits
from cluster.lvs.table import RealServer, ServiceAddress, Table, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler

NAMES = {ip_address("10.0.1.6"): "web1", ip_address("10.0.1.9"): "web2"}
AT = ServiceAddress.of(Protocol.TCP, ip_address("10.0.1.31"), 80)
WEB1 = RealServer(ip_address("10.0.1.6"), 80)
WEB2 = RealServer(ip_address("10.0.1.9"), 80)
SERVICE = VirtualService(AT, Scheduler.RR, (WEB1,))

CHANGES = [
    (
        replace(SERVICE, scheduler=Scheduler.WLC),
        ["scheduler round robin → weighted least-connection"],
    ),
    (replace(SERVICE, persistence=300), ["persistence off → 300 s"]),
    (
        replace(SERVICE, servers=(WEB1, WEB2)),
        ["add web2 (10.0.1.9:80, weight 1, Direct routing)"],
    ),
    (replace(SERVICE, servers=()), ["take web1 out"]),
    (
        replace(SERVICE, servers=(replace(WEB1, weight=0),)),
        ["weight of web1 1 → 0"],
    ),
    (
        replace(SERVICE, servers=(replace(WEB1, method=ForwardingMethod.NAT),)),
        ["change web1 (10.0.1.6:80, weight 1, NAT)"],
    ),
    (
        replace(SERVICE, servers=(replace(WEB1, weight=2, upper=100),)),
        [
            (
                "change web1 (10.0.1.6:80, weight 2, Direct routing, full at 100"
                " connections)"
            )
        ],
    ),
    (
        replace(SERVICE, flags=("sh-port", "sh-fallback"), one_packet=True),
        ["scheduler flags none → sh-fallback, sh-port", "each packet by itself"],
    ),
    (
        replace(SERVICE, persistence=300, netmask=24),
        ["persistence off → 300 s", "persistence netmask none → /24"],
    ),
    (
        replace(SERVICE, persistence=60, servers=(WEB2,)),
        [
            "persistence off → 60 s",
            "add web2 (10.0.1.9:80, weight 1, Direct routing)",
            "take web1 out",
        ],
    ),
]


@pytest.mark.parametrize(("after", "sentences"), CHANGES)
def test_every_part_of_a_change_is_said(after, sentences):
    found = edit(SERVICE, after, NAMES)
    assert found is not None
    assert found.kind is Kind.CHANGED
    assert [str(sentence) for sentence in found.sentences] == sentences


def test_the_same_is_no_edit():
    assert edit(SERVICE, replace(SERVICE), NAMES) is None


def test_a_new_and_a_removed_service_are_said_with_their_servers():
    other = replace(SERVICE, at=replace(AT, port=443), servers=(WEB2,))
    found = edits(Table((SERVICE,)), Table((other,)), NAMES)
    assert [(e.kind, str(e.sentence)) for e in found] == [
        (
            Kind.REMOVED,
            (
                "Delete virtual service TCP 10.0.1.31:80, round robin;"
                " with web1 (10.0.1.6:80, weight 1, Direct routing)"
            ),
        ),
        (
            Kind.NEW,
            (
                "Add virtual service TCP 10.0.1.31:443, round robin;"
                " with web2 (10.0.1.9:80, weight 1, Direct routing)"
            ),
        ),
    ]


def test_a_change_as_one_sentence_for_the_log():
    found = edit(SERVICE, replace(SERVICE, persistence=60, servers=()), NAMES)
    assert found is not None
    assert str(found.sentence) == (
        "Change TCP 10.0.1.31:80: persistence off → 60 s; take web1 out"
    )
