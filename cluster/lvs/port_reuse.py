"""A client that uses a port again while its old connection is still in the table.

In DR and TUN the director sees no replies, so a closed connection stays in FIN_WAIT for
two minutes. A client that uses its port again meanwhile, as a proxy with many connections
does, is sent to the same real server although that has weight 0, and into the void once
it was taken out. conn_reuse_mode 2 schedules such a connection anew, see ipvs-sysctl in
the kernel's documentation. A kernel before 4.1 does not have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cluster.lvs.ipvs_sysctls import VS
from cluster.lvs.settings import Settings
from cluster.lvs.table import Table
from cluster.lvs.terms import ForwardingMethod

MODE = "conn_reuse_mode"
KEY = f"{VS}.{MODE}"
# What the kernel does by itself; 3 is taken as well, its first bit is in 2.
WITHOUT = ("0", "1")


def loses(table: Table, sysctls: Mapping[str, str]) -> bool:
    """Whether such clients lose connections when these servers are taken out."""
    blind = any(
        server.method is not ForwardingMethod.NAT
        for service in table.services
        for server in service.servers
    )
    return blind and sysctls.get(KEY) in WITHOUT


def should_set(table: Table, wished: Settings, sysctls: Mapping[str, str]) -> bool:
    """Whether a drain should set it: nobody has decided otherwise."""
    return loses(table, sysctls) and MODE not in dict(wished.sysctls)


def with_reuse(settings: Settings) -> Settings:
    return replace(settings, sysctls=(*settings.sysctls, (MODE, "2")))
