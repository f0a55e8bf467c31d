"""Real failures at thirty points of one run on real hosts, and what becomes of it.

The run moves 20 services with two real servers each from one VIP to another one and
other weights. tests/control/test_failures.py does the same to hosts in memory, at
every step; this takes most of an hour, so it is in ``make test-long``.
"""

import sqlite3
import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from cluster.lvs.command import Command
from cluster.models import Run, Step
from cluster.remote.shell import OutcomeUnknown, Output, Shell
from tests.control.test_failures import DEFINITE, SERVICES, want
from tests.control.test_recovery import Killed
from tests.lab.between import at
from tests.lab.site import Site

OLD, NEW = ("10.0.1.31", 1), ("10.0.1.32", 3)
TABLE, CUT = ("lb01", "ipvsadm -R", 1), ("lb01", "ipvsadm -R", 2)
BIND, RELEASE = ("lb01", "ip addr add", 1), ("lb01", "ip addr del", 1)
WEB1_BIND, WEB2_BIND = ("web1", "ip addr add", 1), ("web2", "ip addr add", 1)
WEB1_ROUTE, WEB2_FREE = ("web1", "ip route add", 1), ("web2", "ip addr del", 1)
WEB2_UNROUTE = ("web2", "ip route del", 1)
SUDOERS = "/etc/sudoers.d/piranha"
LOCKED = 30.0  # seconds; the worker waits for 20

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]


class Sabotage:
    """Wrap the site's shells; *happens* is called for the one command, once."""

    def __init__(self, site: Site, point: tuple[str, str, int]) -> None:
        self.site, self.point = site, point
        self.count = 0
        self.original = site.connect
        site.connect = self.connect

    def connect(self, host) -> Shell:
        shell = self.original(host)
        run = shell.run
        return at(
            shell,
            lambda command: self.is_due(shell, command),
            lambda command: self.happens(shell, command, run),
        )

    def is_due(self, shell: Shell, command: Command) -> bool:
        name, start, number = self.point
        if shell.name != name or not " ".join(command.argv).startswith(start):
            return False
        self.count += 1
        return self.count == number

    def happens(
        self, shell: Shell, command: Command, run: Callable[[Command], Output]
    ) -> Output:
        raise NotImplementedError

    def mend(self) -> None:
        """The run has ended: bring the hosts back into order."""
        self.site.connect = self.original


class CutBefore(Sabotage):
    """The connection ends right before the command leaves."""

    def happens(self, shell, command, run):
        shell.close()
        return run(command)


class CutAfter(Sabotage):
    """The host carries the command out, and its answer is lost."""

    def happens(self, shell, command, run):
        run(command)
        shell.close()
        raise OutcomeUnknown(shell.name, f"{shell.name} broke the connection off.")


class SudoRefuses(Sabotage):
    """Somebody takes our rights away, until the run has ended."""

    def happens(self, shell, command, run):
        self.site.lab.ssh(shell.name, f"mv {SUDOERS} /root/sudoers")
        return run(command)

    def mend(self):
        super().mend()
        back = f"test ! -e /root/sudoers || mv /root/sudoers {SUDOERS}"
        self.site.lab.ssh(self.point[0], back)


class KernelRefuses(Sabotage):
    """Somebody is quicker: a rule or an address in the middle is there, or is gone."""

    def happens(self, shell, command, run):
        vip = NEW[0] if self.point[2] == 1 else OLD[0]
        verb = "-A" if self.point[2] == 1 else "-D"
        by_hand = f"ipvsadm {verb} -t {vip}:8010"
        if shell.name != "lb01":
            by_hand = f"ip addr add {vip}/32 dev lo label lo:7"
        self.site.lab.ssh(shell.name, by_hand)
        return run(command)


class PowerCut(Sabotage):
    """The host is dark until the run has ended."""

    def happens(self, shell, command, run):
        self.site.lab.power(shell.name, "off")
        return run(command)

    def mend(self):
        super().mend()
        self.site.lab.power(self.point[0], "on")


class WorkerDiesBefore(Sabotage):
    def happens(self, shell, command, run):
        raise Killed


class WorkerDiesAfter(Sabotage):
    def happens(self, shell, command, run):
        run(command)
        raise Killed


class DatabaseLocked(Sabotage):
    """Another process holds the database for longer than the worker waits."""

    def happens(self, shell, command, run):
        output = run(command)
        locked = threading.Event()
        self.holder = threading.Thread(target=self.hold, args=(locked,))
        self.holder.start()
        locked.wait()
        return output

    def hold(self, locked: threading.Event) -> None:
        database = sqlite3.connect(connection.settings_dict["NAME"], timeout=20)
        database.execute("BEGIN EXCLUSIVE")
        locked.set()
        threading.Event().wait(LOCKED)
        database.rollback()
        database.close()

    def mend(self):
        self.holder.join()
        super().mend()


POINTS = [
    *((CutBefore, place) for place in (TABLE, BIND, CUT, WEB1_BIND, WEB2_UNROUTE)),
    *((CutAfter, place) for place in (TABLE, RELEASE, CUT, WEB1_ROUTE, WEB2_FREE)),
    *((SudoRefuses, place) for place in (TABLE, BIND, WEB1_BIND, WEB2_FREE)),
    *((KernelRefuses, place) for place in (TABLE, CUT, WEB1_BIND)),
    *(
        (PowerCut, place)
        for place in (TABLE, BIND, CUT, WEB1_BIND, WEB2_BIND, WEB2_FREE)
    ),
    *((WorkerDiesBefore, place) for place in (TABLE, WEB1_BIND)),
    *((WorkerDiesAfter, place) for place in (TABLE, BIND, CUT, WEB2_FREE)),
    *((DatabaseLocked, place) for place in (TABLE, CUT, WEB2_FREE)),
]


def named(point) -> str:
    kind, (host, command, number) = point
    return f"{kind.__name__}-{host}-{command.replace(' ', '_')}-{number}"


@pytest.fixture
def site(lab):
    lab.clean()
    return Site(lab)


def told(run: Run) -> str:
    return "\n".join(str(sentence) for sentence in run.account_sentences)


def bring_to_its_end(site: Site, run: Run) -> None:
    """Workers come and go until the run has ended."""
    Run.objects.filter(pk=run.pk).update(
        state=Run.State.QUEUED, confirmed_by=site.operator
    )
    for _attempt in range(4):
        try:
            site.attend(run)
        except (Killed, OperationalError):
            connection.close()
        run.refresh_from_db()
        if run.is_final:
            return
        Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")


def prove(site: Site, kind: type[Sabotage], point: tuple[str, str, int]) -> str:
    """Apply OLD, fail on the way to NEW, and converge with the next run.

    Return how the run ended that met the failure."""
    want(site, *OLD)
    site.converge()
    before = site.everything()
    want(site, *NEW)
    run = site.plan()
    assert run.state == Run.State.PLANNED, told(run)
    sabotage = kind(site, point)  # counts the commands of this run only
    try:
        bring_to_its_end(site, run)
    finally:
        sabotage.mend()
    assert sabotage.count >= sabotage.point[2], "the point was never reached"
    assert run.state in DEFINITE, (run.state, told(run))
    assert not run.steps.filter(state=Step.State.SENT).exists()
    if run.state == Run.State.PARTIAL:
        assert_what_is_left_is_told(site, before, run)
    if not isinstance(sabotage, KernelRefuses) and run.state == Run.State.RETURNED:
        assert site.everything() == before
    if run.state != Run.State.CONVERGED:
        undo_by_hand(site, sabotage)
        site.converge()
    rules = site.lab.ssh("lb01", "ipvsadm -Sn").splitlines()
    assert len(rules) == 3 * SERVICES
    assert all(f"-t {NEW[0]}:80" in rule for rule in rules)
    return run.state


def assert_what_is_left_is_told(site: Site, before: dict[str, str], run: Run) -> None:
    """A host that is not as before is named."""
    now = site.everything()
    for name in now:
        if now[name] != before[name]:
            assert name in told(run), (name, told(run))


def undo_by_hand(site: Site, sabotage: Sabotage) -> None:
    """What somebody made by hand is not ours to take away, so they do it."""
    if isinstance(sabotage, KernelRefuses) and sabotage.point == TABLE:
        site.lab.ssh("lb01", f"ipvsadm -D -t {NEW[0]}:8010 || true")


@pytest.mark.parametrize("point", POINTS, ids=named)
def test_a_run_that_fails_ends_definitely_and_the_next_one_converges(
    site, point, record_property
):
    record_property("ended", prove(site, *point))
