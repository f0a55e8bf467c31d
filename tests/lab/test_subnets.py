"""A real server in another subnet, behind a router: by tunneling, never by DR."""

from collections import Counter
from ipaddress import ip_address

import pytest

from cluster.forms.service import surroundings
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.validate import Draft, Server, check
from cluster.models import Cluster
from tests.build import at
from tests.lab.running import CLEAN
from tests.lab.site import EVERYTHING, Site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db,
    pytest.mark.timeout(900),
]
VIP, CLIENT, FAR = "10.0.1.31", "10.0.1.100", "10.0.2.7"
TYPES = {
    "ipip": {"tunnel_type": "ipip", "tunnel_port": 0},
    "gue": {"tunnel_type": "gue", "tunnel_port": 6080},
    "gre": {"tunnel_type": "gre", "tunnel_port": 0},
}


@pytest.fixture
def site(lab, db):
    lab.clean()
    lab.power("web3", "on")
    lab.ssh("web3", CLEAN)
    yield Site(lab)
    lab.power("web3", "off")


def refused(method):
    """Return what the validator says about web3 in a service of the cluster."""
    server = Server(0, "web3", ip_address(FAR), 81, method)
    draft = Draft(ip_address(VIP), 81, servers=(server,))
    return [
        str(f.sentence) for f in check(draft, surroundings(Cluster.objects.get(), None))
    ]


def test_tunneling_reaches_a_real_server_in_another_subnet(site):
    lab = site.lab
    before = lab.ssh("web3", EVERYTHING)
    service = site.want(servers={"method": "tun"})
    service.servers.filter(host__name="web2").delete()
    service.servers.create(host=site.host("web3"), address=FAR, port=80, method="tun")
    assert "via 10.0.1.250" in lab.ssh("lb01", f"ip route get {FAR}")
    for fields in TYPES.values():
        service.servers.update(**fields)
        site.converge()
        assert Counter(site.ask(f"http://{VIP}/", 4)) == {"web1": 2, "web3": 2}
        seen = lab.ssh("web3", "tail -n 1 /var/log/nginx/access.log")
        assert seen.split()[0] == CLIENT
    key = at(VIP)
    stats = lab.stats_at_rest()
    assert stats[key, f"{FAR}:80"].conns == 2 * len(TYPES)
    assert stats[key, f"{FAR}:80"].out_packets == 0, "replies pass the director by"

    assert refused(ForwardingMethod.TUN) == []
    (told,) = refused(ForwardingMethod.DR)
    assert f"{FAR} is not in the LAN of lb01 (10.0.1.0/24)" in told

    site.cluster.services.all().delete()
    site.converge()
    assert lab.ssh("web3", EVERYTHING) == before
