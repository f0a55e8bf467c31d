from cluster.lvs.rates import Rates
from cluster.watch.document import decode_sparks, encode_sparks
from cluster.watch.sample import TOTAL
from cluster.watch.sparks import POINTS, Sparks
from tests.watch.build import KEY, sample


def points(told):
    """Return the rows as pages get them, after the way through the cache."""
    return decode_sparks(encode_sparks(told))["rows"]


def rated(at, conns):
    rates = Rates(conns, 0, 0, 0, 0)
    return sample(at, rates={KEY: rates, TOTAL: None})


def test_a_point_is_the_mean_of_ten_seconds():
    sparks = Sparks()
    told = [sparks.add(rated(100 + at, at)) for at in (0, 2, 4, 6, 8)]
    assert told == [None] * 5
    assert points(sparks.add(rated(110, 0))) == {KEY: [4.0]}


def test_a_silence_is_a_gap_and_five_minutes_are_kept():
    sparks = Sparks()
    sparks.add(rated(100, 7))
    assert points(sparks.add(rated(130, 1))) == {KEY: [7.0, None, None]}
    for slot in range(40):
        told = sparks.add(rated(140 + 10 * slot, 2))
    assert len(points(told)[KEY]) == POINTS


def test_another_worker_goes_on_where_the_first_one_stopped():
    first = Sparks()
    first.add(rated(100, 7))
    told = first.add(rated(110, 1))
    second = Sparks()
    second.resume(decode_sparks(encode_sparks(told)))
    second.add(rated(121, 5))
    assert points(second.add(rated(131, 5))) == {KEY: [7.0, None, 5.0]}


def test_what_is_older_than_five_minutes_is_forgotten():
    sparks = Sparks()
    sparks.add(rated(100, 7))
    sparks.add(rated(110, 7))
    assert points(sparks.add(rated(1000, 1))) == {}
