"""The line below a figure: what all directors have together."""

from cluster.views.kpi import spark
from cluster.watch.sparks import POINTS, Lines


def lines(slot, *points):
    return Lines(slot, {"conns": points}, {})


def test_directors_are_added_up_by_the_time_of_their_points():
    assert spark((lines(9, 1.0, 2.0, 3.0), lines(9, 10.0, 20.0)), "conns") == (
        1.0,
        12.0,
        23.0,
    )


def test_the_line_does_not_fall_while_one_director_is_a_point_ahead():
    busy, idle = lines(13, 4.0, 4.0, 4.0), lines(14, 0.0, 0.0, 0.0, 0.0)
    assert spark((busy, idle), "conns") == (4.0, 4.0, 4.0)
    assert spark((idle,), "conns") == (0.0,) * 4
    assert spark((lines(13), idle), "conns") == (0.0,) * 4


def test_what_was_not_known_is_left_out():
    assert spark((lines(9, 1.0, None, 3.0),), "conns") == (1.0, 3.0)
    assert spark((lines(9),), "conns") == ()
    assert spark((), "active") == ()


def test_there_are_never_more_points_than_five_minutes_have():
    early, late = lines(40, *[1.0] * POINTS), lines(45, *[1.0] * POINTS)
    assert len(spark((early, late), "conns")) == POINTS
