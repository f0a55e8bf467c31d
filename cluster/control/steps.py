"""Send commands of a run: intent, command, outcome, in this order and only once.

Steps that follow each other on one host go together, in one round trip. All of them are
announced before anything leaves; the host stops at the first that fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from time import monotonic, sleep

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from cluster import audit
from cluster.control.observe import Observation, observe_all
from cluster.control.targets import Connect
from cluster.control.trouble import record_trouble
from cluster.lvs import privileges, sequence
from cluster.lvs.arming import is_arming
from cluster.lvs.change import Change
from cluster.lvs.command import DEADLINE, Command
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, Run, Step
from cluster.remote.shell import NothingSent, Output, RemoteError, Shell

OUTPUT_CAP = 64 * 1024
PATIENCE = 4.0  # seconds between two renewals of a lease


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
    # Until when a host may go on with what was sent to it, by the monotonic clock.
    busy: dict[str, float] = field(default_factory=dict)

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

    def send(
        self, host: Host, commands: Sequence[Command]
    ) -> Generator[Output, None, None]:
        """Yield the answers; a login that had died unnoticed is made anew once."""
        warm = host.name in self.shells
        try:
            try:
                yield from self._sent(host, commands)
            except NothingSent:
                if not warm:
                    raise
                self.shells.pop(host.name).close()
                self.renew(sequence.deadline_of(commands))
                yield from self._sent(host, commands)
        except NothingSent:
            self.busy.pop(host.name, None)
            raise
        except RemoteError as error:
            self.lost[host.name] = error
            raise
        self.busy.pop(host.name, None)

    def _sent(self, host: Host, commands: Sequence[Command]) -> Iterator[Output]:
        if len(commands) > 1:
            self.busy[host.name] = monotonic() + sequence.deadline_of(commands)
        return self.shell(host).run_in_order(commands)

    def time_left(self, host: Host) -> float:
        """Return for how long a host may still go on with what was sent to it."""
        return self.busy.get(host.name, 0.0) - monotonic()

    def wait_for_ends(self) -> None:
        """Wait until no host can go on with commands whose answers were lost."""
        left = max(self.busy.values(), default=0.0) - monotonic()
        while left > 0:
            sleep(min(left, PATIENCE))
            left -= PATIENCE
            self.renew()
        self.busy.clear()

    def try_again(self, name: str) -> None:
        """A host that was lost has answered."""
        self.lost.pop(name, None)
        if name in self.shells:
            self.shells.pop(name).close()

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
    return perform_together(attendance, [step]) is None


def together(steps: Sequence[Step], seconds: float = sequence.LONGEST) -> list[Step]:
    """Return those of these pending steps, from the first on, that go in one round trip
    and take no longer than that on a slow host."""
    first = steps[0]
    alike = takewhile(
        lambda step: (
            step.host_id == first.host_id
            and is_arming(step.value) == is_arming(first.value)
            and privileges.allowed(step.host.role, step.value.command)
        ),
        steps,
    )
    some = list(alike)
    count = sequence.count_together([step.value.command for step in some], seconds)
    return some[:count] or [first]


def perform_together(attendance: Attendance, steps: Sequence[Step]) -> Step | None:
    """Carry out pending steps of one host; return the first that failed, if one did.

    Those after it are pending again, or unknown when the host was lost on the way.
    """
    host, waiting = steps[0].host, list(steps)
    for step in steps:
        if not privileges.allowed(host.role, step.value.command):
            _reject(step)
            return step
    _announce(attendance, steps)
    commands = [step.value.command for step in steps]
    try:
        with closing(attendance.send(host, commands)) as answers:
            for output in answers:
                _answered(attendance, waiting.pop(0), output)
    except RemoteError as error:
        return _fail(attendance, waiting, error)
    for step in waiting:
        _not_tried(attendance, step)
    last = steps[len(steps) - len(waiting) - 1]
    return last if last.state == Step.State.FAILED else None


def _answered(attendance: Attendance, step: Step, output: Output) -> None:
    # Whoever waited for the database too long has lost the run meanwhile.
    attendance.renew(max(DEADLINE, attendance.time_left(step.host)))
    change = step.value
    step.exit_status = output.exit_status
    step.output = _text(output)
    step.took = output.seconds
    good = sequence.succeeded(change.command, output.exit_status, output.stderr)
    step.state = Step.State.DONE if good else Step.State.FAILED
    if not good:
        step.trouble = _refusal(change, output).as_json()
    _record(attendance, step, output.seconds)


def _not_tried(attendance: Attendance, step: Step) -> None:
    """The host stopped before it: it is as if it had never been sent."""
    step.state, step.sent_at = Step.State.PENDING, None
    with transaction.atomic():
        step.save()
        text = _("Not carried out, because a command before it failed.")
        audit.outcome(attendance.actor, step, text)


def _reject(step: Step) -> None:
    """A row that no plan of ours can have made: somebody has changed the database."""
    text = _("This is not one of our commands for a {role}; it was not sent.",
             role=step.host.get_role_display())  # fmt: skip
    step.state, step.trouble = Step.State.FAILED, text.as_json()
    step.save(update_fields=["state", "trouble"])


def _announce(attendance: Attendance, steps: Sequence[Step]) -> None:
    """Commit the intent. From here on the commands count as sent."""
    commands = [step.value.command for step in steps]
    attendance.renew(sequence.deadline_of(commands))
    with transaction.atomic():
        # The lease is part of the condition: a worker that slept through the end of
        # its lease finds no row and sends nothing.
        mine = Step.objects.filter(
            pk__in=[step.pk for step in steps],
            state=Step.State.PENDING,
            run__lease_owner=attendance.owner,
            run__lease_until__gte=Now(),
        )
        now = timezone.now()
        if mine.update(state=Step.State.SENT, sent_at=now) != len(steps):
            raise LeaseLost(f"run {attendance.run.pk}, step {steps[0].position}")
        for step in steps:
            step.state, step.sent_at = Step.State.SENT, now
        audit.intents(attendance.actor, steps)


def _fail(attendance: Attendance, steps: Sequence[Step], error: RemoteError) -> Step:
    """The first was not sent, so none was; or nobody knows what became of them."""
    trouble = record_trouble(steps[0].host, error).as_json()
    nothing = isinstance(error, NothingSent)
    for step in steps:
        if nothing and step is not steps[0]:
            _not_tried(attendance, step)
            continue
        step.state = Step.State.FAILED if nothing else Step.State.UNKNOWN
        step.trouble = trouble
        _record(attendance, step, None)
    return steps[0]


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
