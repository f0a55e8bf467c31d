"""Hosts are read again and again, and rows say what differs on each of them."""

from datetime import timedelta

from celery import current_app
from django.utils import timezone

from cluster import errands, tasks
from cluster.control import comparing
from cluster.errands import Errand
from cluster.lvs import words
from cluster.models import Comparison, Run
from cluster.models.comparisons import LONGEST_WAIT, READING, period

WEIGHT_5 = "-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 5"


def row(lab, name):
    return Comparison.objects.get(host=lab.host(name))


def observe(lab):
    """Do what the tick does, as if the time of every host had come."""
    comparing.prepare()
    Comparison.objects.update(due_at=timezone.now())
    comparing.observe_due(lab.cluster, lab.connect)


def told(lab, name):
    return [str(words.from_json(d["told"])) for d in row(lab, name).differences]


def test_a_run_leaves_its_hosts_compared(applied):
    for name in ("lb01", "web1", "web2"):
        found = row(applied, name)
        assert (found.count, found.differences, found.unknown) == (0, [], [])
        assert found.at


def test_what_somebody_changed_by_hand_is_told_line_by_line(applied):
    director = applied.models["lb01"]
    for rule in (
        WEIGHT_5,
        "-d -t 10.0.1.31:80 -r 10.0.1.9:80",
        "-E -t 10.0.1.31:80 -s wlc",
        "-a -t 10.0.1.31:80 -r 10.0.1.7:80 -g -w 2",
    ):
        director._rule(rule)
    observe(applied)
    assert row(applied, "lb01").count == 4
    assert told(applied, "lb01") == [
        "Change TCP 10.0.1.31:80: scheduler round robin → weighted least-connection",
        "Change TCP 10.0.1.31:80: weight of web1 1 → 5",
        "Change TCP 10.0.1.31:80: take web2 out",
        "Change TCP 10.0.1.31:80: add 10.0.1.7 (10.0.1.7:80, weight 2, Direct routing)",
    ]
    assert all(line["adoptable"] for line in row(applied, "lb01").differences)
    assert row(applied, "web1").count == 0


def test_what_follows_from_the_wish_is_told_as_missing(applied):
    applied.models["web1"]._ip(("route", "del", "10.0.1.31/32", "dev", "lo"), "")
    observe(applied)
    assert told(applied, "web1") == ["Not in force: Route 10.0.1.31/32 to lo"]
    assert not row(applied, "web1").differences[0]["adoptable"]


def test_since_is_when_it_was_seen_first(applied):
    applied.models["lb01"]._rule(WEIGHT_5)
    observe(applied)
    first = row(applied, "lb01").differences[0]["since"]
    applied.models["lb01"]._rule("-E -t 10.0.1.31:80 -s wlc")
    observe(applied)
    lines = row(applied, "lb01").differences
    assert [line["since"] == first for line in lines] == [False, True]


def test_a_reboot_is_told_until_everything_is_back(applied):
    applied.models["web1"].reboot()
    observe(applied)
    found = row(applied, "web1")
    assert found.rebooted_at
    assert found.count == 3
    observe(applied)
    assert row(applied, "web1").rebooted_at == found.rebooted_at
    assert applied.apply().state == Run.State.CONVERGED
    assert (row(applied, "web1").rebooted_at, row(applied, "web1").count) == (None, 0)


def test_a_host_that_came_back_by_itself_has_nothing_to_repair(applied):
    web1 = applied.models["web1"]
    before = web1.state
    web1.reboot()
    boot_id = web1.state.boot_id
    web1._write(
        "everything",
        **{name: getattr(before, name) for name in ("addresses", "routes", "sysctls")},
    )
    observe(applied)
    found = row(applied, "web1")
    assert (found.boot_id, found.rebooted_at, found.count) == (boot_id, None, 0)


def test_foreign_services_are_told_and_no_difference(applied):
    applied.models["lb01"]._rule("-A -t 10.0.1.77:22 -s rr")
    observe(applied)
    assert [line["key"] for line in row(applied, "lb01").foreign] == [
        "TCP 10.0.1.77:22"
    ]
    assert row(applied, "lb01").count == 0


def test_a_silent_host_keeps_what_was_known_and_is_asked_more_seldom(applied, dead):
    applied.models["web1"].reboot()
    observe(applied)
    before = row(applied, "web1")
    dead("web1")
    waits = []
    for _ in range(6):
        observe(applied)
        waits.append(row(applied, "web1").due_at - timezone.now())
    after = row(applied, "web1")
    assert (after.count, after.at, after.misses) == (3, before.at, 6)
    assert timedelta(0) < period() < waits[0] < waits[1] < waits[2]
    assert all(wait <= LONGEST_WAIT for wait in waits)
    assert row(applied, "web2").due_at - timezone.now() <= period()
    applied.down.clear()
    observe(applied)
    assert row(applied, "web1").misses == 0


def test_only_hosts_whose_time_has_come_are_read(applied):
    observe(applied)
    Comparison.objects.filter(host=applied.host("web1")).update(due_at=timezone.now())
    applied.shells.clear()
    comparing.observe_due(applied.cluster, applied.connect)
    assert list(applied.shells) == ["web1"]


def test_two_workers_do_not_read_the_same_host(applied):
    comparing.prepare()
    Comparison.objects.update(due_at=timezone.now())
    assert len(Comparison.objects.claim(applied.cluster)) == 3
    assert Comparison.objects.claim(applied.cluster) == set()
    # The worker dies: after a while it is done anew.
    assert row(applied, "web1").due_at <= timezone.now() + READING


def test_nothing_is_read_or_kept_while_a_run_is_in_progress(applied):
    run = applied.plan()
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    Comparison.objects.update(due_at=timezone.now())
    assert comparing.due() == []
    seen = applied.cluster.hosts.first()
    before = row(applied, seen.name).at
    applied.models["web1"].reboot()
    comparing.observe_due(applied.cluster, applied.connect)
    assert row(applied, seen.name).at == before


def test_what_was_read_before_a_run_ended_is_not_kept(applied):
    """The run has changed the host meanwhile."""
    began = timezone.now()
    applied.models["lb01"]._rule(WEIGHT_5)
    hosts = list(applied.cluster.hosts.all())
    seen = comparing.observe_all(hosts, applied.connect, lambda: None)
    assert applied.apply().state == Run.State.CONVERGED
    comparing.keep(applied.cluster, hosts, seen, since=began)
    assert row(applied, "lb01").count == 0


def test_keys_that_nobody_accepted_are_not_asked(applied):
    Comparison.objects.all().delete()
    applied.cluster.hosts.filter(name="web1").update(host_key="")
    comparing.prepare()
    assert [r.host.name for r in Comparison.objects.all()] == ["lb01", "web2"]


def test_the_tick_rings_once_for_each_cluster(applied, monkeypatch):
    rung = []
    monkeypatch.setattr(tasks.observe_cluster, "delay", rung.append)
    for task in (tasks.apply_run, tasks.look_at_host, tasks.roll_up):
        monkeypatch.setattr(task, "delay", lambda *_args: None)
    Comparison.objects.update(due_at=timezone.now())
    tasks.tick()
    tasks.tick()
    assert rung == [applied.cluster.pk]
    errands.end(Errand.OBSERVE, applied.cluster.pk)


def test_the_task_reads_and_forgets_its_errand(applied, monkeypatch):
    monkeypatch.setattr(tasks, "shell_for", applied.connect)
    applied.models["web1"].reboot()
    Comparison.objects.update(due_at=timezone.now())
    errands.begin(Errand.OBSERVE, applied.cluster.pk)
    tasks.observe_cluster(applied.cluster.pk)
    assert row(applied, "web1").count == 3
    assert errands.progress(Errand.OBSERVE, applied.cluster.pk) is errands.Progress.IDLE


def test_reading_waits_in_a_queue_of_its_own():
    route = current_app.amqp.router.route({}, "cluster.tasks.observe_cluster")
    assert route["queue"].name == "watch"
