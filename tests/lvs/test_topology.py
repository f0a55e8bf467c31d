import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.topology import WIDTH, draw, inflow_width, line_widths

rates = st.lists(
    st.one_of(st.none(), st.floats(min_value=0, max_value=1e7)), max_size=12
)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.integers(0, 12),
    st.booleans(),
)
def test_everything_is_inside_the_picture_and_nothing_overlaps(vips, servers, pass_by):
    drawing = draw(vips, 0, servers, replies_pass_by=pass_by)
    boxes = [*drawing.directors, *drawing.servers]
    for box in boxes:
        assert box.x >= 0
        assert box.right <= WIDTH
        assert box.y >= 0
        assert box.y + box.height <= drawing.height
    for column in (drawing.directors, drawing.servers):
        for above, below in itertools.pairwise(column):
            assert above.y + above.height < below.y
    for director, pills in zip(drawing.directors, drawing.pills, strict=True):
        for pill in pills:
            assert director.x < pill.x
            assert pill.right < director.right
            assert pill.y + pill.height < director.y + director.height


@given(rates)
def test_a_busier_line_is_never_thinner(rates):
    widths = line_widths(rates)
    pairs = sorted(zip((rate or 0.0 for rate in rates), widths, strict=True))
    assert [width for _, width in pairs] == sorted(width for _, width in pairs)
    assert all(1.5 <= width <= 9.0 for width in widths)


def test_idle_lines_are_thin():
    assert line_widths([0.0, None, 0.0]) == (1.5, 1.5, 1.5)


@given(rates)
def test_the_line_to_the_director_is_as_thick_as_the_thickest_from_it(rates):
    widths = line_widths(rates)
    assert max(widths, default=1.5) <= inflow_width(widths) <= 9.0


def test_lines_go_from_the_acting_director_to_every_server():
    drawing = draw([1, 0], 1, 2, replies_pass_by=False)
    acting = drawing.directors[1]
    for flow, server in zip(drawing.flows, drawing.servers, strict=True):
        start = re.match(r"M (\S+) (\S+) ", flow.path)
        assert (float(start[1]), float(start[2])) == (acting.right + 2, acting.middle)
        assert flow.path.endswith(f"{server.x - 6:g} {server.middle:g}")
    assert drawing.reply is None


def test_nothing_flows_when_nobody_acts():
    drawing = draw([0, 0], None, 1, replies_pass_by=True)
    assert drawing.inflow is None
    assert drawing.flows == ()


def test_replies_pass_by_only_where_there_are_servers():
    assert draw([1], 0, 1, replies_pass_by=True).reply is not None
    assert draw([1], 0, 0, replies_pass_by=True).reply is None


@pytest.mark.parametrize("servers", [1, 2, 9])
def test_replies_leave_from_the_lowest_real_server(servers):
    drawing = draw([3, 0], 0, servers, replies_pass_by=True)
    lowest = drawing.servers[-1]
    start = re.match(r"M (\S+) (\S+) ", drawing.reply.path)
    assert (float(start[1]), float(start[2])) == (lowest.centre, lowest.bottom + 4)
