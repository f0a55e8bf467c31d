"""Any of our processes may be killed at any step of an apply, on real kernels.

The proof that nothing is applied twice is not ours: it is the log that sudo keeps on
each host. (tests/control/test_recovery.py kills at every moment of every step.)
"""

import json
import re
from collections import Counter

import pytest

from tests.lab.person import FINAL, Dashboard, Person, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]
VIP = "10.0.1.31"
HOSTS = ("lb01", "web1", "web2")
# Which process dies, and at which step; adding and deleting take turns. The supervisor
# comes last: without it nobody starts the others again.
KILLS = (
    ("apply", 4),
    ("apply", 1),
    ("apply", 8),
    ("valkey", 3),
    ("web", 2),
    ("beat", 2),
    ("watch", 5),
    ("events", 5),
    ("supervisor", 3),
)
# Seconds: a minute would do on an idle machine, and labs seldom have one for themselves.
SOON = 120
_SUDO = re.compile(r"USER=root ; COMMAND=(\S+) (.*)")


@pytest.fixture
def dashboard(lab, tmp_path):
    lab.clean()
    found = Dashboard(tmp_path, lab)
    yield found
    found.stop()


def sudo_log(lab):
    """Return what sudo ran and what changed a host, as its own log says it: what came
    since this was asked the last time."""
    counted = Counter()
    read = (
        "journalctl -t sudo -o cat --no-pager --cursor-file=/run/sudo-log-read || true"
    )
    for host, log in lab.on_all(HOSTS, read).items():
        for program, words in _SUDO.findall(log):
            if "arping" not in program:
                counted[host, program, words] += 1
    return counted


def test_a_run_ends_soon_and_sends_nothing_twice(lab, dashboard):
    person = Person(dashboard)
    servers = [
        pk
        for (pk,) in dashboard.rows(
            "SELECT id FROM cluster_host WHERE role = 'real_server' ORDER BY name"
        )
    ]
    dashboard.wait_for_facts()
    for process, step in KILLS:
        existing = dashboard.rows("SELECT id FROM cluster_virtualservice")
        if existing:
            run = person.delete_service(existing[0][0], VIP)
        else:
            run = person.new_service(VIP, servers)
        wait_until(
            lambda run=run: dashboard.run_state(run) == "planned", 180, f"plan {run}"
        )
        sudo_log(lab)
        (plan_hash,) = dashboard.rows(
            "SELECT plan_hash FROM cluster_run WHERE id = ?", run
        )[0]
        person.confirm(run, plan_hash)
        kill_at_step(dashboard, run, process, step)
        took = wait_until(
            lambda run=run: dashboard.run_state(run) in FINAL,
            SOON,
            f"run {run} after {process} was killed at step {step}",
        )
        print(f"run {run}: {process} killed at step {step}, ended {took:.0f} s later")
        assert dashboard.run_state(run) == "converged", account(dashboard, run)
        check_nothing_twice(sudo_log(lab))
        check_audit(dashboard, run)
    assert dashboard.manage("verify_audit").returncode == 0


def kill_at_step(dashboard, run, process, step):
    """Kill when the step has been announced, whatever became of it by then."""
    query = (
        "SELECT 1 FROM cluster_step WHERE run_id = ? AND state != 'pending'"
        " AND position >= min(?, (SELECT max(position) FROM cluster_step"
        " WHERE run_id = ?))"
    )
    wait_until(lambda: dashboard.rows(query, run, step, run), 180, f"step {step}")
    dashboard.kill(process)


def check_nothing_twice(sent):
    """ipvsadm -R gets its rules by standard input. A call that was cut off before its
    rules arrived stands in the log, too, and changed nothing: had it, the kernel would
    have refused the second one ("already exists"), and the run would have been undone.
    """
    table = {key: n for key, n in sent.items() if key[1] == "/usr/sbin/ipvsadm"}
    single = {key: n for key, n in sent.items() if key not in table}
    assert single, "the host's own log has the commands of the run"
    assert set(single.values()) == {1}, single
    assert max(table.values()) <= 2


def check_audit(dashboard, run):
    query = "SELECT id FROM cluster_step WHERE run_id = ? ORDER BY position"
    for (step,) in dashboard.rows(query, run):
        actions = [
            action
            for (action,) in dashboard.rows(
                "SELECT action FROM cluster_auditevent WHERE step = ? ORDER BY seq",
                step,
            )
        ]
        assert actions, f"step {step} of run {run} is not in the audit log"
        assert actions == ["intent", "outcome"] * (len(actions) // 2), actions


def account(dashboard, run):
    (text,) = dashboard.rows("SELECT account FROM cluster_run WHERE id = ?", run)[0]
    return [item["msgid"].format(**item["params"]) for item in json.loads(text)]
