"""Samples of a director, as the loop would have brought them."""

from typing import Any

from cluster.lvs.counters import Counters
from cluster.lvs.frame import Sections
from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.rates import Moment, Rates
from cluster.watch.sample import TOTAL, Sample
from tests.lvs.samples import sample as text_of

KEY = "TCP 10.0.1.31:80"
WEB1, WEB2 = f"{KEY} 10.0.1.6:80", f"{KEY} 10.0.1.9:80"


def sections(**changes: Any) -> Sections:
    values = {
        "boot_id": "boot-1",
        "table": text_of("proc-net-ip_vs").encode(),
        "total": text_of("proc-net-ip_vs_stats").encode(),
        "stats": text_of("ipvsadm-Ln--stats--exact").encode(),
        "status": 0,
        "addresses": text_of("ip-j-addr-show").encode(),
    }
    return Sections(**(values | changes))


def moment(seconds: float) -> Moment:
    return Moment(1000.0 + seconds, seconds)


def counted(conns: int) -> Counters:
    return Counters(conns, 6 * conns, 0, 360 * conns, 0)


def sample(at: float = 1_764_000_000.0, conns: int = 120, **changes: Any) -> Sample:
    servers = (
        KernelServer("10.0.1.6:80", "Route", 3, 2, 71),
        KernelServer("10.0.1.9:80", "Route", 1, 1, 30),
    )
    rates = Rates(4.0, 24.0, 0.0, 1440.0, 0.0)
    values = {
        "at": at,
        "boot_id": "boot-1",
        "loaded": True,
        "addresses": ("10.0.1.3", "10.0.1.31", "127.0.0.1"),
        "services": (KernelService(KEY, "rr", False, servers),),
        "totals": counted(conns + 27),
        "counters": {
            KEY: counted(conns),
            WEB1: counted(conns // 2),
            WEB2: counted(conns - conns // 2),
        },
        "rates": {KEY: rates, WEB1: rates, WEB2: None, TOTAL: rates},
        "counted_at": at,
    }
    return Sample(**(values | changes))
