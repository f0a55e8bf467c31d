"""Samples of a director, as the loop would have brought them."""

from array import array
from collections.abc import Iterable, Mapping
from math import nan
from types import MappingProxyType
from typing import Any

from cluster.lvs.columns import COLUMNS, UNKNOWN
from cluster.lvs.counters import Counters
from cluster.lvs.frame import PERIOD, Sections
from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.layout import TableColumns
from cluster.lvs.rates import Moment, Rates
from cluster.watch.sample import TOTAL, About, Sample
from tests.lvs.samples import sample as text_of

KEY = "TCP 10.0.1.31:80"
WEB1, WEB2 = f"{KEY} 10.0.1.6:80", f"{KEY} 10.0.1.9:80"


def sections(**changes: Any) -> Sections:
    values: dict[str, Any] = {
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
    values: dict[str, Any] = {
        "at": at,
        "boot_id": "boot-1",
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
    return sample_of(**(values | changes))


def sample_of(
    at: float,
    services: Iterable[KernelService],
    *,
    counters: Mapping[str, Counters] = MappingProxyType({}),
    rates: Mapping[str, Rates | None] = MappingProxyType({}),
    totals: Counters | None = None,
    counted_at: float | None = None,
    listing: tuple[float, float] = (0.0, PERIOD),
    **about: Any,
) -> Sample:
    """Return a sample of numbers by row; what is not given is not known."""
    table = TableColumns.of(services)
    keys = table.layout.keys()
    five = [counters.get(key) or (UNKNOWN,) * COLUMNS for key in keys]
    speeds = [rates.get(key) or (nan,) * COLUMNS for key in keys]
    return Sample(
        at,
        About(**about),
        table,
        tuple(array("Q", [row[n] for row in five]) for n in range(COLUMNS)),
        tuple(array("f", [row[n] for row in speeds]) for n in range(COLUMNS)),
        totals,
        rates.get(TOTAL),
        counted_at,
        listing=listing,
    )
