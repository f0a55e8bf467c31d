import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import (
    KernelServer,
    KernelTable,
    parse_table,
    parse_totals,
)
from tests.lvs.samples import sample

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
"""


def test_the_table_of_a_real_director():
    (service,) = parse_table(sample("proc-net-ip_vs")).services
    assert service.key == "TCP 10.0.1.31:80"
    assert service.scheduler == "wlc"
    assert not service.persistent
    assert [(s.at, s.forward, s.weight) for s in service.servers] == [
        ("10.0.1.9:80", "Route", 1),
        ("10.0.1.6:80", "Route", 3),
    ]
    assert service.active == sum(server.active for server in service.servers)


def test_the_totals_of_a_real_director_are_hexadecimal():
    text = sample("proc-net-ip_vs_stats")
    words = text.splitlines()[2].split()
    assert parse_totals(text) == Counters(*(int(word, 16) for word in words))


def test_marks_ipv6_and_flags():
    text = HEAD + (
        "FWM  00000007 sh \n"
        "  -> 0A000106:0000      Masq    1      2          3         \n"
        "UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr ops \n"
        "  -> [2001:0db8:0000:0000:0000:0000:0000:0006]:0035"
        "      Tunnel  0      0          0         \n"
        "TCP  0A00011F:01BB wrr persistent 30000 FFFFFFFF\n"
    )
    mark, six, last = parse_table(text).services
    assert mark.key == "FWM 7"
    assert mark.servers == (KernelServer("10.0.1.6:0", "Masq", 1, 2, 3),)
    assert six.key == "UDP [2001:db8::1]:53"
    assert six.servers[0].at == "[2001:db8::6]:53"
    assert (last.key, last.persistent, last.servers) == ("TCP 10.0.1.31:443", True, ())


def test_an_empty_table_has_no_services():
    assert parse_table(HEAD) == KernelTable()
    assert parse_table("") == KernelTable()


@pytest.mark.parametrize(
    "line",
    [
        "  -> 0A000106:0050      Route   1      0          0         0\n",
        "  -> 0A000106:0050      Route   x      0          0\n",
        "  -> 0A0001:0050        Route   1      0\n",
        "  -> garbage            Route   1      0          0\n",
        "SCTP zz rr\n",
        "IL   0A00011F:0050 rr\n",
        "  -> 0A000106:0050      Route   1      0          1",  # cut: of 12?
    ],
)
def test_a_line_that_is_not_understood_is_kept(line):
    text = HEAD + "TCP  0A00011F:0050 rr  \n" + line
    found = parse_table(text)
    assert found.unknown == (line.rstrip("\n"),)
    assert [service.key for service in found.services] == ["TCP 10.0.1.31:80"]


def test_servers_of_an_unknown_service_belong_to_nobody():
    row = "  -> 0A000106:0050      Route   1      0          0\n"
    found = parse_table(HEAD + "TCP  0A00011F:0050 rr  \nIL  2 rr\n" + row)
    assert found.unknown == ("IL  2 rr", row.rstrip("\n"))
    assert found.services[0].servers == ()


@given(st.text(), st.integers(0, 400))
def test_any_text_and_any_cut_is_read_without_a_guess(text, cut):
    parse_table(text)
    parse_table(HEAD + text)
    whole = sample("proc-net-ip_vs")
    (service,) = parse_table(whole).services
    found = parse_table(whole[:cut])
    for part in found.services:
        assert part.key == service.key
        assert set(part.servers) <= set(service.servers)


@pytest.mark.parametrize("text", ["", "Total Incoming\n Conns Packets\n", "a\nb\nc\n"])
def test_no_totals_is_an_error(text):
    with pytest.raises(ValueError, match="no totals"):
        parse_totals(text)
