from array import array
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.watch.chunks import Block, decode, encode, merged


def block(axis, **series):
    columns = {
        name: [array("f", column) for column in columns]
        for name, columns in series.items()
    }
    width = len(next(iter(columns.values()))) if columns else 1
    return Block(width, array("I", axis), columns)


def plain(found):
    """NaN as None, so that it can be compared."""
    return list(found.axis), {
        name: [[None if v != v else v for v in column] for column in columns]
        for name, columns in found.series.items()
    }


numbers = st.floats(width=32, allow_nan=True, allow_infinity=False)
names = st.lists(st.text("abc. :0", max_size=5), unique=True, max_size=4)


@given(st.data())
def test_what_was_stored_comes_back(data):
    axis = sorted(data.draw(st.sets(st.integers(0, 2**32 - 1), max_size=12)))
    column = st.lists(numbers, min_size=len(axis), max_size=len(axis))
    known = {
        name: data.draw(st.lists(column, min_size=2, max_size=2))
        for name in data.draw(names)
    }
    made = block(axis, **known)
    made.width = 2
    found = decode(encode(made))
    assert plain(found) == plain(made)
    if known:
        name = next(iter(known))
        one = decode(encode(made), [name])
        assert plain(one)[1] == {name: plain(made)[1][name]}


@pytest.mark.parametrize("data", [b"", b"\x09" + bytes(40), b"\x01\x01" + bytes(40)])
def test_what_we_did_not_write_is_refused(data):
    with pytest.raises(ValueError, match="not a chunk"):
        decode(data)


def newer(_old, new):
    return new


def test_a_later_block_is_appended_and_holes_are_kept():
    first = block([0, 1], a=[[1, 2]], b=[[5, 6]])
    then = block([2], b=[[7]], c=[[9]])
    wanted = (
        [0, 1, 2],
        {"a": [[1, 2, None]], "b": [[5, 6, 7]], "c": [[None, None, 9]]},
    )
    assert plain(merged(first, then, newer)) == wanted
    axis, series = plain(merged(then, first, newer))
    assert (axis, series) == wanted


def test_what_comes_late_is_put_between():
    old, late = block([0, 2, 4], a=[[1, 3, 5]]), block([1, 2], a=[[2, 30]], b=[[7, 8]])
    assert plain(merged(old, late, newer)) == (
        [0, 1, 2, 4],
        {"a": [[1, 2, 30, 5]], "b": [[None, 7, 8, None]]},
    )


def test_two_values_for_one_place_are_combined():
    old, late = block([0, 2], a=[[1, 3]]), block([2, 4], a=[[4, 5]])
    both = merged(old, late, lambda old, new: [old[0] + new[0]])
    assert plain(both) == ([0, 2, 4], {"a": [[1, 7, 5]]})


def test_idle_rows_take_next_to_nothing():
    many = {f"s{n}": [[0.0] * 150] * 7 for n in range(100)}
    assert len(encode(block(range(150), **many))) < 100 * 60


def test_nothing_is_a_block_too():
    empty = Block(7)
    assert plain(decode(encode(empty))) == ([], {})
    assert plain(merged(empty, block([3], a=[[nan]]), newer)) == ([3], {"a": [[None]]})
