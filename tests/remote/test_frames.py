import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.remote.frames import Frame, FrameError, FrameReader

bodies = st.binary(max_size=200).filter(lambda body: b"\x1e" not in body)
frames = st.builds(
    Frame,
    bodies,
    st.integers(0, 2**40),
    st.integers(0, 2**40).map(lambda thousandths: thousandths / 1000),
)


def written(frame):
    return b"%s\x1e%d %.3f\n" % (frame.body, frame.sequence, frame.sent_at)


@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 50)))
def test_frames_come_out_whole_however_the_bytes_are_cut(expected, cuts):
    data = b"".join(map(written, expected))
    reader, found = FrameReader(), []
    for size in cuts:
        found += reader.feed(data[:size])
        data = data[size:]
    found += reader.feed(data)
    assert found == expected


def test_half_a_frame_stays_inside():
    reader = FrameReader()
    assert reader.feed(b"body\x1e7 17640000") == []
    assert reader.feed(b"00.5\nhalf") == [Frame(b"body", 7, 1764000000.5)]


def test_a_body_may_have_newlines_and_be_empty():
    assert FrameReader().feed(b"a\nb\n\x1e1 2\n\x1e2 3\n") == [
        Frame(b"a\nb\n", 1, 2.0),
        Frame(b"", 2, 3.0),
    ]


@pytest.mark.parametrize(
    "line", [b"", b"1", b"a b", b"1 b", b"1 2 3", b"1 nan", b"1 inf", b"1.5 2"]
)
def test_a_strange_end_of_a_frame_is_an_error(line):
    with pytest.raises(FrameError):
        FrameReader().feed(b"body\x1e" + line + b"\n")


def test_the_end_of_a_frame_is_short():
    with pytest.raises(FrameError, match="too long"):
        FrameReader().feed(b"body\x1e" + b"1" * 200)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_frame_has_a_largest_size(chunk):
    reader = FrameReader(largest=100)
    assert len(reader.feed(b"x" * 100 + b"\x1e1 2\n")) == 1
    chunks = [b"x" * chunk] * (101 // chunk + 1)
    with pytest.raises(FrameError, match="larger than 100"):
        list(map(reader.feed, chunks))


def test_a_frame_that_comes_at_once_is_measured_too():
    with pytest.raises(FrameError, match="larger"):
        FrameReader(largest=100).feed(b"x" * 101 + b"\x1e1 2\n")
