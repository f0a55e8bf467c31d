"""Hypothesis strategies: any table that ipvsadm and the kernel accept, all options.

The pools are small, so that two tables often have services and servers in common.
"""

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import strategies as st

from cluster.lvs.options import HASHING, flag_names
from cluster.lvs.table import (
    RealServer,
    ServiceAddress,
    Table,
    Tunnel,
    VirtualService,
)
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler

VIPS = {4: ["10.0.1.31", "10.0.1.32"], 6: ["2001:db8::31", "2001:db8::32"]}
SERVERS = {
    4: ["10.0.1.106", "10.0.1.109", "10.9.9.9", "192.0.2.1"],
    6: ["2001:db8::6", "2001:db8::9", "2001:db8:1:2:3:4:5:6"],
}
# Local addresses, of a patched ipvsadm.
LOCAL = {4: ["10.0.1.201", "10.0.1.203"], 6: ["2001:db8::201", "2001:db8::203"]}
SINGLE = {4: 32, 6: 128}

families = st.sampled_from([4, 4, 6])
tunnels = st.one_of(
    st.none(),
    st.builds(
        Tunnel,
        st.just("gue"),
        st.sampled_from([6080, 1]),
        st.sampled_from(["nocsum", "csum", "remcsum"]),
    ),
    st.builds(Tunnel, st.just("gre"), st.just(0), st.sampled_from(["nocsum", "csum"])),
)


@st.composite
def keys(draw):
    family = draw(families)
    if draw(st.integers(0, 4)) == 0:
        return ServiceAddress.of_mark(draw(st.sampled_from([1, 7, 2**31 - 1])), family)
    return ServiceAddress.of(
        draw(st.sampled_from(Protocol)),
        ip_address(draw(st.sampled_from(VIPS[family]))),
        draw(st.sampled_from([53, 65535, 0])),
    )


@st.composite
def servers(draw, at):
    method = draw(st.sampled_from(ForwardingMethod))
    # Only NAT changes the port; ipvsadm writes the service's own otherwise.
    port = at.port
    if method.may_change_port and at.port:
        port = draw(st.sampled_from([at.port, 8080]))
    upper = draw(st.sampled_from([0, 0, 1, 2**31 - 1]))
    return RealServer(
        ip_address(draw(st.sampled_from(SERVERS[at.family]))),
        port,
        method,
        draw(st.sampled_from([0, 1, 3, 65535])),
        upper,
        draw(st.sampled_from([0, upper])),
        draw(tunnels) if method is ForwardingMethod.TUN else None,
    )


@st.composite
def services(draw):
    at = draw(keys())
    scheduler = draw(st.sampled_from(Scheduler))
    hashing = scheduler in HASHING
    # All ports of a VIP go together by persistence only (ipvsadm(8), -p).
    lasting = [0, 60, 300] if at.port or at.mark else [60, 300]
    persistence = draw(st.sampled_from(lasting))
    masks = [None, SINGLE[at.family] - 8]
    some = st.lists(servers(at), max_size=4, unique_by=lambda s: s.sort_key)
    local = st.lists(st.sampled_from(LOCAL[at.family]), max_size=3, unique=True)
    return VirtualService(
        at,
        scheduler,
        tuple(draw(some)),
        persistence,
        draw(st.sampled_from(masks)) if persistence else None,
        flag_names(
            scheduler,
            port=hashing and draw(st.booleans()),
            fallback=hashing and draw(st.booleans()),
        ),
        one_packet=at.protocol is Protocol.UDP and draw(st.booleans()),
        laddrs=tuple(ip_address(one) for one in draw(local)),
    )


tables = st.lists(services(), max_size=5, unique_by=lambda s: s.at).map(
    lambda found: Table(tuple(found))
)


def stock(table: Table) -> Table:
    """Return a table as an ipvsadm and a kernel without patches take it."""
    return Table(tuple(map(_stock_service, table.services)))


def _stock_service(service: VirtualService) -> VirtualService:
    found = (
        replace(one, method=ForwardingMethod.NAT)
        if one.method is ForwardingMethod.FULLNAT
        else one
        for one in service.servers
    )
    return replace(service, servers=tuple(found), laddrs=())


stock_tables = tables.map(stock)
