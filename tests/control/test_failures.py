"""Whatever fails, wherever in a run: it ends definitely, and the next one converges.

One run moves 20 services to another VIP and other weights: every phase of a plan is in
it, on the director and on the real servers. tests/lab/test_failures.py does the same
to real hosts.
"""

from dataclasses import replace

import pytest
from django.db import OperationalError

from cluster.control import steps
from cluster.models import RealServer, Run, Vip, VirtualService
from cluster.remote.shell import OutcomeUnknown, Output, Unreachable
from tests.control.start import begin_with
from tests.control.test_recovery import (
    Killed,
    assert_every_intent_has_its_outcome,
    good,
)
from tests.fake_shell import FakeShell

STEPS = 17
SERVICES = 20
DEFINITE = (Run.State.CONVERGED, Run.State.RETURNED, Run.State.PARTIAL)
SUDO = Output(1, b"", b"sudo: a password is required\n", 0.01, truncated=False)

pytestmark = pytest.mark.django_db


def want(lab, vip, weight):
    """Want 20 services on one VIP, and nothing else."""
    lab.cluster.services.all().delete()
    Vip.number_for(lab.cluster, vip)
    services = VirtualService.objects.bulk_create(
        VirtualService(cluster=lab.cluster, address=vip, port=port, scheduler="wrr")
        for port in range(8001, 8001 + SERVICES)
    )
    hosts = [lab.host(name) for name in ("web1", "web2")]
    RealServer.objects.bulk_create(
        RealServer(
            service=service,
            host=host,
            address=host.address,
            port=service.port,
            weight=weight,
        )
        for service in services
        for host in hosts
    )


@pytest.fixture
def moving(lab):
    """A confirmed run from 10.0.1.31 to 10.0.1.32."""

    def make(lab):
        want(lab, "10.0.1.31", 1)
        assert lab.apply().state == Run.State.CONVERGED

    begin_with(lab, "20 services", make)
    lab.before = lab.states()
    want(lab, "10.0.1.32", 3)
    run = lab.plan()
    assert run.steps.count() == STEPS
    lab.confirm(run)
    return run


def is_write(command):
    if not command.root:
        return command.argv[0] in ("sh", "rm")  # the boot file
    return command.argv[1] not in ("-Sn", "-Ln")


class Fault:
    """Something that happens once, at the *number*-th command that writes."""

    def __init__(self, lab, monkeypatch, number):
        self.lab, self.number, self.count = lab, number, 0
        original = FakeShell.run

        def run(shell, command):
            if not is_write(command):
                return original(shell, command)
            self.count += 1
            if self.count != self.number:
                return original(shell, command)
            return self.happens(shell, command, original)

        monkeypatch.setattr(FakeShell, "run", run)


class CutBefore(Fault):
    """The connection is lost, and the command never left."""

    def happens(self, shell, command, run):
        shell.close()
        raise Unreachable(shell.name, f"{shell.name} broke the connection off.")


class CutAfter(Fault):
    """The command is carried out, and the answer is lost."""

    def happens(self, shell, command, run):
        run(shell, command)
        shell.close()
        raise OutcomeUnknown(shell.name, f"{shell.name} broke the connection off.")


class Lost(Fault):
    """The command is sent, and is lost with the connection."""

    def happens(self, shell, command, run):
        shell.close()
        raise OutcomeUnknown(shell.name, f"{shell.name} broke the connection off.")


class CutAndDone(Fault):
    """The connection is lost, and the host goes on with all that was sent to it."""

    def happens(self, shell, command, run):
        for one in (command, *shell.rest):
            if not good(one, run(shell, one)):
                break
        shell.close()
        raise OutcomeUnknown(shell.name, f"{shell.name} broke the connection off.")


class AnswersLost(Fault):
    """Lost, and nothing was heard of what had gone well before it."""

    def __init__(self, lab, monkeypatch, number):
        super().__init__(lab, monkeypatch, number)
        monkeypatch.setattr(FakeShell, "ahead", True)
        monkeypatch.setattr(FakeShell, "deaf", True)

    def happens(self, shell, command, run):
        shell.close()
        raise OutcomeUnknown(shell.name, f"{shell.name} broke the connection off.")


class SudoRefuses(Fault):
    def happens(self, shell, command, run):
        return SUDO


class PowerCut(Fault):
    """The host is dark until the run has ended."""

    def happens(self, shell, command, run):
        self.lab.models[shell.name].reboot()
        self.lab.cut_off(shell.name)
        raise OutcomeUnknown(shell.name, f"{shell.name} does not answer.")


class Reboot(Fault):
    """The host forgets everything, and is there again at once."""

    def happens(self, shell, command, run):
        self.lab.models[shell.name].reboot()
        shell.close()
        raise Unreachable(shell.name, f"{shell.name} broke the connection off.")


class WorkerDiesBefore(Fault):
    def happens(self, shell, command, run):
        raise Killed


class WorkerDiesAfter(Fault):
    def happens(self, shell, command, run):
        run(shell, command)
        raise Killed


class DatabaseLocked(Fault):
    """The outcome cannot be written: the worker ends with an error."""

    def happens(self, shell, command, run):
        answer = run(shell, command)
        record = steps._record

        def locked(*args):
            steps._record = record
            raise OperationalError("database is locked")

        steps._record = locked
        return answer


FAULTS = Fault.__subclasses__()


def bring_to_its_end(lab, run):
    """Workers come and go until the run has ended; then every host answers again."""
    for _attempt in range(3):
        try:
            lab.attend(run)
        except (Killed, OperationalError):
            run.refresh_from_db()
        if run.is_final:
            break
        lab.expire_lease(run)


@pytest.mark.slow
@pytest.mark.each_step
@pytest.mark.parametrize("number", range(1, STEPS + 1))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_run_that_fails_ends_definitely_and_the_next_one_converges(
    lab, moving, monkeypatch, fault, number
):
    with monkeypatch.context() as patch:
        happened = fault(lab, patch, number)
        bring_to_its_end(lab, moving)
    assert happened.count >= number
    assert moving.state in DEFINITE, moving.state
    told = " ".join(str(sentence) for sentence in moving.account_sentences)
    if moving.state == Run.State.RETURNED:
        # What is dark is as the power cut left it; no step had touched it before.
        answering = lab.models.keys() - lab.down.keys()
        before, now = plain(lab.before), plain(lab.states())
        assert [now[n] for n in answering] == [before[n] for n in answering]
    if moving.state == Run.State.PARTIAL:
        assert_exactly_what_is_left_is_told(lab, moving, told)
    assert_every_intent_has_its_outcome(moving)
    lab.down.clear()
    if moving.state != Run.State.CONVERGED:
        again = lab.apply()
        told = "\n".join(str(sentence) for sentence in again.account_sentences)
        assert again.state == Run.State.CONVERGED, told
    table = lab.models["lb01"].state.table
    assert {str(s.at.address) for s in table.services} == {"10.0.1.32"}
    assert len(table.services) == SERVICES
    assert all(len(s.servers) == 2 for s in table.services)


def plain(states):
    """What a host has, whenever it was started."""
    return {name: replace(state, boot_id="") for name, state in states.items()}


def assert_exactly_what_is_left_is_told(lab, run, told):
    """Each host that is not as before is named, and no other one."""
    before, now = plain(lab.before), plain(lab.states())
    different = {name for name in now if now[name] != before[name]}
    for name in lab.models:
        named = f"{name}: " in told or f"{name} was started anew" in told
        assert named == (name in different), (name, told)


@pytest.mark.parametrize("phase", ["growing", "cutting"])
def test_a_rule_that_the_kernel_refuses_in_the_middle_undoes_the_rest(
    lab, moving, phase
):
    vip, weight = ("10.0.1.32", 3) if phase == "growing" else ("10.0.1.31", 1)
    rule = (
        f"-a -t {vip}:8010 -r 10.0.1.9:8010 -g -w {weight}"
        if phase == "growing"
        else f"-D -t {vip}:8010"
    )
    lab.models["lb01"].refused.add(rule)
    assert lab.attend(moving).state == Run.State.RETURNED
    assert lab.states() == lab.before
    lab.models["lb01"].refused.clear()
    assert lab.apply().state == Run.State.CONVERGED
