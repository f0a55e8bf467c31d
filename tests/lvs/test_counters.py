from ipaddress import ip_address

from cluster.lvs.counters import (
    Connections,
    Counters,
    parse_connections,
    parse_stats,
    parse_thresholds,
)
from cluster.lvs.table import ServiceAddress
from cluster.lvs.terms import Protocol
from tests.build import at

STATS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.0.1.31:80                      124      660        0    44962        0
  -> 10.0.1.6:80                        62      336        0    22876        0
UDP  [2001:db8::1]:53                    1        2        3        4        5
  -> [2001:db8::6]:53                    1        2        3        4        5
FWM  7                                   9        9        9        9        9
FWM  7 IPv6                              8        8        8        8        8
"""


def test_stats_are_read_for_services_and_real_servers():
    found = parse_stats(STATS)
    assert found[at(), ""] == Counters(124, 660, 0, 44962, 0)
    assert found[at(), "10.0.1.6:80"] == Counters(62, 336, 0, 22876, 0)
    six = at("2001:db8::1", 53, Protocol.UDP)
    assert found[six, "[2001:db8::6]:53"] == Counters(1, 2, 3, 4, 5)
    assert found[ServiceAddress.of_mark(7), ""].conns == 9
    assert found[ServiceAddress.of_mark(7, 6), ""].conns == 8
    assert len(found) == 6


def test_thresholds_are_what_the_rules_leave_out():
    found = parse_thresholds(
        "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn\n"
        "  -> RemoteAddress:Port\n"
        "TCP  10.0.1.31:80 rr\n"
        "  -> 10.0.1.6:80                  100        50         0          0\n"
        "  -> 10.0.1.8:80                  0          50         0          0\n"
        "  -> 10.0.1.9:80                  0          0          7          0\n"
    )
    assert found == {
        (at(), "10.0.1.6:80"): (100, 50),
        (at(), "10.0.1.8:80"): (0, 50),
    }
    assert ip_address("10.0.1.31") == at().address


def test_connections_and_templates_of_each_real_server():
    """As ipvsadm 1.31 prints it; a service without real servers has no row."""
    found = parse_connections(
        "IP Virtual Server version 1.2.1 (size=4096)\n"
        "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn\n"
        "  -> RemoteAddress:Port\n"
        "TCP  10.0.1.31:80 rr persistent 300\n"
        "  -> 10.0.1.6:80                  0         2           1          37\n"
        "  -> 10.0.1.9:80                  3         0           0          0\n"
        "FWM  7 wlc\n"
    )
    assert found == {
        (at(), "10.0.1.6:80"): Connections(0, 2, 1, 37),
        (at(), "10.0.1.9:80"): Connections(3, 0, 0, 0),
    }
