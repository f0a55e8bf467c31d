"""What the page of a run shows, from its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from cluster.lvs import safety
from cluster.lvs.change import Change, Mark, Phase
from cluster.lvs.parts import Scope
from cluster.lvs.words import Sentence
from cluster.models import Host, Run, Step, User
from cluster.templatetags.ui import as_shell

State = Run.State
_FAILED = (Step.State.FAILED, Step.State.UNKNOWN)
MOST_COPIED = 32 * 1024
_OVER = (Step.State.DONE, Step.State.FAILED, Step.State.UNKNOWN, Step.State.UNDONE)


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step with its change read once."""

    row: Step
    change: Change


@dataclass(frozen=True, slots=True)
class HostSteps:
    """What one host gets, in order; the numbers are those of the whole run."""

    host: Host
    steps: list[ShownStep]

    @property
    def numbers(self) -> str:
        """Return ``1, 4-6``: when it is the turn of this host."""
        spans: list[list[int]] = []
        for number in (step.row.position for step in self.steps):
            if spans and spans[-1][-1] == number - 1:
                spans[-1][1:] = [number]
            else:
                spans.append([number])
        return ", ".join("-".join(map(str, span)) for span in spans)


@dataclass(frozen=True, slots=True)
class Caution:
    """A reason for a second look, with the way that loses no connection if there is one."""

    run: Run
    sentence: Sentence

    @property
    def drain_url(self) -> str:
        """Where the real server is drained that would be taken out, else ``""``."""
        if self.sentence.msgid not in safety.CUT_OFF or self.run.is_final:
            return ""
        said = dict(self.sentence.params)
        address = str(said["server"]).rpartition(":")[0].strip("[]")
        place = reverse("cluster:server", args=[self.run.cluster.slug, address])
        return f"{place}?{urlencode({'service': said['at']})}"


@dataclass(slots=True)
class Tally:
    """How much of one kind comes, changes and goes."""

    added: int = 0
    edited: int = 0
    deleted: int = 0


def run_context(run: Run, person: User) -> dict[str, Any]:
    steps = shown_steps(run)
    forward = [step for step in steps if step.row.undoes_id is None]
    back = [step for step in steps if step.row.undoes_id is not None]
    returning = run.state == State.RETURNING
    watched = back if returning else forward
    is_plan = run.state == State.PLANNED
    newer = run.cluster.wish().as_json() != run.wish if is_plan else False
    return {
        "run": run,
        "cautions": [Caution(run, one) for one in run.caution_sentences],
        "cluster": run.cluster,
        "hosts": by_host(forward),
        "taken_back": by_host(back),
        "forward": forward,
        "step_count": len(forward),
        "over": sum(step.row.state in _OVER for step in watched),
        "total": len(watched),
        # Hosts work side by side, and several commands may go to one together.
        "under_way": [s for s in watched if s.row.state == Step.State.SENT],
        "groups": grouped(forward) if run.is_final else [],
        "tallies": tallies(step.change for step in forward),
        "elapsed": elapsed(run),
        "is_plan": is_plan,
        "polls": not (run.is_final or is_plan),
        "keep_left": keep_left(run),
        "draft_is_newer": newer,
        "leads_back_to": _leads_back_to(run) if is_plan else None,
        "narrowed_to": _narrowed_to(run),
        "asked": [host.name for host in run.cluster.hosts.trusted()]
        if run.state == State.PLANNING
        else [],
        "may_operate": person.may_operate,
        "shell_text": shell_text(forward) if is_plan and is_short(forward) else "",
        "failed": [step for step in forward if step.row.state in _FAILED],
        "again": run.is_final and run.state != State.CONVERGED,
    }


def _leads_back_to(run: Run) -> int | None:
    """Return the newest revision when the run repairs it; None for a change."""
    newest = run.cluster.revisions.first()
    return newest.number if newest and newest.wish == run.wish else None


def _narrowed_to(run: Run) -> str:
    """Say what a run is narrowed to, ``""`` for one that does everything."""
    scope = Scope.from_json(run.scope)
    if scope.hosts:
        return ", ".join(scope.hosts)
    text = ngettext("%(n)d line", "%(n)d lines", len(scope.keys))
    return text % {"n": len(scope.keys)} if scope.keys else ""


def by_host(steps: Iterable[ShownStep]) -> list[HostSteps]:
    """Group by host; hosts stand in the order of their first step."""
    found: dict[int, HostSteps] = {}
    for step in steps:
        group = found.setdefault(step.row.host_id, HostSteps(step.row.host, []))
        group.steps.append(step)
    return list(found.values())


def grouped(steps: Sequence[ShownStep]) -> list[tuple[str, int]]:
    """Count steps by how they ended, for the account: done 7, undone 2 ..."""
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.row.state] = counts.get(step.row.state, 0) + 1
    return [(state, counts[state]) for state in Step.State.values if state in counts]


def tallies(changes: Iterable[Change]) -> dict[str, Tally]:
    """Count services, real servers and VIPs from what is really sent."""
    services, servers, vips = Tally(), Tally(), Tally()
    for change in changes:
        if change.phase in (Phase.ARM, Phase.PERSIST):
            continue  # the scripts say again what the others do
        lines = change.command.stdin.decode().splitlines()
        undo = change.undo.stdin.decode().splitlines() if change.undo else []
        verbs = [line.split(" ", 1)[0] for line in lines]
        services.added += verbs.count("-A")
        services.edited += verbs.count("-E")
        services.deleted += verbs.count("-D")
        servers.added += verbs.count("-a")
        servers.edited += verbs.count("-e")
        if change.phase is Phase.CUT:
            # Deleting a service takes its servers along: only the undo names them.
            servers.deleted += sum(line.startswith("-a ") for line in undo)
        vips.added += change.phase is Phase.BIND and change.mark is Mark.ADD
        moved = change.phase is Phase.BIND and change.mark is Mark.DELETE
        vips.deleted += change.phase is Phase.RELEASE or moved
    return {"services": services, "servers": servers, "vips": vips}


def keep_left(run: Run) -> timedelta | None:
    """Return how long "keep" can still be said; None when it is over."""
    if run.keep_until is None or (now := timezone.now()) > run.keep_until:
        return None
    return run.keep_until - now


def elapsed(run: Run) -> timedelta | None:
    begin = run.started_at or run.confirmed_at or run.created_at
    return (run.finished_at or timezone.now()) - begin


def is_short(steps: Iterable[ShownStep]) -> bool:
    """Whether the plan may stand in its page once more, to be copied."""
    return sum(len(step.change.command.stdin) for step in steps) < MOST_COPIED


def shown_steps(run: Run) -> list[ShownStep]:
    return [ShownStep(row, row.value) for row in run.steps.select_related("host")]


def shell_text(steps: Iterable[ShownStep]) -> str:
    """Return the plan as text to paste, each command under host and sentence."""
    parts = []
    for step in steps:
        if step.change.phase is Phase.ARM:
            continue  # whoever types it by hand does not say keep here
        said = "; ".join(s.translated(gettext) for s in step.change.sentences)
        parts.append(f"# {step.row.position}. {step.row.host.name}: {said}")
        parts.append(as_shell(step.change.command))
    return "\n".join(parts) + "\n"


def step_text(step: ShownStep) -> str:
    """Return one step, nothing left out: what it does, the command, its undo."""
    change = step.change
    parts = [f"# {s.translated(gettext)}" for s in change.sentences]
    parts += [as_shell(change.command), ""]
    if change.undo:
        parts += ["# " + gettext("Undo:"), as_shell(change.undo)]
    return "\n".join(parts) + "\n"


def log_text(run: Run) -> str:
    """Return the whole run as plain text: what was sent, what came back."""
    said = [sentence.translated(gettext) for sentence in run.account_sentences]
    parts = [f"run {run} · {run.cluster} · {run.get_state_display()}"]
    parts += [f"plan {run.plan_hash}", *said, ""]
    for step in shown_steps(run):
        row = step.row
        title = "; ".join(s.translated(gettext) for s in step.change.sentences)
        parts += [
            f"--- {row.position} {row.host.name}: {title}",
            f"$ {as_shell(step.change.command)}",
            (
                f"state: {row.state}, exit status: {_or_dash(row.exit_status)},"
                f" sent: {_or_dash(row.sent_at)}, finished: {_or_dash(row.finished_at)}"
            ),
        ]
        if row.trouble_sentence:
            parts.append(row.trouble_sentence.translated(gettext))
        parts += [row.output.rstrip("\n"), ""]
    return "\n".join(parts)


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)
