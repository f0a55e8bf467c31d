"""Wish, revision and kernel side by side: what each row is said to be."""

import pytest

from cluster.watch.board import Sources, WantedRow, row_state, service_lines
from cluster.watch.document import decode, encode
from tests.watch.build import KEY, sample

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("wanted", "applied", "present", "same", "state"),
    [
        (1, 1, True, True, "LISTED"),
        (1, 1, True, False, "DRIFT"),
        (1, 1, False, False, "DRIFT"),
        (1, None, False, False, "PENDING"),
        (2, 1, True, False, "PENDING"),
        (None, 1, True, False, "PENDING"),  # deleted, not applied yet
        (None, None, False, False, "DISABLED"),
    ],
)
def test_the_state_of_a_row(wanted, applied, present, same, state):
    facts = {"wanted": wanted, "applied": applied, "present": present, "same": same}
    assert row_state(known=True, ours=True, **facts) == state
    assert row_state(known=False, ours=True, **facts) == "UNKNOWN"


def test_what_nobody_wanted_is_not_ours_unless_we_put_it_there():
    facts = {"wanted": None, "applied": None, "present": True, "same": False}
    assert row_state(known=True, ours=False, **facts) == "FOREIGN"
    assert row_state(known=True, ours=True, **facts) == "DRIFT"


def test_weight_zero_is_draining_only_when_it_is_wanted():
    facts = {"wanted": 1, "applied": 1, "present": True, "known": True, "ours": True}
    assert row_state(same=True, draining=True, **facts) == "DRAINING"
    assert row_state(same=False, draining=True, **facts) == "DRIFT"


def lines(lab, now=None, **changes):
    services = lab.cluster.services.prefetch_related("servers__host")
    rows = [WantedRow.of(row) for row in services]
    applied = lab.cluster.applied()
    values = {
        "rows": rows,
        "applied": {str(s.at): s for s in applied.table.services} if applied else {},
        "ours": frozenset(),
        "sample": decode(encode(now or sample())),
    }
    return service_lines(Sources(**values | changes))


@pytest.fixture
def service(lab):
    made = lab.add_service()
    made.servers.filter(address="10.0.1.6").update(weight=3)
    return made


def test_applied_and_in_the_kernel(lab, service):
    lab.keep_revision()
    (line,) = lines(lab)
    assert (line.key, line.state) == (KEY, "LISTED")
    assert [(s.name, s.weight, s.state) for s in line.servers] == [
        ("web1", 3, "LISTED"),
        ("web2", 1, "LISTED"),
    ]
    assert line.numbers.active == 3
    assert line.numbers.conns == 4.0
    assert line.numbers.blind  # direct routing: replies are not seen
    assert line.servers[1].numbers.conns is None  # no rate is known yet


def test_without_a_sample_nothing_is_said_to_be_up(lab, service):
    lab.keep_revision()
    (line,) = lines(lab, sample=None)
    assert {line.state, *(server.state for server in line.servers)} == {"UNKNOWN"}
    assert line.numbers.active is None
    assert line.servers[0].weight == 3  # what is wanted is known


def test_an_edit_that_waits_is_told_from_drift(lab, service):
    lab.keep_revision()
    service.servers.filter(address="10.0.1.9").update(weight=7)
    states = {s.name: s.state for s in lines(lab)[0].servers}
    assert states == {"web1": "LISTED", "web2": "PENDING"}
    lab.keep_revision()
    states = {s.name: s.state for s in lines(lab)[0].servers}
    assert states == {"web1": "LISTED", "web2": "DRIFT"}


def test_a_service_that_is_not_applied_yet_has_no_numbers(lab, service):
    (line,) = lines(lab, sample(services=()))
    assert line.state == "PENDING"
    assert line.numbers.active is None


def test_a_foreign_service_is_shown_and_named(lab):
    (line,) = lines(lab, names={"10.0.1.6": "web1"})
    assert (line.state, line.row) == ("FOREIGN", None)
    assert [(s.name, s.at, s.state) for s in line.servers] == [
        ("web1", "10.0.1.6:80", "FOREIGN"),
        ("", "10.0.1.9:80", "FOREIGN"),
    ]


def test_a_deleted_service_waits_to_be_taken_out(lab, service):
    lab.keep_revision()
    service.delete()
    (line,) = lines(lab)
    assert (line.state, line.row) == ("PENDING", None)


def test_a_service_that_is_switched_off(lab, service):
    lab.cluster.services.update(enabled=False)
    (line,) = lines(lab, sample(services=()))
    assert line.state == "DISABLED"
