"""Counters row by row: whole, in part, one listing after the other, never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import counters, stats
from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import row_key
from cluster.lvs.stats import Listing, StatsReader
from tests.lvs.samples import sample

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
"""
SERVICE = (
    "TCP  10.0.1.31:80                      124      660        0    44962        0\n"
)
SERVER = (
    "  -> 10.0.1.6:80                        62      336        0    22876        0\n"
)
NAMES = ("TCP 10.0.1.31:80", "TCP 10.0.1.31:80 10.0.1.6:80")

numbers = st.integers(0, 2**64 - 1)
rows = st.lists(
    st.tuples(
        st.sampled_from(["TCP", "UDP", "SCTP"]),
        st.integers(1, 65535),
        st.builds(Counters, *[numbers] * 5),
        st.lists(st.builds(Counters, *[numbers] * 5), max_size=3),
    ),
    max_size=6,
    unique_by=lambda row: row[:2],
)


def parse_stats(text):
    return stats.parse_stats(text.encode("utf-8", "surrogatepass"))


def read(reader, text):
    return reader.read(text.encode("utf-8", "surrogatepass"))


def cells(found):
    values = (found.conns, found.in_packets, found.out_packets, found.in_bytes)
    return "".join(f" {n:8}" for n in (*values, found.out_bytes)) + "\n"


def printed(table):
    """Return a listing and what it says."""
    text, said = HEAD, {}
    for protocol, port, totals, servers in table:
        key = f"{protocol} 10.0.1.31:{port}"
        text += f"{protocol}  10.0.1.31:{port}".ljust(33) + cells(totals)
        said[key] = totals
        for n, one in enumerate(servers):
            text += f"  -> 10.0.1.{n}:{port}".ljust(33) + cells(one)
            said[row_key(key, f"10.0.1.{n}:{port}")] = one
    return text, said


@given(rows)
def test_a_listing_is_read_as_it_was_printed(table):
    text, said = printed(table)
    assert parse_stats(text) == Listing.of(said)


@given(st.lists(rows, min_size=2, max_size=4))
def test_one_after_the_other_is_the_same_as_each_by_itself(tables):
    reader = StatsReader()
    for text, said in map(printed, tables):
        assert read(reader, text) == Listing.of(said)


@given(rows, st.lists(numbers, min_size=1), st.data())
def test_numbers_that_move_are_seen(table, news, data):
    reader = StatsReader()
    text, _said = printed(table)
    read(reader, text)
    lines = text.splitlines(keepends=True)
    for number in news if len(lines) > 3 else ():
        n = data.draw(st.integers(3, len(lines) - 1))
        words = lines[n].split()
        moved = Counters(number, *map(int, words[3:]))
        lines[n] = (
            (" " if words[0] == "->" else "") + " ".join(words[:2]) + cells(moved)
        )
        text = "".join(lines)
        assert read(reader, text) == parse_stats(text)


def test_a_listing_of_a_real_director_is_what_the_slower_parser_reads():
    text = sample("ipvsadm-Ln--stats--exact")
    slow = {row_key(str(at), s): c for (at, s), c in counters.parse_stats(text).items()}
    assert parse_stats(text) == Listing.of(slow)
    assert len(slow) == 3


def test_an_ipv6_mark_has_one_word_more():
    text = HEAD + (
        "FWM  7 IPv6                            1 2 3 4 5\n"
        "  -> [2001:db8::6]:0                   6 7 8 9 10\n"
    )
    said = {
        "FWM 7 IPv6": Counters(1, 2, 3, 4, 5),
        "FWM 7 IPv6 [2001:db8::6]:0": Counters(6, 7, 8, 9, 10),
    }
    reader = StatsReader()
    assert read(reader, text) == Listing.of(said)
    assert read(reader, text.replace(" 5\n", " 6\n")).rows["FWM 7 IPv6"].out_bytes == 6


def test_an_empty_text_after_one_that_moved_has_no_rows_either():
    reader = StatsReader()
    for text in (HEAD + SERVICE, HEAD + SERVICE.replace("660", "661"), ""):
        assert read(reader, text) == parse_stats(text)


def test_an_empty_listing_has_no_rows():
    assert parse_stats(HEAD) == Listing()
    assert parse_stats("") == Listing()


@pytest.mark.parametrize(
    "line",
    [
        SERVER.replace("336", "33K"),
        SERVER.replace("336", "-36"),
        SERVER.replace("336", "3_6"),
        SERVER.replace("336", "٣٣٦"),
        SERVER.replace("      336", ""),
        SERVER.replace("336", "336  7"),
        SERVER.replace("10.0.1.6", "10.0.1\x1c6"),
        SERVICE,  # once more: which of them is it?
        "IL   2    1 2 3 4 5\n",
        "ipvsadm: something new\n",
        SERVER.rstrip("\n")[:-1] + "1",  # cut: of 12?
    ],
)
def test_a_line_that_is_not_understood_is_kept(line):
    known = {NAMES[0]: Counters(124, 660, 0, 44962, 0)}
    expected = Listing.of(known, [line.rstrip("\n")])
    reader = StatsReader()
    read(reader, HEAD + SERVICE + SERVER)
    assert read(reader, HEAD + SERVICE + line) == expected
    assert parse_stats(HEAD + SERVICE + line) == expected


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace("OutBytes", "OutBytes  Dropped"),  # a newer version
        HEAD.replace("Conns   InPkts", "InPkts    Conns"),
        HEAD.replace("  -> RemoteAddress:Port\n", ""),
        "sudo: a password is required\n",
    ],
)
def test_below_headings_that_we_do_not_know_nothing_is_read(head):
    text = head + SERVICE
    assert parse_stats(text) == Listing(unknown=tuple(text.splitlines()))


def test_a_listing_that_is_cut_anywhere_never_has_another_number():
    text = HEAD + SERVICE + SERVER
    said = parse_stats(text).rows
    assert tuple(said) == NAMES
    for end in range(len(text)):
        reader = StatsReader()
        read(reader, text)
        found = read(reader, text[:end])
        assert found.rows.items() <= said.items()
        assert found == parse_stats(text[:end])


@given(st.text(), st.text())
def test_any_text_is_read(first, second):
    reader = StatsReader()
    for text in (first, HEAD + first, HEAD + second):
        assert read(reader, text) == parse_stats(text)


@st.composite
def mutated(draw):
    """A listing with some of its bytes cut out, replaced or put in."""
    text = bytearray(printed(draw(rows))[0].encode())
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(len(HEAD), len(text)))
        end = start + draw(st.sampled_from([0, 1, 1, 1, 2, 8, 40, 80]))
        text[start:end] = draw(st.sampled_from(BITS))
    return bytes(text)


BITS = [
    *(
        b"",
        b" ",
        b"\n",
        b"\n\n",
        b";",
        b" ; ",
        b"-",
        b"->",
        b"  -> ",
        b"TCP ",
        b"FWM 7 IPv6 ",
    ),
    *(
        b"0",
        b"7",
        b"+1",
        b"1_0",
        b"\xd9\xa3",
        b"\xff",
        b"\0",
        b"\x1c",
        b"\r",
        b"\x85",
        b"12K",
    ),
    *(SERVER.encode(), SERVICE.encode(), b"9" * 5000),
]


@given(mutated(), st.sampled_from([16, 100, stats._BLOCK]))
def test_many_lines_at_once_are_what_each_of_them_is(text, block):
    body = text[len(HEAD) :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats, "_BLOCK", block)
        fast = stats._even(body)
    assert fast in (None, stats._careful(body))


@given(st.lists(mutated(), min_size=2, max_size=3))
def test_any_listing_after_any_other_is_read_as_by_itself(texts):
    reader = StatsReader()
    for text in texts:
        assert reader.read(text) == stats.parse_stats(text)


@given(mutated(), st.data())
def test_a_listing_that_was_changed_anyhow_is_read_as_by_itself(text, data):
    reader = StatsReader()
    reader.read(text)
    start = data.draw(st.integers(0, len(text)))
    end = start + data.draw(st.integers(0, 3))
    after = text[:start] + data.draw(st.sampled_from(BITS)) + text[end:]
    assert reader.read(after) == stats.parse_stats(after)


@pytest.mark.parametrize(
    "body",
    [
        "TCP  \n 1 2 3 4 5\n",
        "TCP  a 1 2 3 4 5 ->\n -> 1 2 3 4 5\n",
        "TCP  a 1 2 3 4 5 UDP\n b 1 2 3 4 5\n",
        "TCP  ; 1 2 3 4 5\n",
        "TCP  a 1 2 3 4 5 ; UDP  b 1 2 3 4 5\n",
        SERVICE + "\n" + SERVER,
        SERVER + SERVICE,
        SERVICE + SERVER + SERVER,
        SERVICE + "TCP  a-b 1 2 3 4 5\n" + SERVER.replace("->", ">"),
    ],
)
def test_what_only_looks_like_rows_is_read_line_by_line(body):
    assert stats._even(body.encode()) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SERVICE, SERVICE.replace("TCP", "UDP")),
        (SERVICE + SERVER, SERVICE + SERVER.replace("10.0.1.6", "10.0.1.7")),
        (SERVICE + SERVER, SERVER + SERVICE),
        (SERVICE + SERVER, SERVICE + SERVER.strip("\n")),
        (SERVICE + SERVER, SERVICE + "TCP  \n 1 2 3 4 5\n"),
        (SERVICE * 2, SERVICE + SERVICE.replace("660", "661")),
        (SERVICE + "odd\n", SERVICE.replace("660", "661") + "odd\n"),
        (SERVICE + "odd\n", SERVICE.replace("660", "661") + "even\n"),
        ("odd\n" + SERVER, "odd\n" + SERVER.replace("336", "337")),
    ],
)
def test_a_listing_after_another_is_read_as_by_itself(first, second):
    reader = StatsReader()
    read(reader, HEAD + first)
    assert read(reader, HEAD + second) == parse_stats(HEAD + second)


@given(rows)
def test_a_whole_listing_is_read_many_lines_at_once(table):
    assert stats._even(printed(table)[0][len(HEAD) :].encode()) is not None
