"""Send one command of a run: intent, command, outcome, in this order and only once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from cluster import audit
from cluster.control.observe import Observation, observe_all
from cluster.control.targets import Connect
from cluster.control.trouble import record_trouble
from cluster.lvs import privileges
from cluster.lvs.change import Change
from cluster.lvs.command import DEADLINE
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, Run, Step
from cluster.remote.shell import NothingSent, Output, RemoteError, Shell

OUTPUT_CAP = 64 * 1024


class LeaseLost(Exception):
    """Another worker has taken the run over; this one must not touch it again."""


@dataclass(slots=True)
class Attendance:
    """A worker's hold on a run: its lease, and its logins on the hosts."""

    run: Run
    owner: uuid.UUID
    connect: Connect
    shells: dict[str, Shell] = field(default_factory=dict)
    lost: dict[str, RemoteError] = field(default_factory=dict)

    @property
    def actor(self) -> audit.Actor:
        return audit.Actor.of_user(self.run.confirmed_by)

    def observe(self, hosts: Sequence[Host]) -> Observation:
        """Ask the hosts, and hold the run meanwhile."""
        seen = observe_all(hosts, self.connect, self.renew)
        self.renew()
        return seen

    def renew(self, deadline: float = DEADLINE) -> None:
        """Hold on to the run while a command with this deadline is carried out."""
        if not Run.objects.renew(self.run.pk, self.owner, deadline):
            raise LeaseLost(f"run {self.run.pk}")

    def shell(self, host: Host) -> Shell:
        """Return a warm login; a host that was lost once is not waited for again."""
        if host.name in self.lost:
            raise self.lost[host.name]
        if host.name not in self.shells:
            try:
                self.shells[host.name] = self.connect(host)
            except RemoteError as error:
                self.lost[host.name] = error
                raise
        return self.shells[host.name]

    def send(self, host: Host, change: Change) -> Output:
        """Run the command; a login that had died unnoticed is made anew once."""
        warm = host.name in self.shells
        try:
            return self.shell(host).run(change.command)
        except NothingSent:
            if not warm:
                raise
            self.shells.pop(host.name).close()
            self.renew(change.command.deadline)
            return self.shell(host).run(change.command)
        except RemoteError as error:
            self.lost[host.name] = error
            raise

    def close(self) -> None:
        for shell in self.shells.values():
            shell.close()
        self.shells.clear()


@contextmanager
def attending(run: Run, owner: uuid.UUID, connect: Connect) -> Iterator[Attendance]:
    """Hold the run while the block lasts; logins are closed, the lease is given up."""
    attendance = Attendance(run, owner, connect)
    try:
        yield attendance
    finally:
        attendance.close()


def perform(attendance: Attendance, step: Step) -> bool:
    """Carry out one pending step; return whether it did what it says."""
    change = step.value
    if not privileges.allowed(step.host.role, change.command):
        _reject(step)
        return False
    _announce(attendance, step)
    try:
        output = attendance.send(step.host, change)
    except RemoteError as error:
        _fail(attendance, step, error)
        return False
    step.exit_status = output.exit_status
    step.output = _text(output)
    good = succeeded(change, output)
    step.state = Step.State.DONE if good else Step.State.FAILED
    if not good:
        step.trouble = _refusal(change, output).as_json()
    _record(attendance, step, output.seconds)
    return good


def _reject(step: Step) -> None:
    """A row that no plan of ours can have made: somebody has changed the database."""
    text = _("This is not one of our commands for a {role}; it was not sent.",
             role=step.host.get_role_display())  # fmt: skip
    step.state, step.trouble = Step.State.FAILED, text.as_json()
    step.save(update_fields=["state", "trouble"])


def succeeded(change: Change, output: Output) -> bool:
    """``ipvsadm -R`` ends with 0 though the kernel refused a rule; then it complains
    on stderr (ipvsadm 1.31), so silence is asked for as well."""
    if change.command.argv[0] == "ipvsadm":
        return output.ok and not output.stderr.strip()
    return output.ok


def _announce(attendance: Attendance, step: Step) -> None:
    """Commit the intent. From here on the command counts as sent."""
    attendance.renew(step.value.command.deadline)
    with transaction.atomic():
        # The lease is part of the condition: a worker that slept through the end of
        # its lease finds no row and sends nothing.
        mine = Step.objects.filter(
            pk=step.pk,
            state=Step.State.PENDING,
            run__lease_owner=attendance.owner,
            run__lease_until__gte=Now(),
        )
        now = timezone.now()
        if mine.update(state=Step.State.SENT, sent_at=now) != 1:
            raise LeaseLost(f"step {step.pk}")
        step.state, step.sent_at = Step.State.SENT, now
        audit.intent(attendance.actor, step, step.value.command)


def _fail(attendance: Attendance, step: Step, error: RemoteError) -> None:
    nothing = isinstance(error, NothingSent)
    step.state = Step.State.FAILED if nothing else Step.State.UNKNOWN
    step.trouble = record_trouble(step.host, error).as_json()
    _record(attendance, step, None)


def _refusal(change: Change, output: Output) -> Sentence:
    if change.refusal and output.exit_status == 1:
        return change.refusal
    said = output.stderr.decode("utf-8", "replace").strip() or _text(output)
    return _(
        "{host} refused the command (exit status {status}): {said}",
        host=change.host,
        status=output.exit_status,
        said=said[:500],
    )


def _text(output: Output) -> str:
    text = (output.stdout + output.stderr).decode("utf-8", "replace")
    return text.replace("\0", "")[:OUTPUT_CAP]


def _record(attendance: Attendance, step: Step, seconds: float | None) -> None:
    step.finished_at = timezone.now()
    with transaction.atomic():
        step.save()
        audit.outcome(attendance.actor, step, said(step), seconds)


def said(step: Step) -> Sentence:
    """Say the state of a step for the audit log."""
    state = _(str(Step.State(step.state).label))
    if step.trouble_sentence:
        return _("{state}: {trouble}", state=state, trouble=step.trouble_sentence)
    return _("{state}", state=state)
