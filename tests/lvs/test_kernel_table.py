import pytest

from cluster.lvs import counters
from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import (
    KernelServer,
    parse_stats_rows,
    parse_table,
    parse_totals,
    row_key,
)
from tests.lvs.samples import sample

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
"""
STATS_HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
"""


def test_the_table_of_a_real_director():
    (service,) = parse_table(sample("proc-net-ip_vs"))
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


def test_rows_are_what_the_slower_parser_reads():
    text = sample("ipvsadm-Ln--stats--exact")
    slow = {row_key(str(at), s): c for (at, s), c in counters.parse_stats(text).items()}
    assert parse_stats_rows(text) == slow
    assert len(slow) == 3


def test_marks_ipv6_and_flags():
    text = HEAD + (
        "FWM  00000007 sh \n"
        "  -> 0A000106:0000      Masq    1      2          3         \n"
        "UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr ops \n"
        "  -> [2001:0db8:0000:0000:0000:0000:0000:0006]:0035"
        "      Tunnel  0      0          0         \n"
        "TCP  0A00011F:01BB wrr persistent 30000 FFFFFFFF\n"
    )
    mark, six, last = parse_table(text)
    assert mark.key == "FWM 7"
    assert mark.servers == (KernelServer("10.0.1.6:0", "Masq", 1, 2, 3),)
    assert six.key == "UDP [2001:db8::1]:53"
    assert six.servers[0].at == "[2001:db8::6]:53"
    assert (last.key, last.persistent, last.servers) == ("TCP 10.0.1.31:443", True, ())


def test_an_ipv6_mark_has_one_word_more():
    text = STATS_HEAD + (
        "FWM  7 IPv6                            1 2 3 4 5\n"
        "  -> [2001:db8::6]:0                   6 7 8 9 10\n"
    )
    assert parse_stats_rows(text) == {
        "FWM 7": Counters(1, 2, 3, 4, 5),
        "FWM 7 [2001:db8::6]:0": Counters(6, 7, 8, 9, 10),
    }


def test_an_empty_listing_has_no_rows():
    assert parse_stats_rows(STATS_HEAD) == {}
    assert parse_stats_rows("sudo: a password is required\n") == {}
    assert parse_table(HEAD) == ()


@pytest.mark.parametrize("text", ["", "Total Incoming\n Conns Packets\n", "a\nb\nc\n"])
def test_no_totals_is_an_error(text):
    with pytest.raises(ValueError, match="no totals"):
        parse_totals(text)
