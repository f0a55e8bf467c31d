"""Whatever came before, a table is read as ``parse_table`` reads it by itself."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.kernel_table import MOST, KernelTable, parse_table
from cluster.lvs.table_reader import TableReader
from tests.lvs.samples import sample

TEXT = sample("proc-net-ip_vs")
HEAD = "".join(TEXT.splitlines(keepends=True)[:3])
numbers = st.integers(0, 2**32 + 1)
counts = st.integers(0, 2**32 - 1)
server = st.builds(
    "  -> 0A0001{:02X}:0050      {}   {:<6} {:<10} {:<10}\n".format,
    st.integers(1, 3),
    st.sampled_from(["Route", "Masq"]),
    st.one_of(numbers, st.sampled_from(["x", "-1", "1_0"])),
    numbers,
    numbers,
)
service = st.builds(
    "TCP  0A00011F:00{:02X} {} {}\n".format,
    st.integers(80, 82),
    st.sampled_from(["wlc", "rr"]),
    st.sampled_from([" ", "persistent 300 FFFFFFFF"]),
)
lines = st.lists(st.one_of(service, server, server, server), max_size=6)
tables = st.builds(
    lambda lines, cut: (HEAD + "".join(lines))[: cut or None],
    lines,
    st.sampled_from([0, 0, 0, -1, -12]),
)


def read(reader, text):
    found = reader.read(text.encode())
    assert list(found.active) == sums(found.services, "active")
    assert list(found.inactive) == sums(found.services, "inactive")
    return KernelTable(found.services, found.unknown)


def sums(services, name):
    """Return the numbers of all services, and then of all real servers."""
    rows = (*services, *(row for one in services for row in one.servers))
    return [min(getattr(row, name), MOST) for row in rows]


@given(st.lists(tables, max_size=5))
def test_any_tables_one_after_the_other(texts):
    reader = TableReader()
    for text in texts:
        assert read(reader, text) == parse_table(text)


@given(st.lists(st.lists(counts, min_size=6, max_size=6), min_size=1, max_size=4))
def test_tables_in_which_only_numbers_differ(turns):
    row = "  -> 0A0001{:02X}:0050      Route   {:<6} {:<10} {:<10}\n"
    reader = TableReader()
    layouts = []
    for turn in turns:
        text = HEAD + "TCP  0A00011F:0050 wlc  \n"
        text += row.format(6, *turn[:3]) + row.format(9, *turn[3:])
        assert read(reader, text) == parse_table(text)
        layouts.append(reader.read(text.encode()).layout)
    assert len(set(map(id, layouts))) == 1


def test_a_real_server_that_comes_makes_another_layout():
    reader = TableReader()
    before = reader.read(TEXT.encode()).layout
    more = TEXT + "  -> 0A000107:0050      Route   1      0          0         \n"
    assert len(reader.read(more.encode()).services[0].servers) == 3
    assert reader.read(more.encode()).layout is not before
