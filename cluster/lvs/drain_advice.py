"""What a person should know before draining: how this service behaves at weight 0.

See ipvs-sysctl in the kernel's documentation, and ip_vs_sh.c, ip_vs_mh.c, ip_vs_dh.c:
they keep weight 0 in their table and drop what hashes to it, unless told to fall back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cluster.lvs.table import VirtualService
from cluster.lvs.terms import Scheduler
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

QUIESCENT = "net.ipv4.vs.expire_quiescent_template"
NODEST = "net.ipv4.vs.expire_nodest_conn"


def advice(service: VirtualService, sysctls: Mapping[str, str]) -> Iterator[Sentence]:
    """Yield sentences; *sysctls* are those of the director, as far as known."""
    if service.persistence and sysctls.get(QUIESCENT) != "1":
        yield _(
            "{at} is persistent for {seconds} s: clients that were here before keep"
            " coming at weight 0, so the drain waits for their templates too. With"
            " expire_quiescent_template=1 on the director they go elsewhere at once.",
            at=service.at,
            seconds=service.persistence,
        )
    name = service.scheduler.value
    if service.scheduler in (Scheduler.SH, Scheduler.MH):
        if f"{name}-fallback" not in service.flags:
            yield _(
                "{at} uses {name} without {name}-fallback: new clients that hash to a"
                " real server of weight 0 are refused. Switch on “hash again on"
                " failure” first.",
                at=service.at,
                name=name,
            )
    elif service.scheduler is Scheduler.DH:
        yield _(
            "{at} uses dh: what hashes to a real server of weight 0 is refused, and no"
            " other one takes it over.",
            at=service.at,
        )


def at_the_end(sysctls: Mapping[str, str]) -> Sentence:
    """Say what happens to connections that are left when the server is taken out."""
    now = sysctls.get(NODEST)
    if now == "1":
        return _(
            "Connections that are left are reset: expire_nodest_conn is 1 on the"
            " director."
        )
    if now == "0":
        return _(
            "Connections that are left get no answer any more and time out:"
            " expire_nodest_conn is 0 on the director."
        )
    return _(
        "Connections that are left are reset where expire_nodest_conn is 1 on the"
        " director, else they time out."
    )
