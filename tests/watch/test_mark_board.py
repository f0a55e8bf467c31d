"""Services under a firewall mark on the live page: names, families, states."""

import pytest

from cluster.lvs.kernel_table import parse_table
from cluster.lvs.packets import read_packets
from cluster.lvs.table import ServiceAddress
from cluster.models import RealServer, VirtualService
from cluster.views import live_page
from cluster.watch.board import Sources, service_lines

pytestmark = pytest.mark.django_db
HEAD = (
    "IP Virtual Server version 1.2.1 (size=4096)\n"
    "Prot LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
)
FOUR = "FWM  00000007 rr persistent 60000 FFFFFFFF\n  -> 0A000106:0000 Route 1 2 3\n"
SIX = (
    "FWM  00000007 rr \n"
    "  -> [fd00:0010:0000:0001:0000:0000:0000:0006]:0000      Route   1      4   5\n"
)


def want(lab, lines, mark=7, **fields):
    packets = [one.as_json() for one in read_packets(lines)]
    named = {"protocol": "", "port": 0, "mark": mark, "scheduler": "rr"}
    service = VirtualService.objects.create(
        cluster=lab.cluster, packets=packets, **(named | fields)
    )
    address = "fd00:10:0:1::6" if service.at.family == 6 else "10.0.1.6"
    RealServer.objects.create(service=service, address=address, port=0)
    lab.keep_revision()
    return service


def shown(lab, text):
    """Return the lines of the page for this /proc/net/ip_vs."""
    services = [
        {
            "key": one.key,
            "scheduler": one.scheduler,
            "persistent": one.persistent,
            "counters": None,
            "rates": None,
            "servers": [
                {"at": s.at, "forward": s.forward, "weight": s.weight}
                | {"active": s.active, "inactive": s.inactive}
                | {"counters": None, "rates": None}
                for s in one.servers
            ],
        }
        for one in parse_table(HEAD + text).services
    ]
    wish = live_page.wanted(lab.cluster)
    return service_lines(
        Sources(wish.rows, wish.applied, frozenset(), {"services": services})
    )


def test_the_kernel_says_the_family_by_the_real_servers():
    keys = [one.key for one in parse_table(HEAD + FOUR + SIX).services]
    assert keys == ["FWM 7", "FWM 7 IPv6"]
    assert keys == [
        str(ServiceAddress.of_mark(7)),
        str(ServiceAddress.of_mark(7, 6)),
    ]


def test_what_was_applied_is_listed_under_its_packets(lab):
    want(lab, "10.0.1.31 tcp 80,443", persistence=60)
    (line,) = shown(lab, FOUR)
    assert (line.state, line.title) == ("LISTED", "FWM 7 · 10.0.1.31 tcp 80,443")
    assert (line.numbers.active, line.numbers.inactive) == (2, 3)
    assert [server.state for server in line.servers] == ["LISTED"]
    # Any port, which ipvsadm spells 0.
    assert [server.at for server in line.servers] == ["10.0.1.6:0"]
    assert [server.shown for server in line.servers] == ["10.0.1.6"]
    assert live_page.wanted(lab.cluster).vips == {"10.0.1.31"}


@pytest.mark.parametrize(
    ("packets", "sought"),
    [
        ("10.0.1.31 tcp 80", "TCP 10.0.1.31:80"),
        ("10.0.1.31 tcp 80,443", "10.0.1.31"),
        ("10.0.1.31 udp 5000-5100", "10.0.1.31"),
        ("10.0.1.31 tcp 80\n10.0.1.32 tcp 80", ""),
    ],
)
def test_connections_of_a_mark_are_sought_by_what_gets_it(lab, packets, sought):
    want(lab, packets)
    (line,) = shown(lab, FOUR)
    assert line.sought == sought
    assert [server.sought for server in line.servers] == ["10.0.1.6"]


def test_ipv6_is_told_from_ipv4_even_without_real_servers(lab):
    service = want(lab, "fd00:10:0:1::31 tcp 80")
    (line,) = shown(lab, SIX)
    assert (line.state, line.numbers.active) == ("LISTED", 4)
    four, six = shown(lab, FOUR)[::-1]
    assert (four.key, four.state) == ("FWM 7", "FOREIGN")
    assert (six.key, six.state) == ("FWM 7 IPv6", "DRIFT")
    service.servers.all().delete()
    lab.keep_revision()
    (line,) = shown(lab, "FWM  00000007 rr \n")
    assert (line.key, line.state) == ("FWM 7 IPv6", "LISTED")


def test_other_packets_wait_to_be_applied(lab):
    service = want(lab, "10.0.1.31 tcp 80,443", persistence=60)
    service.packets = service.packets[:1]
    service.save()
    (line,) = shown(lab, FOUR)
    assert (line.state, line.title) == ("PENDING", "FWM 7 · 10.0.1.31 tcp 80")


def test_fullnat_that_was_applied_is_listed(lab):
    lab.add_service(source_nat=True).servers.update(method="nat")
    lab.keep_revision()
    text = (
        "TCP  0A00011F:0050 rr  \n  -> 0A000106:0050 Masq 1 0 0\n"
        "  -> 0A000109:0050 Masq 1 0 0\n"
    )
    (line,) = shown(lab, text)
    assert line.state == "LISTED"
