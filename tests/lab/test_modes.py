"""Every protocol and forwarding method on real kernels, with a real client."""

from collections import Counter
from ipaddress import ip_address

import pytest

from cluster.lvs.terms import Protocol
from cluster.views.manual_steps import by_hand
from tests.build import at
from tests.lab import echo
from tests.lab.site import EVERYTHING

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(300)]
VIP, CLIENT = "10.0.1.31", "10.0.1.100"
WEBS = ("web1", "web2")


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
    return site.lab.stats_at_rest()


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


# -- TUN ------------------------------------------------------------------------------

ACCESS_LOG = "/var/log/nginx/access.log"


def source(site, name):
    """Return the address that the last request came from, as the real server saw it."""
    return site.lab.ssh(name, f"tail -n 1 {ACCESS_LOG}").split()[0]


def test_tunneling_keeps_the_clients_address_and_the_weights(site, before):
    service = site.want(scheduler="wrr", servers={"method": "tun"})
    service.servers.filter(host__name="web1").update(weight=3)
    site.converge()
    # A real server that was deleted less than 2 s after its last connections can bring
    # them along when it is added again: the kernel adds up every 2 s.
    earlier = stats(site)[at(), "10.0.1.6:80"].conns
    answers = site.ask(f"http://{VIP}/", 8)
    assert Counter(answers) == {"web1": 6, "web2": 2}
    assert [source(site, name) for name in WEBS] == [CLIENT] * 2
    found = stats(site)
    assert found[at(), "10.0.1.6:80"].conns == earlier + 6
    assert found[at(), ""].out_bytes == 0, "in TUN the replies pass the director by"
    assert "Tunnel" in site.lab.ssh("lb01", "ipvsadm -Ln")


@pytest.fixture
def far(site):
    """web2 as seen from far away: 10.0.2.9 behind the router lb02."""
    lab = site.lab
    lab.ssh("web2", "ip addr add 10.0.2.9/32 dev eth0")
    lab.ssh(
        "lb02",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0"
        " net.ipv4.conf.eth0.send_redirects=0; ip route add 10.0.2.9 via 10.0.1.9",
    )
    lab.ssh("lb01", "ip route add 10.0.2.9 via 10.0.1.5")
    host = site.host("web2")
    host.address = "10.0.2.9"
    host.save()
    yield host
    lab.ssh("web2", "ip addr del 10.0.2.9/32 dev eth0")
    lab.ssh("lb02", "ip route del 10.0.2.9; sysctl -qw net.ipv4.ip_forward=0")
    lab.ssh(
        "lb02",
        "sysctl -qw net.ipv4.conf.all.send_redirects=1"
        " net.ipv4.conf.eth0.send_redirects=1",
    )
    lab.ssh("lb01", "ip route del 10.0.2.9")


@pytest.mark.long
def test_tunneling_reaches_a_real_server_behind_a_router(site, far, before):
    service = site.want(servers={"method": "tun"})
    service.servers.filter(host__name="web1").update(method="dr")
    site.converge()
    assert "via 10.0.1.5" in site.lab.ssh("lb01", "ip route get 10.0.2.9")
    counted = "grep ^Ip: /proc/net/snmp | tail -n 1"
    forwarded = int(site.lab.ssh("lb02", counted).split()[6])
    assert Counter(site.ask(f"http://{VIP}/", 6)) == {"web1": 3, "web2": 3}
    assert int(site.lab.ssh("lb02", counted).split()[6]) > forwarded
    assert source(site, "web2") == CLIENT


# -- GUE and GRE ----------------------------------------------------------------------

GUE = {"tunnel_type": "gue", "tunnel_port": 6080}
GRE = {"tunnel_type": "gre", "tunnel_port": 0}
# What web1 and web2 have, one after the other on the same service.
TUNNELS = [
    ({**GUE, "tunnel_checksum": "nocsum"}, {**GRE, "tunnel_checksum": "nocsum"}),
    ({**GUE, "tunnel_checksum": "csum"}, {**GRE, "tunnel_checksum": "csum"}),
    ({**GRE, "tunnel_checksum": "csum"}, {**GUE, "tunnel_checksum": "remcsum"}),
]


@pytest.mark.timeout(900)
def test_every_type_of_tunnel_carries_packets_and_is_left_without_a_trace(site, before):
    service = site.want(servers={"method": "tun"})
    for both in TUNNELS:
        for name, fields in zip(WEBS, both, strict=True):
            service.servers.filter(host__name=name).update(**fields)
        site.converge()
        listed = site.lab.ssh("lb01", "ipvsadm -Ln --tun-info")
        assert [listed.count(f"Tunnel  {kind}") for kind in ("gue", "gre")] == [1, 1]
        assert Counter(site.ask(f"http://{VIP}/", 4)) == {"web1": 2, "web2": 2}
        assert [source(site, name) for name in WEBS] == [CLIENT] * 2
    assert stats(site)[at(), ""].conns == 4 * len(TUNNELS)
    assert site.plan().state == "converged", "there is nothing left to do"


# -- NAT ------------------------------------------------------------------------------

OUTSIDE = "10.0.3.100"


@pytest.fixture
def outside(site):
    """A client outside the LAN, and real servers whose way out is the director."""
    lab = site.lab
    lab.ssh(
        "client",
        f"ip addr add {OUTSIDE}/32 dev eth0;"
        f" ip route add {VIP}/32 dev eth0 src {OUTSIDE}",
    )
    lab.ssh("lb01", f"ip route add {OUTSIDE}/32 dev eth0")
    for name in WEBS:
        lab.ssh(name, "ip route replace default via 10.0.1.3 dev eth0")
    yield
    for name in WEBS:
        lab.ssh(name, "ip route replace default via 10.0.1.250 dev eth0")
    lab.ssh("lb01", f"ip route del {OUTSIDE}/32 dev eth0")
    lab.ssh(
        "client", f"ip route del {VIP}/32 dev eth0; ip addr del {OUTSIDE}/32 dev eth0"
    )


def test_nat_maps_the_port_and_sees_the_replies(site, outside, before):
    site.want(port=8080, servers={"method": "nat", "port": 80})
    site.converge()
    answers = site.ask(f"http://{VIP}:8080/", 10)
    assert sorted(answers) == ["web1"] * 5 + ["web2"] * 5
    assert [source(site, name) for name in WEBS] == [OUTSIDE] * 2
    found = stats(site)
    key = at(port=8080)
    assert found[key, "10.0.1.6:80"].conns == 5
    assert found[key, ""].out_packets >= 40, "a handshake and an answer, ten times"
    assert found[key, "10.0.1.9:80"].out_bytes > 1000
    now = site.everything()
    assert [now[name] for name in WEBS] == [before[name] for name in WEBS]


def test_nat_is_refused_where_replies_would_not_come_back(site, before):
    site.want(port=8080, servers={"method": "nat", "port": 80})
    run = site.plan()
    told = " ".join(str(sentence) for sentence in run.account_sentences)
    assert run.state == "refused"
    assert "replies of web1 do not come back through lb01" in told
    assert "Its default route is 10.0.1.250" in told
    assert site.everything() == before


# -- FULLNAT on a stock kernel --------------------------------------------------------


def test_fullnat_needs_no_route_back_and_shows_the_directors_address(site, before):
    service = site.want(
        port=8080, servers={"method": "nat", "port": 80}, source_nat=True
    )
    run = site.converge()
    sent = "\n".join(step.value.command.shown for step in run.steps.all())
    assert "iptables-legacy -w 5 -t nat -A POSTROUTING -p tcp -m ipvs" in sent
    answers = site.ask(f"http://{VIP}:8080/", 10)
    assert sorted(answers) == ["web1"] * 5 + ["web2"] * 5
    assert [source(site, name) for name in WEBS] == ["10.0.1.3"] * 2
    found = stats(site)
    key = at(port=8080)
    assert found[key, "10.0.1.6:80"].conns == 5
    assert found[key, ""].out_packets >= 40, "replies come back through the director"
    now = site.everything()
    assert [now[name] for name in WEBS] == [before[name] for name in WEBS]

    # Without it the real servers would answer the client straight: refused in words.
    service.source_nat = False
    service.save()
    run = site.plan()
    assert run.state == "refused"
    told = [str(sentence) for sentence in run.account_sentences]
    assert any("replies of web1 do not come back" in text for text in told)


@pytest.mark.long
def test_fullnat_from_a_pool_of_local_addresses(site, before):
    service = site.want(
        port=8080,
        servers={"method": "nat", "port": 80},
        source_nat=True,
        local_addresses="10.0.1.201-10.0.1.202",
    )
    site.converge()
    bound = site.lab.ssh("lb01", "ip -o -4 addr show dev eth0")
    assert bound.count(" eth0:0") == 2
    answers = site.ask(f"http://{VIP}:8080/", 10)
    assert sorted(answers) == ["web1"] * 5 + ["web2"] * 5
    pool = {"10.0.1.201", "10.0.1.202"}
    assert {source(site, name) for name in WEBS} <= pool
    service.local_addresses = "10.0.1.202"
    service.save()
    site.converge()
    site.ask(f"http://{VIP}:8080/", 2)
    assert [source(site, name) for name in WEBS] == ["10.0.1.202"] * 2


# -- a real server that nobody manages ------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("kind", ["dr", "gre"])
def test_what_is_to_be_copied_makes_a_real_server_and_takes_it_away(site, kind):
    """web2 is no host of the cluster: what its page says is done there by hand."""
    lab, rip = site.lab, ip_address("10.0.1.9")
    clean = lab.ssh("web2", EVERYTHING)
    fields = {"dr": {"method": "dr"}, "gre": {"method": "tun", "tunnel_type": "gre"}}
    service = site.want(servers=fields[kind])
    service.servers.filter(host__name="web2").update(host=None)
    site.host("web2").delete()
    (linux, *_others) = by_hand(site.cluster, rip)
    do, undo = [block.text for block in linux.blocks]
    lab.ssh("web2", do)
    site.converge()
    assert Counter(site.ask(f"http://{VIP}/", 4)) == {"web1": 2, "web2": 2}
    assert source(site, "web2") == CLIENT
    lab.ssh("web2", undo)
    assert lab.ssh("web2", EVERYTHING) == clean
