"""A director and two real servers as models, services of every mode, plans carried out."""

from dataclasses import replace
from ipaddress import ip_address

from cluster.lvs.host import Footprint, HostState
from cluster.lvs.plan import plan
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.wish import host_wishes
from tests.build import (
    NAMES,
    QUIET,
    WEB1,
    WEB2,
    director,
    real_server,
    server,
    service,
)
from tests.model_host import ModelHost

CONF = "net.ipv4.conf"
DEFAULTS = (
    *QUIET,
    (f"{CONF}.default.arp_ignore", "0"),
    (f"{CONF}.default.arp_announce", "0"),
    (f"{CONF}.default.rp_filter", "1"),
)
ROUTER = (
    ("net.ipv4.ip_forward", "0"),
    (f"{CONF}.all.accept_redirects", "1"),
    (f"{CONF}.all.send_redirects", "1"),
    (f"{CONF}.eth0.send_redirects", "1"),
    ("net.ipv4.vs.conntrack", "0"),
)
ROUTERS = {
    "as usual": ROUTER,
    "no redirects accepted": (
        ROUTER[0],
        (f"{CONF}.all.accept_redirects", "0"),
        *ROUTER[2:],
    ),
    "tracks already": (*ROUTER[:-1], ("net.ipv4.vs.conntrack", "1")),
    "forwards already": (
        ("net.ipv4.ip_forward", "1"),
        (f"{CONF}.all.accept_redirects", "0"),
        *ROUTER[2:],
    ),
    "forwards and accepts redirects": (
        ("net.ipv4.ip_forward", "1"),
        *ROUTER[1:],
    ),
}


def by(method, *ports):
    return service(
        servers=[
            server(rip, port, method)
            for rip, port in zip((WEB1, WEB2), ports or (80, 80), strict=True)
        ]
    )


FULLNAT = replace(by(ForwardingMethod.NAT, 8080, 80), source_nat=True)
TUN, NAT = by(ForwardingMethod.TUN), by(ForwardingMethod.NAT, 8080, 80)
MIXED = service(servers=[server(WEB1, 80, ForwardingMethod.TUN), server(WEB2)])


POOL = (ip_address("10.0.1.201"), ip_address("10.0.1.203"))
POOLED = replace(FULLNAT, local=POOL)
METHODS = {"pooled": POOLED, "tun": TUN, "nat": NAT, "mixed": MIXED, "fullnat": FULLNAT}


def with_sysctls(state, sysctls):
    return HostState(**{n: getattr(state, n) for n in ("boot_id", "addresses")},
                     sysctls=sysctls, table=state.table)  # fmt: skip


def cluster(web1=DEFAULTS, lb01=ROUTER, web2=DEFAULTS):
    return {
        "lb01": ModelHost(with_sysctls(director(), lb01)),
        "web1": ModelHost(with_sysctls(real_server(), web1)),
        "web2": ModelHost(with_sysctls(real_server(WEB2), web2)),
    }


def planned(models, wanted, footprints):
    states = {name: model.state for name, model in models.items()}
    return plan(states, host_wishes(wanted, states), footprints, NAMES)


def carried_out(models, wanted, footprints=None):
    """Apply, read back, and return what was sent and what is ours now."""
    footprints = footprints or {name: Footprint() for name in models}
    found = planned(models, wanted, footprints)
    for change in found.changes:
        answer = models[change.host](change.command)
        assert answer.ok, (change.command.shown, answer)
        assert not answer.stderr
    left = {
        name: (footprints[name] | found.adds[name]).still_on(model.state)
        for name, model in models.items()
    }
    assert planned(models, wanted, left).is_empty
    return found, left


def lines(found, host):
    return [c.command.shown for c in found.changes if c.host == host]


def same(one, other):
    """Whether two states mean the same; the order of sysctls means nothing."""
    return {**one.as_json(), "sysctls": dict(sorted(one.sysctls))} == {
        **other.as_json(),
        "sysctls": dict(sorted(other.sysctls)),
    }
