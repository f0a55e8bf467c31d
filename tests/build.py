"""Builders with defaults for core values: name only what a test is about."""

from ipaddress import ip_address, ip_interface

from cluster.lvs.host import BoundAddress, HostState, Route
from cluster.lvs.ipvs_sysctls import CATALOGUE
from cluster.lvs.real_server import ARP_SYSCTLS
from cluster.lvs.settings import DirectorSettings, Timeouts
from cluster.lvs.table import RealServer, ServiceAddress, Table, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from cluster.lvs.wish import ClusterWish, Vip

VIP, WEB1, WEB2 = "10.0.1.31", "10.0.1.6", "10.0.1.9"
NAMES = {ip_address(WEB1): "web1", ip_address(WEB2): "web2"}
# As Linux 6.1 has them.
IPVS = tuple((one.key, one.default) for one in CATALOGUE if one.since != "6.2")
QUIET = tuple((key, "0") for key, _ in ARP_SYSCTLS)


def at(vip=VIP, port=80, protocol=Protocol.TCP):
    return ServiceAddress.of(protocol, ip_address(vip), port)


def server(address=WEB1, port=80, method=ForwardingMethod.DR, **more):
    return RealServer(ip_address(address), port, method, **more)


def service(vip=VIP, port=80, scheduler=Scheduler.RR, servers=None, **more):
    if servers is None:
        servers = (server(WEB1, port), server(WEB2, port))
    return VirtualService(at(vip, port), scheduler, tuple(servers), **more)


def table(*services):
    return Table(tuple(services))


def bound(text, device="eth0", label=""):
    return BoundAddress(device, ip_interface(text), label or device)


def director(*addresses, services=()):
    own = (bound("127.0.0.1/8", "lo"), bound("10.0.1.3/24"))
    return HostState(
        "boot-lb01",
        (*own, *addresses),
        sysctls=IPVS,
        table=table(*services),
        settings=DirectorSettings(Timeouts(900, 120, 300)),
    )


def real_server(address=WEB1, *addresses, sysctls=QUIET, routes=()):
    own = (bound("127.0.0.1/8", "lo"), bound(f"{address}/24"))
    return HostState(f"boot-{address}", (*own, *addresses), tuple(routes), sysctls)


def lo_vip(vip=VIP, number=1):
    return bound(f"{vip}/32", "lo", f"lo:{number}")


def eth_vip(vip=VIP, number=1):
    return bound(f"{vip}/24", "eth0", f"eth0:{number}")


def lo_route(vip=VIP):
    return Route(f"{vip}/32", "lo")


def wish(*services, director="lb01"):
    vips = dict.fromkeys(s.at.address for s in services)
    return ClusterWish(
        director,
        table(*services),
        tuple(Vip(vip, n) for n, vip in enumerate(vips, start=1)),
        tuple(NAMES.items()),
    )
