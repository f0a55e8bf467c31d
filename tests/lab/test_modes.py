"""Every protocol and forwarding method on real kernels, with a real client."""

from collections import Counter

import pytest

from cluster.lvs.counters import parse_stats
from cluster.lvs.terms import Protocol
from tests.build import at
from tests.lab import echo
from tests.lab.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(300)]
VIP, CLIENT = "10.0.1.31", "10.0.1.100"
WEBS = ("web1", "web2")


@pytest.fixture
def site(lab, db):
    lab.clean()
    yield Site(lab)
    lab.clean()


@pytest.fixture
def before(site):
    """What the hosts were like; after the test they are like that again."""
    found = site.everything()
    yield found
    site.cluster.services.all().delete()
    site.converge()
    assert site.everything() == found


@pytest.fixture
def serving(lab):
    """Call it to answer for a protocol on both real servers."""
    started = []

    def start(protocol, address, port):
        for name in WEBS:
            echo.serve(lab, name, protocol, address, port)
            started.append((name, protocol))

    yield start
    for name, protocol in started:
        echo.stop(lab, name, protocol)


def stats(site):
    return parse_stats(site.lab.ssh("lb01", "ipvsadm -Ln --stats --exact"))


# -- UDP and SCTP, by direct routing --------------------------------------------------


@pytest.mark.parametrize("protocol", ["udp", "sctp"])
def test_udp_and_sctp_are_balanced(site, before, serving, protocol):
    site.want(port=5353, protocol=protocol)
    site.converge()
    serving(protocol, VIP, 5353)
    answers = echo.ask(site.lab, protocol, VIP, 5353, sockets=8)
    assert Counter(answers) == {"web1": 4, "web2": 4}
    for name in WEBS:
        assert echo.seen(site.lab, name, protocol)[-4:] == [CLIENT] * 4
    key = at(port=5353, protocol=Protocol(protocol))
    found = stats(site)
    assert found[key, ""].conns == 8
    assert found[key, "10.0.1.6:5353"].conns == 4
    assert found[key, "10.0.1.9:5353"].out_packets == 0


def test_one_packet_scheduling_spreads_what_comes_from_one_socket(
    site, before, serving
):
    service = site.want(port=5353, protocol="udp")
    site.converge()
    serving("udp", VIP, 5353)
    alone = echo.ask(site.lab, "udp", VIP, 5353, sockets=1, times=6)
    assert len(set(alone)) == 1
    service.one_packet = True
    service.save()
    site.converge()
    spread = echo.ask(site.lab, "udp", VIP, 5353, sockets=1, times=6)
    assert Counter(spread) == {"web1": 3, "web2": 3}


def test_every_option_reaches_the_kernel(site, before):
    service = site.want(
        scheduler="sh",
        persistence=60,
        netmask=24,
        hash_port=True,
        hash_fallback=True,
        servers={"upper": 100, "lower": 50},
    )
    site.converge()
    listed = site.lab.ssh("lb01", "ipvsadm -Sn")
    assert "-s sh -p 60 -M 255.255.255.0 -b sh-fallback,sh-port\n" in listed
    limits = site.lab.ssh("lb01", "ipvsadm -Ln --thresholds").split("10.0.1.6:80")[1]
    assert limits.split()[:2] == ["100", "50"]
    assert len(set(site.ask(f"http://{VIP}/", 4))) == 1, "persistence"

    # An edit of one thing keeps every other: ipvsadm would reset them.
    service.servers.update(weight=3)
    service.scheduler, service.hash_fallback = "mh", False
    service.save()
    site.converge()
    listed = site.lab.ssh("lb01", "ipvsadm -Sn")
    assert "-s mh -p 60 -M 255.255.255.0 -b mh-port\n" in listed
    limits = site.lab.ssh("lb01", "ipvsadm -Ln --thresholds").split("10.0.1.6:80")[1]
    assert limits.split()[:2] == ["100", "50"]
