"""Services under a firewall mark are kept: through moves, power cuts and adoption."""

from collections import Counter

import pytest
from django.test import Client
from django.urls import reverse

from cluster import adopting, review
from cluster.audit import Actor
from cluster.lvs.counters import Counters
from cluster.lvs.table import ServiceAddress
from cluster.models import Run, User
from cluster.views import live_page
from cluster.watch import store
from cluster.watch.watcher import Watcher
from tests.lab.site import Site
from tests.lab.test_adoption import observe
from tests.lab.test_counters import eventually
from tests.lab.test_ipv6 import OUTSIDE as OUTSIDE6
from tests.lab.test_ipv6 import outside as outside6
from tests.lab.test_marks import FWM7, RULES, VIP, VIP2, VIP6, before, site, urls
from tests.lab.test_reboot import reset

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(600)]
__all__ = ["before", "outside6", "site"]  # fixtures are used by their names


def test_ipv6_by_nat(site, outside6, before):
    site.want_marked(f"{VIP6} tcp 80,8080", method="nat")
    site.converge()
    answers = site.ask(urls(f"[{VIP6}]:80", f"[{VIP6}]:8080"), 3)
    assert Counter(answers) == {"web1": 3, "web2": 3}
    seen = site.lab.ssh("web1", "tail -n 1 /var/log/nginx/access.log")
    assert seen.split()[0] == OUTSIDE6


@pytest.mark.long
def test_a_port_moves_under_a_mark_and_back_without_a_gap(site, before):
    plain = site.want()
    site.converge()
    plain.delete()
    marked = site.want_marked(f"{VIP} tcp 80,8080")
    run = site.converge()
    lines = [step.value.command.line for step in run.steps.filter(host__name="lb01")]
    table = next(n for n, line in enumerate(lines) if "ipvsadm -R" in line)
    first = next(n for n, line in enumerate(lines) if "-A PREROUTING" in line)
    assert table < first
    assert Counter(site.ask(urls(f"{VIP}:80", f"{VIP}:8080"), 2)) == {
        "web1": 2,
        "web2": 2,
    }
    marked.delete()
    site.want()
    site.converge()
    assert Counter(site.ask(urls(f"{VIP}:80"), 4)) == {"web1": 2, "web2": 2}
    assert "MARK" not in site.lab.ssh("lb01", RULES)


@pytest.mark.long
def test_the_mark_is_there_again_after_a_power_cut(site):
    found = site.everything()
    site.want_marked(f"{VIP} tcp 80,8080\n{VIP2} tcp 80", persistence=60)
    site.want_marked(f"{VIP6} tcp 80", mark=8)
    site.converge()
    look = (
        f"ipvsadm -Sn; {RULES}; ip -o addr show scope global | grep -o 'inet.* scope'"
    )
    before = site.lab.ssh("lb01", look)
    assert reset(site, "lb01") == {"lb01": "active"}
    assert site.lab.ssh("lb01", look) == before
    answers = site.ask(urls(f"{VIP}:80", f"{VIP}:8080", f"{VIP2}:80"), 2)
    assert len(answers) == 6
    assert len(set(answers)) == 1
    run = site.plan()
    assert (run.state, run.steps.count()) == ("converged", 0)
    site.cluster.services.all().delete()
    site.converge()
    assert site.everything() == found


@pytest.mark.long
def test_what_was_built_by_hand_is_adopted_without_one_command(site):
    lab = site.lab
    found = site.everything()
    lab.ssh(
        "lb01",
        f"iptables-legacy -t mangle -A PREROUTING -d {VIP} -p tcp --dport 80"
        " -j MARK --set-mark 7;"
        f" iptables-legacy -t mangle -A PREROUTING -d {VIP} -p tcp --dport 8080"
        " -j MARK --set-mark 7;"
        " iptables-legacy -t mangle -A PREROUTING -i eth0 -p udp -j MARK --set-mark 9;"
        " ipvsadm -A -f 7 -s rr -p 60; ipvsadm -a -f 7 -r 10.0.1.6 -g -w 1;"
        " ipvsadm -A -f 9 -s rr; ipvsadm -a -f 9 -r 10.0.1.6 -g -w 1;"
        f" ip addr add {VIP}/24 dev eth0 label eth0:1",
    )
    site.cluster.keep_revision(site.cluster.wish().as_json(), None)
    observe(site)
    seen = {one.at: one for one in adopting.survey(site.host("lb01"))}
    assert seen[FWM7].name == f"FWM 7 · {VIP} tcp 80,8080"
    assert seen[FWM7].refusal is None
    nine = ServiceAddress.of_mark(9)
    assert "stays with its owner" in str(seen[nine].refusal)
    adopting.adopt_services(site.host("lb01"), [FWM7])
    run = review.ask_for_adoption(site.cluster, [FWM7], site.operator, Actor()).run
    run = site.attend(run)
    run = site.carry_out(run) if run.state == Run.State.PLANNED else run
    assert run.state == Run.State.CONVERGED
    on_director = [s.value.command.line for s in run.steps.filter(host__name="lb01")]
    assert not [line for line in on_director if "PREROUTING" in line or "-R" in line]
    assert site.ask(urls(f"{VIP}:80", f"{VIP}:8080"), 2) == ["web1"] * 4
    site.cluster.services.all().delete()
    site.converge()
    lab.ssh(
        "lb01",
        "ipvsadm -D -f 9;"
        " iptables-legacy -t mangle -D PREROUTING -i eth0 -p udp -j MARK --set-mark 9",
    )
    assert site.everything() == found


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
@pytest.mark.parametrize("family", [4, 6])
def test_the_live_page_counts_what_the_kernel_counts(lab, transactional_db, family):
    lab.clean()
    store.client().flushdb()
    site = Site(lab)
    vip = VIP if family == 4 else VIP6
    place = VIP if family == 4 else f"[{VIP6}]"
    at = ServiceAddress.of_mark(7, family)
    watcher = Watcher()
    site.want_marked(f"{vip} tcp 80")
    site.converge()
    watcher.start()
    try:
        assert Counter(site.ask(urls(f"{place}:80"), 6)) == {"web1": 3, "web2": 3}
        exact = lab.stats_at_rest()
        assert exact[at, ""].conns == 6

        def shown():
            pk = site.host("lb01").pk
            sample = store.latest([pk]).get(pk)
            found = {s["key"]: s for s in sample["services"]} if sample else {}
            one = found.get(str(at))
            if not one or not one["counters"]:
                return None
            rows = {(at, ""): Counters(*one["counters"])}
            for server in one["servers"]:
                rows[at, server["at"]] = Counters(*server["counters"])
            return rows

        eventually(lambda: shown() == exact)
        page = person().get(reverse("cluster:cluster", args=["lab"]))
        text = page.content.decode()
        shown_as = f"{at} · {vip} tcp 80".removeprefix("FWM ")
        assert shown_as in " ".join(text.split())
        states = {line.state for line in live_page.load(site.cluster).lines}
        assert states == {"LISTED"}
    finally:
        watcher.stop()
        site.cluster.services.all().delete()
        site.converge()
        lab.clean()


def person():
    client = Client()
    client.force_login(User.objects.get(username="li.wei"))
    return client
