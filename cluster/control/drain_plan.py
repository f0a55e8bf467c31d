"""Whether a plan has exactly in it what a drain expects: its one real server."""

from __future__ import annotations

from cluster.control.planning import plan_for
from cluster.control.recovery import items
from cluster.lvs import fullnat, rules, safety
from cluster.lvs.drained import aimed
from cluster.lvs.host import HostState
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import Sentence
from cluster.models import Drain, Run

# Hosts that do not answer, or would forget what they have, are no business of this
# drain. Which connections may be cut off was decided when it began.
HARMLESS = {safety.UNREACHABLE, *safety.CUT_OFF, safety.FORGETFUL}


def unexpected(one: Drain, run: Run, applied: ClusterWish) -> list[Sentence]:
    """Return what the plan says or does beyond this server; empty when it is as meant.

    Rules of the table may be about this server in the services of the drain only, and
    with the weight of this step. Its own host may be set up or cleaned up. Anything
    else must follow from the change: what the newest revision would need as well is
    drift, and drift is for a person.
    """
    found = [s for s in run.caution_sentences if s.msgid not in HARMLESS]
    changes = [step.value for step in run.steps.all() if step.value.writes]
    names = {name for rip, name in applied.real_servers if rip == one.ip}
    allowed = _rules(one, applied)
    drifted = _drift(run, applied)
    for change in changes:
        if change.command.argv[0] == "ipvsadm":
            fine = set(change.command.stdin.decode().splitlines()) <= allowed
        else:
            fine = change.host in names or not items(change) & drifted
        if not fine:
            found += change.sentences
    return found


def _rules(one: Drain, applied: ClusterWish) -> set[str]:
    """Return every rule that this step may need, from whatever state of the host."""
    target = aimed(applied.table, one.table, one.value.aim).by_address
    allowed = set()
    for service in one.table.services:
        after = target.get(service.at)
        if after is None:
            continue
        for server in service.servers:
            there = after.server(server.address, server.port)
            if there is None:
                allowed.add(rules.delete_server(service.at, server))
            else:
                ways = {there, fullnat.spelled(there)} if after.source_nat else {there}
                for spelled in ways:
                    allowed.add(rules.add_server(service.at, spelled))
                    allowed.add(rules.edit_server(service.at, spelled))
    return allowed


def _drift(run: Run, applied: ClusterWish) -> set[tuple[str, tuple[str, ...], str]]:
    """Return what the hosts, as this plan saw them, lack of the newest revision."""
    states = {n: HostState.from_json(data) for n, data in run.observed.items()}
    found = set()
    for change in plan_for(applied, [*run.cluster.hosts.all()], states).changes:
        if change.writes:
            found |= items(change)
    return found
