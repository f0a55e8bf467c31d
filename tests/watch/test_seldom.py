from cluster.lvs.settings import Timeouts
from cluster.watch.seldom import Seldom

THRESHOLDS = b"""\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn
  -> RemoteAddress:Port
TCP  10.0.1.31:80 wlc
  -> 10.0.1.6:80                  100        80         0          0
  -> 10.0.1.9:80                  0          0          0          0
"""
SAID = {
    "thresholds": THRESHOLDS,
    "timeouts": b"Timeout (tcp tcpfin udp): 900 120 300\n",
    "daemons": b"master sync daemon (mcast=eth0, syncid=1)\n",
}


def test_what_was_said_stays_until_something_else_is_said():
    known = Seldom().after(SAID)
    assert known.limits == {"TCP 10.0.1.31:80 10.0.1.6:80": (100, 80)}
    assert known.timeouts == Timeouts(900, 120, 300)
    assert [daemon.interface for daemon in known.daemons] == ["eth0"]
    assert known.after({}) is known
    assert known.after(SAID | {"daemons": b""}).daemons == ()


def test_what_was_refused_or_is_not_understood_is_not_known():
    refused = Seldom().after(dict.fromkeys(SAID, b"?\n"))
    assert refused == Seldom()
    odd = Seldom().after({"timeouts": b"Timeout: forever", "daemons": b"slave"})
    assert odd == Seldom()
    assert odd.as_json() == {"limits": {}, "timeouts": None, "daemons": None}
