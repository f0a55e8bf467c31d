"""The wish of a cluster as it is read from its rows."""

import pytest

from cluster.lvs.terms import ForwardingMethod
from cluster.models import RealServer, VirtualService
from tests.hosts import make_cluster

pytestmark = pytest.mark.django_db

MARKED = [["tcp", "10.0.1.31", 80, 80], ["tcp", "10.0.1.32", 443, 443]]


def rows(cluster):
    new = VirtualService.objects.create
    plain = new(cluster=cluster, address="10.0.1.31", port=80, scheduler="mh",
                hash_port=True, persistence=60, netmask=24)  # fmt: skip
    six = new(cluster=cluster, address="2001:db8::31", protocol="udp", one_packet=True)
    mark = new(cluster=cluster, mark=7, packets=MARKED, source_nat=True,
               local_addresses="10.0.1.201-10.0.1.204")  # fmt: skip
    off = new(cluster=cluster, address="10.0.1.31", port=81, enabled=False)
    server = RealServer.objects.create
    server(service=plain, address="10.0.1.109", port=80, weight=3, upper=9, lower=5)
    server(service=plain, address="10.0.1.106", port=8080, method="nat", weight=0)
    server(service=plain, address="10.0.1.107", port=80, enabled=False)
    server(service=six, address="2001:db8::6", port=80, method="tun", tunnel_type="gue",
           tunnel_port=6080, tunnel_checksum="csum")  # fmt: skip
    server(service=six, address="2001:db8::7", port=80, method="tun")
    server(service=mark, address="10.0.1.106", port=0, method="nat")
    server(service=off, address="10.0.1.106", port=81)


def test_many_rows_at_once_are_what_each_of_them_is():
    cluster, other = make_cluster("one"), make_cluster("two")
    rows(cluster)
    rows(other)
    found = cluster.wish().table
    wanted = cluster.services.filter(enabled=True)
    assert set(found.services) == {row.as_value() for row in wanted}
    methods = [s.method for one in found.services for s in one.servers]
    assert sorted(m.value for m in methods) == ["dr", "nat", "nat", "tun", "tun"]
    assert ForwardingMethod.NAT in methods


def test_a_service_without_real_servers_is_wished_for(django_assert_num_queries):
    cluster = make_cluster("one")
    cluster.services.create(address="10.0.1.31", port=80)
    with django_assert_num_queries(2):
        (only,) = cluster.services.filter(enabled=True).as_values()
    assert only.servers == ()
