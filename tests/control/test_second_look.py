"""The reasons of a real plan: live counters, the last VIP, another director."""

import time

import pytest

from cluster.models import Run
from cluster.watch import store
from cluster.watch.store import News
from tests.build import director, eth_vip
from tests.hosts import make_host
from tests.watch.build import sample


@pytest.fixture(autouse=True)
def _empty_store():
    store.client().flushdb()


def count(lab, age=0.0):
    """lb01 carries 2 active connections of web1 and 1 of web2."""
    news = sample(time.time() - age)
    store.publish([News(lab.host("lb01").pk, lab.cluster.pk, news)])


def told(run):
    return [str(sentence) for sentence in run.caution_sentences]


def test_deleting_the_last_service_says_what_it_cuts_off(lab):
    service = lab.want()
    lab.apply()
    count(lab)
    service.delete()
    assert told(lab.plan()) == [
        "After this the director has no virtual service of ours left.",
        "TCP 10.0.1.31:80 is deleted: active connections that are cut off now: 3.",
        "The last VIP goes: nothing of this cluster answers for 10.0.1.31 then.",
    ]


@pytest.mark.parametrize("age", [None, 60.0])
def test_old_counters_are_not_believed(lab, age):
    service = lab.want()
    lab.apply()
    if age:
        count(lab, age)
    service.delete()
    assert "connections that it carries are cut off" in told(lab.plan())[1]


def test_a_server_is_taken_out_under_load(lab):
    service = lab.want()
    lab.apply()
    count(lab)
    service.servers.get(address="10.0.1.6").delete()
    assert "active connections that are cut off now: 2." in told(lab.plan())[0]


def second_director(lab):
    """lb02 was read a moment ago and takes no part."""
    return make_host(
        "lb02",
        cluster=lab.cluster,
        role="director",
        address="10.0.1.5",
        credential=lab.host("lb01").credential,
        facts={"state": director(eth_vip()).as_json()},
    )


def test_another_director_that_holds_the_vip_is_a_split_brain(lab):
    other = second_director(lab)
    lab.want()
    run = lab.plan()
    assert run.state == Run.State.PLANNED
    assert "lb02 holds 10.0.1.31 too" in told(run)[0]
    other.facts = {"state": director().as_json()}
    other.save()
    assert told(lab.plan()) == []
