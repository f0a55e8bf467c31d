"""A change that cuts the dashboard off takes itself back, on real hosts."""

import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from cluster import review
from cluster.audit import Actor
from cluster.models import Run
from tests.lab import between
from tests.lab.person import wait_until
from tests.lab.site import Site
from tests.lab.test_schedulers import listen

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db,
    pytest.mark.timeout(900),
]
VIP, GATE = "10.0.1.31", "10.0.1.250"
HOSTS = ("lb01", "web1", "web2")
# Long enough for a run on slow hosts; so long does a test take.
SECONDS = 150
# The dashboard, and we, come by way of the gate: no packet of it gets in any more. When
# it ends, the host itself writes down what it has, and lets us in again.
CUT = f"iptables-legacy {{}} INPUT -s {GATE} -p tcp --dport 22 -j DROP"
SEEN = "/run/seen-while-cut-off"
# Left to itself, systemd is a minute late as it likes.
SOON = "systemd-run -q --timer-property=AccuracySec=100ms --on-active"


@pytest.fixture
def site(lab, db):
    lab.clean()
    site = Site(lab)
    site.cluster.confirm_seconds = SECONDS
    site.cluster.save()
    yield site
    if not is_reached(site):  # a test that failed has left it cut off
        lab.power("lb01", "reset")


def told(run):
    return "\n".join(str(sentence) for sentence in run.account_sentences)


def cut_off(site, seconds):
    """Cut lb01 off for so many seconds, and wait until it is; nothing of ours helps it."""
    look = f"{{ ipvsadm -Sn; ip -o -4 addr show; ls /etc/piranha-lvs; }} >{SEEN}"
    after = f"{look}; {CUT.format('-D')}"
    site.lab.ssh(
        "lb01",
        f"rm -f {SEEN}; {SOON}=1 {CUT.format('-I')}; {SOON}={seconds} sh -c '{after}'",
    )
    wait_until(lambda: not is_reached(site), 30, "the cut")


def is_reached(site):
    """Whether the SSH server of lb01 says a word to a newcomer."""
    way = ("127.0.0.1", site.lab.hosts["lb01"]["ssh_port"])
    try:
        with socket.create_connection(way, 2) as login:
            return bool(login.recv(1))
    except OSError:
        return False


def returns(site, run):
    """Whether the run has ended, as the worker sees it that looks again and again."""
    Run.objects.filter(pk=run.pk, lease_until=None).update(pause_until=None)
    return site.attend(run).is_final


def without_timers(found):
    """Lapsed timers and the rest of iptables are no part of what a run may touch."""
    return {name: text.replace("-P INPUT ACCEPT\n", "") for name, text in found.items()}


def test_kept_in_time_everything_stays_and_the_timers_are_harmless(site):
    site.want()
    run = site.apply()
    assert run.state == "confirming", told(run)
    for name in HOSTS:
        listed = site.lab.ssh(name, "ls /etc/piranha-lvs; systemctl list-timers --all")
        assert f"return-{run.pk}.sh" in listed
        assert f"piranha-return@{run.pk}.timer" in listed
    assert review.keep(run, site.operator, Actor.of_user(site.operator))
    assert site.attend(run).state == "converged", told(run)
    before = site.everything()
    for name in HOSTS:
        # What the timer does when it ends.
        site.lab.ssh(name, f"systemctl start piranha-return@{run.pk}.service")
    assert site.everything() == before
    assert sorted(site.ask(f"http://{VIP}/", 2)) == ["web1", "web2"]
    listed = site.lab.ssh("lb01", "ls /etc/piranha-lvs")
    assert listed == "boot.sh\n"


def test_a_director_that_is_cut_off_after_the_change_returns_by_itself(site):
    before = without_timers(site.everything())
    site.want()
    run = site.apply()
    assert run.state == "confirming", told(run)
    left = (run.keep_until - timezone.now()).total_seconds()
    assert site.ask(f"http://{VIP}/", 1), "it serves"
    cut_off(site, left + 45)
    late = run.keep_until + timedelta(seconds=8)
    wait_until(lambda: timezone.now() > late, SECONDS, "the deadline")
    # Nobody has logged in anywhere. The client sees that the VIP is gone.
    found = site.lab.ssh("client", f"curl -sm 3 http://{VIP}/ || echo gone")
    assert found == "gone\n"
    assert VIP not in site.lab.ssh("web1", "ip -o -4 addr show")
    assert site.attend(run).state == "returning", told(run)
    check_the_end(site, run, before)


def test_a_director_that_is_cut_off_during_the_change_returns_by_itself(site):
    before = without_timers(site.everything())
    site.want()
    run = site.plan()
    connect, cut = site.connect, []

    def connect_and_cut(host):
        shell = connect(host)

        def is_due(command):
            # The VIP is about to be bound; the table is there already.
            is_it = command.root and command.argv[:3] == ("ip", "addr", "add")
            return is_it and host.name == "lb01" and not cut

        def run_command(command):
            cut.append(timezone.now())
            row = Run.objects.get(pk=run.pk)
            left = (row.keep_until - timezone.now()).total_seconds()
            cut_off(site, left + 45)
            return shell.run(command)

        return between.at(shell, is_due, run_command)

    site.connect = connect_and_cut
    run = site.carry_out(run)
    site.connect = connect
    assert cut
    assert run.state == "returning", told(run)
    # The worker has undone those that it reaches, and their timers are gone.
    assert VIP not in site.lab.ssh("web1", "ip -o -4 addr show")
    assert "return-" not in site.lab.ssh("web2", "ls /etc/piranha-lvs")
    late = run.keep_until + timedelta(seconds=8)
    wait_until(lambda: timezone.now() > late, SECONDS, "the deadline")
    check_the_end(site, run, before)


def look_again(site, run):
    """A worker looks at a run that waits, as it does every few seconds."""
    Run.objects.filter(pk=run.pk).update(pause_until=None)
    return site.attend(run)


@pytest.fixture
def by_probe(site):
    site.cluster.keep_by_probe = True
    site.cluster.save()
    return site


def test_the_probe_host_keeps_what_a_client_reaches(by_probe):
    site = by_probe
    site.want()
    site.want(vip="10.0.1.41", port=8443)
    run = site.apply()
    assert run.state == "confirming", told(run)
    assert look_again(site, run).state == "confirming", "nobody listens on port 8443"
    try:
        for name in ("web1", "web2"):
            listen(site.lab, name, "8443")
        assert look_again(site, run).state == "converged", told(run)
    finally:
        for name in ("web1", "web2"):
            site.lab.ssh(name, "systemctl stop listen; true")
    assert run.kept_by is None
    assert "client reached every TCP service." in told(run)
    for name in HOSTS:
        assert site.lab.ssh(name, "ls /etc/piranha-lvs") == "boot.sh\n"


def test_served_clients_do_not_keep_what_cuts_the_dashboard_off(by_probe):
    site = by_probe
    before = without_timers(site.everything())
    site.want()
    run = site.apply()
    assert run.state == "confirming", told(run)
    left = (run.keep_until - timezone.now()).total_seconds()
    cut_off(site, left + 45)
    assert look_again(site, run).state == "returning", told(run)
    assert "client reached every TCP service." in told(run)
    assert "lb01 could not be told to keep this" in told(run)
    check_the_end(site, run, before)


def check_the_end(site, run, before):
    """The host was as before while it was cut off; then the run says so."""
    wait_until(lambda: returns(site, run), 180, "the end of the run")
    assert run.state == "returned", told(run)
    seen = site.lab.ssh("lb01", f"cat {SEEN}")
    assert "10.0.1.3/24" in seen, "it was written"
    assert VIP not in seen
    assert ".sh" not in seen
    assert without_timers(site.everything()) == before
    assert not any(host.left_behind for host in site.cluster.hosts.all())
