from cluster.lvs.rates import Rates
from cluster.watch.document import decode_sparks, encode_sparks
from cluster.watch.sample import TOTAL
from cluster.watch.sparks import POINTS, WHOLE, Sparks
from tests.watch.build import KEY, sample


def read(told):
    """Return the lines as pages get them, after the way through the cache."""
    return decode_sparks(encode_sparks(told))


def points(told):
    return read(told).rows


def rated(at, conns, whole=None):
    rates = Rates(conns, 0, 0, 0, 0)
    return sample(at, rates={KEY: rates, TOTAL: whole})


def test_a_point_is_the_mean_of_ten_seconds():
    sparks = Sparks()
    told = [sparks.add(rated(100 + at, at)) for at in (0, 2, 4, 6, 8)]
    assert told == [None] * 5
    assert points(sparks.add(rated(110, 0))) == {KEY: (4.0,)}


def test_the_whole_director_has_five_lines():
    sparks = Sparks()
    for at in (0, 2, 4, 6, 8):
        sparks.add(rated(100 + at, 1, Rates(at, 0, 0, 1000 + at, 2000 + at)))
    lines = read(sparks.add(rated(110, 1)))
    points = (4.0, 3.0, 101.0, 1004.0, 2004.0)
    assert lines.whole == {name: (n,) for name, n in zip(WHOLE, points, strict=True)}
    assert lines.slot == 11


def test_connections_are_known_where_rates_are_not():
    sparks = Sparks()
    sparks.add(rated(100, 1))
    lines = read(sparks.add(rated(110, 1)))
    assert lines.whole["conns"] == ()
    assert lines.whole["active"] == (3.0,)


def test_a_silence_is_a_gap_and_five_minutes_are_kept():
    sparks = Sparks()
    sparks.add(rated(100, 7))
    assert points(sparks.add(rated(130, 1))) == {KEY: (7.0, None, None)}
    for slot in range(40):
        told = sparks.add(rated(140 + 10 * slot, 2))
    assert len(points(told)[KEY]) == POINTS


def test_another_worker_goes_on_where_the_first_one_stopped():
    first = Sparks()
    first.add(rated(100, 7))
    told = first.add(rated(110, 1))
    second = Sparks()
    second.resume(read(told))
    second.add(rated(121, 5))
    lines = read(second.add(rated(131, 5)))
    assert lines.rows == {KEY: (7.0, None, 5.0)}
    assert lines.whole["active"] == (3.0, None, 3.0)


def test_what_is_older_than_five_minutes_is_forgotten():
    sparks = Sparks()
    sparks.add(rated(100, 7))
    sparks.add(rated(110, 7))
    assert points(sparks.add(rated(1000, 1))) == {}
