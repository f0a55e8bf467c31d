"""Make a plan: ask every host that takes part, decide, and write it down as steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone

from cluster import audit
from cluster.control.boot_texts import with_old_texts
from cluster.control.observe import Observation, unreadable
from cluster.control.second_look import cautions
from cluster.control.steps import Attendance
from cluster.lvs import arming, differences, mark_check, safety, settings_check, wish
from cluster.lvs.director import NoNetwork
from cluster.lvs.host import Footprint, HostState, HostWish
from cluster.lvs.parts import Scope, narrowed, parts
from cluster.lvs.plan import Plan, plan
from cluster.lvs.replies import detours, nat_servers
from cluster.lvs.table import ServiceAddress, Table
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, Run, Step


class NoPlan(Exception):
    """No plan can be made, and the sentences say why. Nothing was sent."""

    def __init__(self, *sentences: Sentence) -> None:
        super().__init__(*map(str, sentences))
        self.sentences = sentences


@dataclass(slots=True)
class Decision:
    """A plan with what it was made from."""

    plan: Plan
    observed: dict[str, HostState]
    cautions: list[Sentence]


def hosts_of(run: Run) -> list[Host]:
    """Return the hosts that take part: those wished for and those with a footprint."""
    wanted = run.wanted
    hosts = run.cluster.hosts.select_related("credential", "cluster").trusted()
    needed = _needed(wanted)
    return [h for h in hosts if h.name in needed or h.left_behind]


def _needed(wanted: wish.ClusterWish) -> set[str]:
    """Return the names of the hosts that the wish cannot do without."""
    if not wanted.vips:
        return {*wanted.directors}
    used = wanted.table.addresses
    serving = (name for rip, name in wanted.real_servers if rip in used)
    return {wanted.director, *wanted.directors, *serving}


def decide(attendance: Attendance) -> Decision:
    """Look at the hosts and return the plan; raises NoPlan."""
    run = attendance.run
    wanted = run.wanted
    hosts = hosts_of(run)
    seen = attendance.observe(hosts)
    _refuse_blind(wanted, hosts, seen, adopted_by(run))
    _refuse_settings(wanted, seen)
    _refuse_marks(wanted, hosts, seen, adopted_by(run))
    wishes = wishes_of(wanted, hosts, seen.states)
    whole = plan_for(wanted, hosts, seen.states, adopted_by(run), wishes)
    found = narrowed(whole, Scope.from_json(run.scope))
    meant = replace(wanted, table=_table_after(wanted, seen, found, run))
    reasons = _refuse_detours(wanted, seen) + cautions(meant, hosts, seen)
    reasons += safety.forgetful(seen.states, wishes)
    found, unread = with_old_texts(found, attendance, hosts, seen)
    if unread:
        raise NoPlan(*unread, _("No plan was made and nothing was changed."))
    if run.keep_seconds and not found.is_empty:
        reasons += arming.defenceless(found, seen.states)
        found = arming.armed(found, seen.states, run.pk, run.keep_seconds)
    return Decision(found, seen.states, reasons)


def _table_after(
    wanted: wish.ClusterWish, seen: Observation, found: Plan, run: Run
) -> Table:
    """Return the table that the director has after the plan: a part of the wish when
    the run is narrowed."""
    state, scope = seen.states.get(wanted.director), Scope.from_json(run.scope)
    if not scope or state is None:
        return wanted.table
    if not scope.keys:
        return wanted.table if wanted.director in scope.hosts else state.table
    mine = [change for change in found.changes if change.host == wanted.director]
    table = state.table
    for part in (part for change in mine for part in parts(change)):
        table = differences.adopted(part, table, wanted.table)
    return table


def adopted_by(run: Run) -> list[ServiceAddress]:
    """Return the services made by hand that are ours once the run has converged."""
    return [one.at for one in run.wanted.table.services if str(one.at) in run.adopts]


def replan(run: Run, hosts: list[Host], seen: Observation) -> Plan:
    """Return what is still to be done for the run's wish, from what was seen."""
    wanted = run.wanted
    states = {h.name: seen.states[h.name] for h in hosts if h.name in seen.states}
    whole = plan_for(wanted, hosts, states, adopted_by(run))
    return narrowed(whole, Scope.from_json(run.scope))


def plan_for(
    wanted: wish.ClusterWish,
    hosts: Sequence[Host],
    states: dict[str, HostState],
    adopts: Collection[ServiceAddress] = (),
    wishes: dict[str, HostWish] | None = None,
) -> Plan:
    """Return the plan that leads from these states to a wish; raises NoPlan.

    *wishes* is what the wish means for each host, where that is known already.
    """
    if wishes is None:
        wishes = wishes_of(wanted, hosts, states)
    footprints = {h.name: h.left_behind for h in hosts}
    names = dict(wanted.real_servers)
    return plan(states, wishes, footprints, names, adopts)


def wishes_of(
    wanted: wish.ClusterWish, hosts: Iterable[Host], seen: dict[str, HostState]
) -> dict[str, HostWish]:
    """Return what the wish means for each host; raises NoPlan."""
    # A director that does not answer now has told before which networks it is in.
    known = {
        h.name: before for h in hosts if h.name not in seen and (before := h.state)
    }
    states = known | seen
    if wanted.vips and wanted.director not in states:
        raise NoPlan(_("{host} has never been read.", host=wanted.director))
    try:
        return wish.host_wishes(wanted, states)
    except NoNetwork as error:
        raise NoPlan(error.sentence) from error


def _refuse_blind(
    wanted: wish.ClusterWish,
    hosts: list[Host],
    seen: Observation,
    adopts: list[ServiceAddress],
) -> None:
    """Refuse a plan that would send clients where we could not look."""
    names = {host.name for host in hosts}
    if wanted.vips and wanted.director not in names:
        raise NoPlan(
            _("The cluster has no active director that can be reached over SSH.")
        )
    blind = []
    # NAT leaves nothing on a real server that would show that it is in service.
    served, needed = _in_service(wanted, seen), _needed(wanted)
    for host in hosts:
        if host.name not in seen.troubles:
            continue
        settled = host.left_behind or host.name not in needed or host.name in served
        # Another director may be dead: moving its VIPs away must be possible.
        if host.name == wanted.director or not (settled or host.is_director):
            blind.append(seen.troubles[host.name])
    if blind:
        raise NoPlan(*blind, _("No plan was made and nothing was changed."))
    for name, state in seen.states.items():
        if state.table.unknown:
            raise NoPlan(_("{host}:", host=name), unreadable(state.table.unknown))
        host = next(host for host in hosts if host.name == name)
        _refuse_foreign(wanted, host, state, adopts)


def _in_service(wanted: wish.ClusterWish, seen: Observation) -> set[str]:
    """Return the real servers that the director reaches by NAT now."""
    state = seen.states.get(wanted.director)
    present = nat_servers(state.table) if state else set()
    return {name for rip, name in wanted.real_servers if rip in present}


def _refuse_detours(wanted: wish.ClusterWish, seen: Observation) -> list[Sentence]:
    """Refuse to begin NAT where no reply would come back; else return cautions."""
    state = seen.states.get(wanted.director)
    if state is None:
        return []
    replaced = [s.at for s in wanted.table.services if s.source_nat]
    by_nat = nat_servers(wanted.table, replaced)
    names = {name for rip, name in wanted.real_servers if rip in by_nat}
    looked_at = {name: seen.states[name] for name in names if name in seen.states}
    families: dict[str, set[int]] = {}
    for rip, name in wanted.real_servers:
        if rip in by_nat:
            families.setdefault(name, set()).add(rip.version)
    inner = wanted.settings.inner_vip
    vips = [str(vip.address) for vip in wanted.vips]
    floating = [inner, *vips] if inner else vips
    found = detours(wanted.director, state, looked_at, floating, families)
    answering = nat_servers(state.table, [rule.at for rule in state.source_nat])
    served = {name for rip, name in wanted.real_servers if rip in answering}
    fatal = [one.sentence for one in found if one.always and one.host not in served]
    if fatal:
        raise NoPlan(*fatal, _("No plan was made and nothing was changed."))
    return [one.sentence for one in found]


def _refuse_settings(wanted: wish.ClusterWish, seen: Observation) -> None:
    """Refuse settings that a director cannot have."""
    there = {n: s for n, s in seen.states.items() if n in wanted.directors}
    around = settings_check.Around(there, wanted.table)
    refused = [why for _place, why in settings_check.check(wanted.settings, around)]
    if refused:
        raise NoPlan(*dict.fromkeys(refused))


def _refuse_foreign(
    wanted: wish.ClusterWish,
    host: Host,
    state: HostState,
    adopts: list[ServiceAddress],
) -> None:
    """Refuse to change a service that somebody made by hand and nobody adopted."""
    if host.name != wanted.director:
        return
    ours = {*host.left_behind.services, *adopts}
    for service in wanted.table.services:
        present = state.table.by_address.get(service.at)
        if (
            present
            and present is not service
            and service.at not in ours
            and present != replace(service, packets=())
        ):
            raise NoPlan(
                _(
                    "{host} already has {at}, which was not made here. Adopt it, delete"
                    " it there, or choose another address or port.",
                    host=host.name,
                    at=service.at,
                )
            )


def _refuse_marks(
    wanted: wish.ClusterWish,
    hosts: list[Host],
    seen: Observation,
    adopts: list[ServiceAddress],
) -> None:
    """Refuse to begin with a mark that other rules of the firewall set, too."""
    state = seen.states.get(wanted.director)
    director = next((h for h in hosts if h.name == wanted.director), None)
    if state is None or director is None:
        return
    ours, known = director.left_behind, {*director.left_behind.services, *adopts}
    refused = [
        why
        for service in wanted.table.services
        if service.at.mark and service.at not in known
        if (
            why := mark_check.marked_elsewhere(
                service, state.marks, state.other_marks, ours.marks
            )
        )
    ]
    if refused:
        raise NoPlan(*refused, _("No plan was made and nothing was changed."))


def make_plan(attendance: Attendance) -> None:
    """Turn a run that is PLANNING into one that waits for confirmation."""
    run = attendance.run
    if run.keep_seconds is None:
        run.keep_seconds = run.cluster.confirm_seconds
    actor = audit.Actor.of_user(run.requested_by)
    try:
        decision = decide(attendance)
    except NoPlan as error:
        run.tell(error.sentences)
        finish(run, Run.State.REFUSED)
        return
    if decision.plan.is_empty:
        run.tell([_("Every host is already as wished; there is nothing to send.")])
        with transaction.atomic():
            _write_plan(run, decision)
            own(run)
            finish(run, Run.State.CONVERGED)
        return
    with transaction.atomic():
        _write_plan(run, decision)
        run.state = Run.State.PLANNED
        run.save()
        text = _("Plan {hash} with {count} commands", hash=run.plan_hash[:8],
                 count=len(decision.plan.changes))  # fmt: skip
        audit.of_run(actor, audit.Action.PLANNED, run, text)


def _write_plan(run: Run, decision: Decision) -> None:
    run.observed = {n: s.as_json() for n, s in decision.observed.items()}
    run.adds = {n: f.as_json() for n, f in decision.plan.adds.items()}
    run.plan_hash = decision.plan.hash
    run.cautions = [sentence.as_json() for sentence in decision.cautions]
    run.planned_at = timezone.now()
    hosts = dict(run.cluster.hosts.values_list("name", "pk"))
    Step.objects.bulk_create(
        Step(run=run, position=n, host_id=hosts[c.host], change=c.as_json())
        for n, c in enumerate(decision.plan.changes, start=1)
    )


def own(run: Run) -> None:
    """Write down what is ours, before the first command leaves: nothing of ours can be
    forgotten on a host."""
    adds = {name: Footprint.from_json(data) for name, data in run.adds.items()}
    for host in run.cluster.hosts.filter(name__in=[n for n, a in adds.items() if a]):
        host.keep_footprint(host.left_behind | adds[host.name])


def finish(run: Run, state: str) -> None:
    """End a run; a converged one leaves a revision when its wish is news."""
    with transaction.atomic():
        if state == Run.State.CONVERGED:
            by = run.confirmed_by or run.requested_by
            run.revision = run.cluster.keep_revision(run.wish, by)
        run.state = state
        run.finished_at = timezone.now()
        run.lease_until = None
        run.save()
        actor = audit.Actor.of_user(run.confirmed_by or run.requested_by)
        text = _("Run {run}: {state}", run=run, state=run.get_state_display())
        audit.of_run(actor, audit.Action.ENDED, run, text)
