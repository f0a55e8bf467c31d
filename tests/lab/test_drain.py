"""Draining with real traffic: nobody notices."""

import time
from collections import Counter
from datetime import timedelta
from functools import partial
from ipaddress import ip_address

import pytest

from cluster import draft, drains
from cluster.audit import Actor
from cluster.control import draining
from cluster.drains import propose
from cluster.lvs.drain import Choice, Event
from cluster.lvs.wish import ClusterWish
from cluster.models import Drain
from tests.lab.load import load

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
]
VIP, WEB1 = "10.0.1.31", "10.0.1.6"


def begin(site, choice, address=WEB1):
    proposal = propose(site.cluster, ip_address(address), floor=20)
    actor = Actor.of_user(site.operator)
    return drains.begin(proposal, choice, 20, site.operator, actor)


def advance_until(site, drain, states, seconds=300):
    """Do what the tick does until the drain is there; return its state."""
    end = time.monotonic() + seconds
    while True:
        draining.advance(drain.pk, site.connect)
        drain = Drain.objects.get(pk=drain.pk)
        if drain.state in states:
            return drain
        said = (drain.state, drain.seen, str(drain.why_sentence))
        assert time.monotonic() < end, said
        time.sleep(0.5)


def say(site, drain, event):
    drains.tell(drain, event, site.operator, Actor.of_user(site.operator))


def nothing_fails(running, told, what, act):
    """Do it while the load runs on, and see that no request of it fails."""
    before = running.now()
    result = act()
    running.wait(200)
    done = running.now() - before
    told.append((what, done, round(done.rate)))
    print(*told[-1])
    assert done.failed == 0, told
    return result


def test_no_request_fails_whatever_is_changed(site):
    service = site.want(scheduler="rr")
    web2 = service.servers.get(host__name="web2")
    web2.enabled = False
    web2.save()
    site.converge()
    with load(site.lab, VIP) as running:
        during = partial(nothing_fails, running, [])

        def add():
            web2.enabled = True
            web2.save()
            site.converge()

        def weights():
            service.servers.filter(host__name="web1").update(weight=3)
            site.converge()

        def scheduler():
            service.refresh_from_db()
            service.scheduler = "wlc"
            service.save()
            site.converge()

        def rollback():
            draft.load(site.cluster, ClusterWish.from_json(both.wish))
            site.converge()

        during("nothing", lambda: None)
        during("adding web2", add)
        both = site.cluster.revisions.first()
        during("weights", weights)
        during("scheduler", scheduler)
        choice = Choice(timedelta(minutes=5))
        drain = begin(site, choice)
        during("draining web1", lambda: advance_until(site, drain, {"out"}))
        assert "10.0.1.31" not in site.lab.ssh("web1", "ip -o addr show dev lo")
        drain.refresh_from_db()
        say(site, drain, Event.BACK)
        during("bringing web1 back", lambda: advance_until(site, drain, {"restored"}))
        during("rollback", rollback)
        total = running.stop()
    print(
        f"{total.ok} requests, {total.rate:.0f}/s, {total.failed} failed,"
        f" {total.slow} slow"
    )
    assert total.failed == 0, total.why
    assert Counter(total.by).keys() == {"web1", "web2"}


def test_a_client_with_a_template_keeps_coming_until_templates_expire(site):
    vip = "10.0.1.41"
    site.want(vip=vip, persistence=120)
    site.converge()
    url = f"http://{vip}/"
    (mine,) = set(site.ask(url, 2))
    address = site.host(mine).address
    drain = begin(site, Choice(timedelta(minutes=5)), address)
    drain = advance_until(site, drain, {"draining"})
    end = time.monotonic() + 180
    while drain.seen.get("left") != [[f"TCP {vip}:80", 0, 1]]:
        assert time.monotonic() < end, drain.seen
        draining.advance(drain.pk, site.connect)
        drain.refresh_from_db()
    assert drain.state == "draining"
    assert drain.seen["keep_coming"] == [f"TCP {vip}:80"]
    assert set(site.ask(url, 2)) == {mine}, "weight 0 and still the same"
    sysctl = "sysctl -qw net.ipv4.vs.expire_quiescent_template"
    site.lab.ssh("lb01", f"{sysctl}=1")
    try:
        assert mine not in site.ask(url, 2), "the next one goes elsewhere"
        assert advance_until(site, drain, {"out"}).state == "out"
    finally:
        site.lab.ssh("lb01", f"{sysctl}=0")
