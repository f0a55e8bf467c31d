"""IPv6 on real kernels, with a real client: who answers, who is seen, what is left."""

from collections import Counter

import pytest

from cluster.control.addresses import check_address
from cluster.models import AddressCheck
from tests.build import at

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(300)]
LAN = "fd00:10:0:1::"
VIP, CLIENT, WEB1, WEB2 = f"{LAN}31", f"{LAN}100", f"{LAN}6", f"{LAN}9"
URL = f"-g http://[{VIP}]/"
WEBS = ("web1", "web2")
ACCESS_LOG = "/var/log/nginx/access.log"


@pytest.fixture
def before(site):
    """What the hosts were like; after the test they are like that again."""
    found = site.everything()
    yield found
    site.cluster.services.all().delete()
    site.converge()
    assert site.everything() == found


def source(site, name):
    return site.lab.ssh(name, f"tail -n 1 {ACCESS_LOG}").split()[0]


def stats(site):
    return site.lab.stats_at_rest()


def test_direct_routing_over_ipv6(site, before):
    site.want(VIP)
    run = site.converge()
    assert {step.host.name for step in run.steps.all()} == {"lb01", *WEBS}
    assert Counter(site.ask(URL, 10)) == {"web1": 5, "web2": 5}
    assert [source(site, name) for name in WEBS] == [CLIENT] * 2
    found = site.lab.stats(conns=10)
    assert found[at(VIP), f"[{WEB1}]:80"].conns == 5
    assert found[at(VIP), ""].out_bytes == 0, "in DR the replies pass the director by"
    # Only the director answers the LAN for it.
    neighbour = site.lab.ssh("client", f"ip -6 neigh show to {VIP}")
    assert "02:00:0a:00:01:03" in neighbour
    # The director does not speak as the VIP of its own accord.
    way = site.lab.ssh("lb01", f"ip -6 route get {CLIENT}")
    assert f"src {LAN}3 " in way


@pytest.mark.long
def test_both_families_of_a_shop_side_by_side(site, before):
    site.want("10.0.1.31")
    six = site.want(VIP, persistence=60, netmask=64, scheduler="sh", hash_port=True)
    site.converge()
    assert sorted(site.ask("http://10.0.1.31/", 2)) == ["web1", "web2"]
    assert len(set(site.ask(URL, 4))) == 1, "persistence"
    listed = site.lab.ssh("lb01", "ipvsadm -Sn")
    assert f"-A -t [{VIP}]:80 -s sh -p 60 -M 64 -b sh-port" in listed
    six.delete()
    site.converge()
    assert VIP not in "".join(site.everything().values())
    assert sorted(site.ask("http://10.0.1.31/", 2)) == ["web1", "web2"]


def test_an_address_in_use_is_found_before_it_is_bound(site, before):
    def asked(address):
        check = AddressCheck.objects.create(cluster=site.cluster, address=address)
        check_address(check, site.connect)
        return check

    taken = asked(CLIENT)
    assert (taken.state, taken.holder) == ("taken", "02:00:0a:00:01:64")
    assert asked(VIP).state == "free"
    site.want(CLIENT)
    run = site.apply()
    assert run.state == "returned"
    told = " ".join(str(sentence) for sentence in run.account_sentences)
    assert f"already answers for {CLIENT}" in told
    assert site.everything() == before


@pytest.mark.long
def test_a_neighbour_that_is_gone_does_not_count(site, before):
    """The director still knows the address; it asks again, and nobody is there."""
    lab = site.lab
    lab.ssh("client", f"ip addr add {VIP}/64 dev eth0 nodad")
    lab.ssh("lb01", f"ping -6 -c 1 {VIP}")
    lab.ssh("client", f"ip addr del {VIP}/64 dev eth0")
    lab.ssh(
        "lb01", f"ip neigh replace {VIP} lladdr 02:00:0a:00:01:64 dev eth0 nud stale"
    )
    site.want(VIP)
    site.converge()
    assert sorted(site.ask(URL, 2)) == ["web1", "web2"]


@pytest.mark.long
def test_a_vip_that_moves_is_announced(site, before):
    """The client learns at once that another director has it, without asking."""
    lab = site.lab
    site.want(VIP)
    site.converge()
    assert site.ask(URL, 1)
    site.cluster.services.all().delete()
    site.converge()
    lab.ssh(
        "client",
        f"ip neigh replace {VIP} lladdr 02:00:0a:00:01:03 dev eth0 nud reachable",
    )
    site.cluster.director = site.host("lb02")
    site.cluster.save()
    site.want(VIP)
    site.converge()
    assert "02:00:0a:00:01:05" in lab.ssh("client", f"ip -6 neigh show to {VIP}")
    assert sorted(site.ask(URL, 2)) == ["web1", "web2"]


# -- TUN ------------------------------------------------------------------------------


def test_tunneling_of_ipv6_over_both_families(site, before):
    """web1 by IPv6 in IPv6, web2 by IPv6 in IPv4."""
    service = site.want(VIP, servers={"method": "tun"})
    service.servers.filter(host__name="web2").update(address="10.0.1.9")
    site.converge()
    assert Counter(site.ask(URL, 6)) == {"web1": 3, "web2": 3}
    assert [source(site, name) for name in WEBS] == [CLIENT] * 2
    found = site.lab.stats(conns=6)
    assert found[at(VIP), f"[{WEB1}]:80"].conns == 3
    assert found[at(VIP), "10.0.1.9:80"].conns == 3
    assert found[at(VIP), ""].out_bytes == 0, "in TUN the replies pass the director by"
    assert "ip6tnl0" in site.lab.ssh("web1", "ip -o link show up")
    assert "sit0" in site.lab.ssh("web2", "ip -o link show up")


# -- NAT ------------------------------------------------------------------------------

OUTSIDE = "fd00:10:0:3::100"


@pytest.fixture
def outside(site):
    """A client outside the LAN, and real servers whose way out is the director."""
    lab = site.lab
    lab.ssh(
        "client",
        f"ip addr add {OUTSIDE}/128 dev eth0 nodad;"
        f" ip route add {VIP}/128 dev eth0 src {OUTSIDE}",
    )
    lab.ssh("lb01", f"ip -6 route add {OUTSIDE}/128 dev eth0")
    for name in WEBS:
        lab.ssh(name, f"ip -6 route replace default via {LAN}3 dev eth0")
    yield
    for name in WEBS:
        lab.ssh(
            name,
            f"ip -6 route flush cache; ip -6 route replace default via {LAN}250"
            " dev eth0",
        )
    lab.ssh("lb01", f"ip -6 route del {OUTSIDE}/128 dev eth0")
    lab.ssh(
        "client",
        f"ip -6 route del {VIP}/128 dev eth0; ip addr del {OUTSIDE}/128 dev eth0",
    )


def test_nat_over_ipv6_maps_the_port_and_no_redirect_leads_past(site, outside, before):
    site.want(VIP, port=8080, servers={"method": "nat", "port": 80})
    site.converge()
    answers = site.ask(f"-g http://[{VIP}]:8080/", 10)
    assert sorted(answers) == ["web1"] * 5 + ["web2"] * 5
    assert [source(site, name) for name in WEBS] == [OUTSIDE] * 2
    found = site.lab.stats(conns=10)
    key = at(VIP, 8080)
    assert found[key, f"[{WEB1}]:80"].conns == 5
    assert found[key, f"[{WEB2}]:80"].out_bytes > 1000
    forwarding = "sysctl -n net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra"
    assert site.lab.ssh("lb01", forwarding).split() == ["1", "2"]


def test_nat_over_ipv6_is_refused_where_replies_would_not_come_back(site, before):
    site.want(VIP, port=8080, servers={"method": "nat", "port": 80})
    run = site.plan()
    told = " ".join(str(sentence) for sentence in run.account_sentences)
    assert run.state == "refused"
    assert f"Its default route is {LAN}250" in told
    assert site.everything() == before
