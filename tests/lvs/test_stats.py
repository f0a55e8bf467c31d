"""Counters row by row: whole, in part, one listing after the other, never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import counters
from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import row_key
from cluster.lvs.stats import Listing, StatsReader, parse_stats
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
    assert parse_stats(text) == Listing(said)


@given(st.lists(rows, min_size=2, max_size=4))
def test_one_after_the_other_is_the_same_as_each_by_itself(tables):
    reader = StatsReader()
    for text, said in map(printed, tables):
        assert reader.read(text) == Listing(said)


@given(rows, st.lists(numbers, min_size=1), st.data())
def test_numbers_that_move_are_seen(table, news, data):
    reader = StatsReader()
    text, _said = printed(table)
    reader.read(text)
    lines = text.splitlines(keepends=True)
    for number in news if len(lines) > 3 else ():
        n = data.draw(st.integers(3, len(lines) - 1))
        words = lines[n].split()
        moved = Counters(number, *map(int, words[3:]))
        lines[n] = (
            (" " if words[0] == "->" else "") + " ".join(words[:2]) + cells(moved)
        )
        text = "".join(lines)
        assert reader.read(text) == parse_stats(text)


def test_a_listing_of_a_real_director_is_what_the_slower_parser_reads():
    text = sample("ipvsadm-Ln--stats--exact")
    slow = {row_key(str(at), s): c for (at, s), c in counters.parse_stats(text).items()}
    assert parse_stats(text) == Listing(slow)
    assert len(slow) == 3


def test_an_ipv6_mark_has_one_word_more():
    text = HEAD + (
        "FWM  7 IPv6                            1 2 3 4 5\n"
        "  -> [2001:db8::6]:0                   6 7 8 9 10\n"
    )
    said = {
        "FWM 7": Counters(1, 2, 3, 4, 5),
        "FWM 7 [2001:db8::6]:0": Counters(6, 7, 8, 9, 10),
    }
    reader = StatsReader()
    assert reader.read(text) == Listing(said)
    assert reader.read(text.replace(" 5\n", " 6\n")).rows["FWM 7"].out_bytes == 6


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
        SERVICE,  # once more: which of them is it?
        "IL   2    1 2 3 4 5\n",
        "ipvsadm: something new\n",
        SERVER.rstrip("\n")[:-1] + "1",  # cut: of 12?
    ],
)
def test_a_line_that_is_not_understood_is_kept(line):
    known = {NAMES[0]: Counters(124, 660, 0, 44962, 0)}
    expected = Listing(known, (line.rstrip("\n"),))
    reader = StatsReader()
    reader.read(HEAD + SERVICE + SERVER)
    assert reader.read(HEAD + SERVICE + line) == expected
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
    assert parse_stats(text) == Listing({}, tuple(text.splitlines()))


def test_a_listing_that_is_cut_anywhere_never_has_another_number():
    text = HEAD + SERVICE + SERVER
    said = parse_stats(text).rows
    assert tuple(said) == NAMES
    for end in range(len(text)):
        reader = StatsReader()
        reader.read(text)
        found = reader.read(text[:end])
        assert found.rows.items() <= said.items()
        assert found == parse_stats(text[:end])


@given(st.text(), st.text())
def test_any_text_is_read(first, second):
    reader = StatsReader()
    for text in (first, HEAD + first, HEAD + second):
        assert reader.read(text) == parse_stats(text)
