"""What each scheduler promises, by enough connections on real kernels.

One client process opens the connections and holds them: least-connection schedulers
see them, and no time is lost. Nobody need accept them: the kernels of the real servers
shake hands by themselves.
"""

import re
import shlex
from collections import Counter

import pytest

from cluster.models import RealServer, VirtualService
from tests.lab.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(900)]
VIP = "10.0.1.31"
WEBS = ("web1", "web2")
SOURCES = [f"10.0.1.{n}" for n in range(111, 123)]
# scheduler: weights of web1 and web2, connections, how many each gets, and how far off
# that may be. None: all go to one of them, whichever.
EXPECTED = {
    "rr": ((3, 1), 60, (30, 30), 0),
    "wrr": ((3, 1), 200, (150, 50), 4),  # 2 %
    "lc": ((3, 1), 60, (30, 30), 1),
    "wlc": ((3, 1), 80, (60, 20), 2),
    "sed": ((3, 1), 80, (60, 20), 2),
    "nq": ((3, 1), 80, (60, 20), 2),
    "fo": ((3, 1), 40, (40, 0), 0),
    # Full with more active connections than its weight says; then the next one.
    "ovf": ((30, 20), 45, (31, 14), 1),
    "dh": ((1, 1), 40, None, 0),
    "lblc": ((100, 100), 40, None, 0),
    "lblcr": ((100, 100), 40, None, 0),
    "sh": ((1, 1), 4 * len(SOURCES), (24, 24), 20),
    "mh": ((1, 1), 4 * len(SOURCES), (24, 24), 20),
}
PORTS = {name: 8001 + n for n, name in enumerate(EXPECTED)}
LISTEN = """
    for my $port (split " ", $ports) {
        socket my $s, PF_INET, SOCK_STREAM, 6;
        setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
        bind $s, pack_sockaddr_in($port, INADDR_ANY) or die $!;
        listen $s, 4000;
        push @all, $s;
    }
    exit if fork;
    sleep 3600;
"""
# "port count" pairs; each connection from the next of the addresses, all held open.
CONNECT = """
    my @from = split " ", $sources;
    for my $pair (split " ", $wanted) {
        my ($port, $count) = split ":", $pair;
        for my $n (0 .. $count - 1) {
            socket my $s, PF_INET, SOCK_STREAM, 6;
            bind $s, pack_sockaddr_in(0, inet_aton($from[$n % @from])) or die $!;
            connect $s, pack_sockaddr_in($port, inet_aton($vip)) or die "$port $!";
            push @all, $s;
        }
    }
    print "held\n";
    close STDOUT;
    sleep 600;
"""


def perl(script, **values):
    settings = "".join(f"my ${key} = '{value}';" for key, value in values.items())
    text = f"use Socket; $| = 1; my @all; {settings} {script}"
    return f"perl -e {shlex.quote(' '.join(text.split()))}"


def unit(name, command):
    return (
        f"systemctl stop {name} 2>/dev/null;"
        f" systemd-run --quiet --collect -p LimitNOFILE=8000 --unit {name} {command}"
    )


def listen(lab, host, ports):
    """Accept nothing on the ports of a real server. Returns when it listens: then the
    server leaves its parent, whom systemd waits for."""
    server = f"-p Type=forking {perl(LISTEN, ports=ports)}"
    lab.ssh(host, unit("listen", server))


@pytest.fixture
def site(lab, db):
    lab.clean()
    ports = " ".join(map(str, PORTS.values()))
    for name in WEBS:
        listen(lab, name, ports)
    add = "".join(f"ip addr add {one}/24 dev eth0; " for one in SOURCES)
    lab.ssh("client", add + "true")
    yield Site(lab)
    for name in (*WEBS, "client"):
        lab.ssh(name, "systemctl stop listen connect held 2>/dev/null; true")
    remove = "".join(f"ip addr del {one}/24 dev eth0; " for one in SOURCES)
    lab.ssh("client", remove + "true")


def want_all(site):
    """Write one service for each scheduler, on a port of its own."""
    first = site.want(port=PORTS["rr"], scheduler="rr")
    for name, (weights, *_rest) in EXPECTED.items():
        if name != "rr":
            first.pk, first.port, first.scheduler = None, PORTS[name], name
            first.save(force_insert=True)
        for host, weight in zip(WEBS, weights, strict=True):
            fields = {"weight": weight, "address": site.host(host).address}
            RealServer.objects.update_or_create(
                service=VirtualService.objects.get(port=PORTS[name]),
                host=site.host(host),
                port=PORTS[name],
                defaults=fields,
            )


def connect(site, wanted, sources):
    """Open connections and wait until the client holds all of them."""
    script = perl(CONNECT, vip=VIP, wanted=wanted, sources=" ".join(sources))
    log = "/run/held"
    site.lab.ssh(
        "client",
        f"rm -f {log}; {unit('connect', f'-p StandardOutput=file:{log} {script}')};"
        f" until grep -q held {log}; do systemctl -q is-active connect || exit 1;"
        " sleep 0.5; done",
    )


def shares(site):
    """Return how many connections each real server has, by port, from ``-Lnc``."""
    listed = site.lab.ssh("lb01", "ipvsadm -Lnc")
    row = re.compile(r"TCP +\S+ +\w+ +([\d.]+):\d+ +[\d.]+:(\d+) +([\d.]+):")
    return [(source, int(port), rip) for source, port, rip in row.findall(listed)]


def test_every_scheduler_does_what_it_promises(site):
    want_all(site)
    site.converge()
    # The first two connections tell nq from sed: an idle real server goes first.
    connect(site, f"{PORTS['sed']}:2 {PORTS['nq']}:2", ["10.0.1.100"])
    first = Counter((port, rip) for _source, port, rip in shares(site))
    assert first[PORTS["sed"], "10.0.1.6"] == 2
    assert first[PORTS["nq"], "10.0.1.6"] == first[PORTS["nq"], "10.0.1.9"] == 1
    site.lab.ssh("client", "systemctl stop connect")

    counts = " ".join(
        f"{PORTS[name]}:{count}" for name, (_w, count, *_r) in EXPECTED.items()
    )
    connect(site, counts, SOURCES)
    found = [row for row in shares(site) if row[0] in SOURCES]
    for name, (_weights, count, expected, off) in EXPECTED.items():
        got = Counter(rip for _source, port, rip in found if port == PORTS[name])
        both = (got["10.0.1.6"], got["10.0.1.9"])
        assert sum(both) == count, (name, both)
        if expected is None:
            assert 0 in both, (name, both)
        else:
            assert abs(both[0] - expected[0]) <= off, (name, both)
            assert abs(both[1] - expected[1]) <= off, (name, both)
    for name in ("sh", "mh"):
        mine = [(source, rip) for source, port, rip in found if port == PORTS[name]]
        assert len(set(mine)) == len(SOURCES), f"{name}: a client has one real server"
        assert len({rip for _source, rip in mine}) == 2, f"{name} uses both"


# -- persistence by Call-ID -----------------------------------------------------------

SIP = """
    for my $call (split " ", $calls) {
        for (1 .. 2) {
            socket my $s, PF_INET, SOCK_DGRAM, 17;
            connect $s, pack_sockaddr_in(5060, inet_aton($vip)) or die $!;
            my $text = join("\\r\\n", "OPTIONS sip:lab SIP/2.0", "Call-ID: $call", "", "");
            send $s, $text, 0;
            push @all, $s;
        }
    }
"""


@pytest.mark.long
def test_calls_of_one_client_are_spread_and_each_stays_where_it_is(site):
    service = site.want(port=5060, protocol="udp", persistence=300)
    site.converge()
    calls = " ".join(f"call-{n}-of-the-lab" for n in range(4))
    site.lab.ssh("client", perl(SIP, vip=VIP, calls=calls))
    assert len(set(_templates(site))) == 1, "by the client's address"
    service.engine = "sip"
    service.save()
    site.converge()
    assert "-p 300 --pe sip" in site.lab.ssh("lb01", "ipvsadm -Sn")
    calls = " ".join(f"new-{n}-of-the-lab" for n in range(4))
    site.lab.ssh("client", perl(SIP, vip=VIP, calls=calls))
    by_call = [row for row in _templates(site) if "new-" in row[1]]
    assert Counter(rip for rip, _call in by_call) == {"10.0.1.6": 2, "10.0.1.9": 2}


def _templates(site):
    """Return real server and Call-ID of every template: lines with port 0."""
    listed = site.lab.ssh("lb01", "ipvsadm -Lnc --persistent-conn")
    rows = [line.split() for line in listed.splitlines() if line.startswith("UDP")]
    return [(row[5].partition(":")[0], " ".join(row[6:])) for row in rows]
