"""The question to the LAN, as a worker asks it for a form."""

import pytest

from cluster.control.addresses import check_address
from cluster.models import AddressCheck

State = AddressCheck.State


def asked(lab, address):
    check = AddressCheck.objects.create(cluster=lab.cluster, address=address)
    check_address(check, lab.connect)
    check.refresh_from_db()
    assert check.answered_at
    return check


def test_an_address_that_nobody_has_is_free(lab):
    assert asked(lab, "10.0.1.31").state == State.FREE
    assert "arping -D -c 2 -w 3 -I eth0 10.0.1.31" in lab.shells["lb01"].lines


def test_whoever_answers_is_named_by_the_mac_address(lab):
    lab.models["lb01"].taken.add("10.0.1.31")
    check = asked(lab, "10.0.1.31")
    assert (check.state, check.holder) == (State.TAKEN, "52:54:00:00:00:99")


@pytest.mark.parametrize(
    ("address", "words"), [("192.0.2.1", "in no network of the director")]
)
def test_an_address_of_no_network_is_not_asked_for(lab, address, words):
    check = asked(lab, address)
    assert check.state == State.FAILED
    assert words in check.trouble["msgid"]
    assert not any("arping" in line for line in lab.shells["lb01"].lines)


def test_a_director_that_does_not_answer_is_no_proof(lab, dead):
    dead("lb01")
    assert asked(lab, "10.0.1.31").state == State.FAILED


def test_a_cluster_without_a_director_says_so(lab):
    lab.cluster.director = None
    lab.cluster.save()
    check = asked(lab, "10.0.1.31")
    assert "no director" in check.trouble["msgid"]
