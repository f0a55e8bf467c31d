"""The cluster of the notes, built by hand, becomes ours under traffic; and drift."""

import pytest
from django.utils import timezone

from cluster import adopting, review
from cluster.audit import Actor
from cluster.control import comparing
from cluster.lvs.change import Phase
from cluster.lvs.parts import Scope
from cluster.models import AuditEvent, Comparison, Run
from tests.build import at
from tests.lab import steady
from tests.lab.site import Site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db,
    pytest.mark.timeout(600),
]
VIP = "10.0.1.31"
URL = f"http://{VIP}/"

ON_THE_DIRECTOR = """
ip addr add 10.0.1.31/24 dev eth0 label eth0:1
ipvsadm -A -t 10.0.1.31:80 -s rr
ipvsadm -a -t 10.0.1.31:80 -r 10.0.1.6:80 -g
ipvsadm -a -t 10.0.1.31:80 -r 10.0.1.9:80 -g
"""
ON_A_REAL_SERVER = """
echo 1 >/proc/sys/net/ipv4/conf/lo/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/lo/arp_announce
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
ip addr add 10.0.1.31/32 dev lo label lo:1
ip route add 10.0.1.31/32 dev lo
"""


@pytest.fixture
def site(lab, db):
    lab.clean()
    yield Site(lab)
    steady.stop(lab)


def observe(site):
    comparing.prepare()
    Comparison.objects.update(due_at=timezone.now())
    comparing.observe_due(site.cluster, site.connect)


def row(site, name):
    return Comparison.objects.get(host=site.host(name))


def sent():
    """Count what was sent with the rights of root; the boot file needs none."""
    told = AuditEvent.objects.filter(action="intent")
    return told.filter(command__startswith="sudo").count()


def converged(site, run):
    """Let a run end that has nothing to do but to write the boot file, if that."""
    if run.state == Run.State.PLANNED:
        assert {step.value.phase for step in run.steps.all()} == {Phase.PERSIST}
        run = site.carry_out(run)
    assert run.state == Run.State.CONVERGED, run.account
    return run


def hosts(site):
    return {n: text.replace("boot.sh\n", "") for n, text in site.everything().items()}


def repair(site, **scope):
    asked = review.ask_for_repair(site.cluster, Scope(**scope), site.operator, Actor())
    run = site.attend(asked.run)
    assert run.state == Run.State.PLANNED, run.account
    run = site.carry_out(run)
    assert run.state == Run.State.CONVERGED, run.account
    return run


def adopt_by_hand(site):
    observe(site)
    (found,) = adopting.survey(site.host("lb01"))
    assert (found.at, found.refusal, found.notes) == (at(), None, ())
    adopting.adopt_services(site.host("lb01"), [found.at])
    run = review.ask_for_adoption(site.cluster, [found.at], site.operator, Actor()).run
    return converged(site, site.attend(run))


def adopt_and_repair(site):
    by_hand = "ipvsadm -e -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 2"
    site.lab.ssh("lb01", by_hand)
    observe(site)
    (line,) = row(site, "lb01").differences
    adopting.adopt_line(site.host("lb01"), line["key"])
    commands = sent()
    run = converged(site, site.plan())
    assert (sent(), run.revision.number) == (commands, 4)
    site.lab.ssh("lb01", "ipvsadm -E -t 10.0.1.31:80 -s rr")
    site.lab.ssh("lb01", "ipvsadm -e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 7")
    observe(site)
    assert row(site, "lb01").count == 2
    repair(site, keys=(row(site, "lb01").differences[1]["key"],))
    assert row(site, "lb01").count == 1
    repair(site, hosts=("lb01",))
    assert row(site, "lb01").count == 0


def test_a_cluster_built_by_hand_is_taken_over_under_traffic(site):
    before = site.everything()
    site.lab.ssh("client", "ip neigh flush dev eth0")  # it shall ask for the VIP
    site.lab.ssh("lb01", ON_THE_DIRECTOR)
    for name in ("web1", "web2"):
        site.lab.ssh(name, ON_A_REAL_SERVER)
    built = hosts(site)
    steady.start(site.lab, VIP)
    first = steady.counts(site.lab)

    run = adopt_by_hand(site)
    assert sent() == 0
    assert hosts(site) == built
    assert run.revision.number == 1
    service = site.cluster.services.get()
    assert [s.host.name for s in service.servers.all()] == ["web1", "web2"]

    # It is edited like any other ...
    service.servers.filter(address="10.0.1.6").update(weight=3)
    run = site.converge()
    roots = [s.value.command for s in run.steps.all() if s.value.command.root]
    assert [command.argv for command in roots] == [("ipvsadm", "-R")]
    service.scheduler = "wrr"
    service.save()
    site.converge()

    # ... and watched: what somebody changes by hand is adopted or repaired.
    adopt_and_repair(site)

    good, bad, lasting = steady.counts(site.lab)
    assert (bad, good > first[0] + 100) == (0, True), (good, bad)
    assert int(lasting) > int(first[2]), "the long connection has ended"
    print(f"{good} requests, {bad} failed, {lasting} on one connection")
    steady.stop(site.lab)

    service.delete()
    site.converge()
    assert site.everything() == before
    assert not any(host.left_behind for host in site.cluster.hosts.all())


def test_a_host_that_lost_its_power_is_told_apart_and_led_back(site):
    site.want()
    site.converge()
    before = row(site, "web1").boot_id
    site.lab.power("web1", "off")
    observe(site)
    assert site.host("web1").trouble["kind"] == "unreachable"
    assert row(site, "web1").misses == 1
    site.lab.power("web1", "on")
    observe(site)
    found = row(site, "web1")
    assert found.boot_id not in ("", before)
    assert bool(found.rebooted_at) == bool(found.count)
    if found.count:  # nothing on the host brought it back by itself
        run = repair(site, hosts=("web1",))
        assert {step.host.name for step in run.steps.all()} == {"web1"}
    assert (row(site, "web1").count, row(site, "web1").rebooted_at) == (0, None)
    assert sorted(site.ask(URL, 4)) == ["web1"] * 2 + ["web2"] * 2
