import pytest

from cluster.lvs.drain_advice import NODEST, QUIESCENT, advice, at_the_end
from cluster.lvs.terms import Scheduler
from tests.build import service

SH = Scheduler.SH
CASES = [
    (service(), {}, []),
    (service(persistence=300), {}, ["persistent for 300 s"]),
    (service(persistence=300), {QUIESCENT: "0"}, ["persistent for 300 s"]),
    (service(persistence=300), {QUIESCENT: "1"}, []),
    (service(scheduler=SH), {}, ["sh without sh-fallback"]),
    (service(scheduler=SH, flags=("sh-fallback",)), {}, []),
    (service(scheduler=Scheduler.MH), {}, ["mh without mh-fallback"]),
    (service(scheduler=Scheduler.DH), {}, ["uses dh"]),
]


@pytest.mark.parametrize(("one", "sysctls", "words"), CASES)
def test_what_a_person_should_know(one, sysctls, words):
    found = [str(sentence) for sentence in advice(one, sysctls)]
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


@pytest.mark.parametrize(("now", "word"), [("1", "reset"), ("0", "time out")])
def test_what_happens_to_those_who_are_left(now, word):
    assert word in str(at_the_end({NODEST: now}))
    assert "where expire_nodest_conn is 1" in str(at_the_end({}))
