"""The drift page, and the chips that say everywhere how hosts stand."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.control import comparing
from cluster.control.observe import Observation
from cluster.lvs.host import Footprint
from cluster.models import AuditEvent, Comparison, Run
from cluster.standing import Standing, of_cluster
from tests.build import (
    WEB1,
    at,
    director,
    eth_vip,
    lo_vip,
    real_server,
    server,
    service,
)

DRIFT = reverse("cluster:drift", args=["lab"])
COMPARE = reverse("cluster:drift_compare", args=["lab"])
REPAIR = reverse("cluster:drift_repair", args=["lab"])
ADOPT = reverse("cluster:drift_adopt", args=["lab"])


@pytest.fixture
def applied(lab):
    """lb01 has another weight than was applied, web1 lacks everything, web2 the route."""
    lab.add_service()
    lab.keep_revision()
    lb01 = lab.hosts["lb01"]
    lb01.footprint = Footprint((eth_vip(),), services=(at(),)).as_json()
    lb01.save()
    found = service(servers=[server(weight=5), server("10.0.1.9")])
    compare(lab, lb01=director(eth_vip(), services=[found]))
    return lab


def compare(lab, **states):
    for name, state in states.items():
        lab.observe(name, state)
    hosts = list(lab.cluster.hosts.all())
    comparing.keep(lab.cluster, hosts, Observation(states))


def line(lab, name="lb01"):
    return Comparison.objects.get(host=lab.hosts[name]).differences[0]


def text(client, url=DRIFT, **headers):
    return client.get(url, headers=headers).content.decode()


def test_each_difference_is_a_line_with_its_rule(operator, applied):
    html = text(operator)
    assert "Change TCP 10.0.1.31:80: weight of web1 1 → 5" in html
    assert "-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1" in html
    assert html.count(f'action="{ADOPT}"') == 1
    assert html.count(f'action="{REPAIR}"') == 3  # all, the host, the line
    assert "1 difference" in html


def test_a_viewer_looks_and_can_do_nothing(viewer, applied):
    html = text(viewer)
    assert "weight of web1 1 → 5" in html
    assert "<form" not in html.partition('id="drift"')[2].partition("</main>")[0]
    for url in (COMPARE, REPAIR, ADOPT):
        assert viewer.post(url).status_code == 403


def test_the_fragment_is_only_the_lines(operator, applied):
    html = text(operator, **{"HX-Request": "true"})
    assert html.lstrip().startswith('<div class="stack"')
    assert "<html" not in html


def test_before_the_first_revision_it_teaches(operator, lab):
    assert "Nothing was applied yet" in text(operator)
    answer = operator.post(REPAIR, follow=True)
    assert "there is nothing to repair" in answer.content.decode()
    assert not Run.objects.exists()


def test_repair_of_a_line_of_a_host_and_of_all(operator, applied, queued):
    key = line(applied)["key"]
    for form, scope in (
        ({"key": key}, {"keys": [key]}),
        ({"host": "web1"}, {"hosts": ["web1"]}),
        ({}, {}),
    ):
        with queued() as rung:
            answer = operator.post(REPAIR, form)
        run = Run.objects.first()
        assert answer.url == reverse("cluster:run", args=[run.pk])
        assert (run.scope, run.wish) == (scope, applied.cluster.applied().as_json())
        assert rung == [("plan_run", (run.pk,))]


def test_the_review_says_that_it_leads_back_and_what_it_leaves(operator, applied):
    applied.add_service("10.0.1.32")
    applied_wish = applied.cluster.applied().as_json()
    run = Run.objects.create(
        cluster=applied.cluster,
        wish=applied_wish,
        scope={"hosts": ["web1"]},
        state="planned",
        planned_at=timezone.now(),
    )
    html = text(operator, reverse("cluster:run", args=[run.pk]))
    assert "This plan is a part of the repair: web1." in html
    assert "This plan leads back to revision r1." in html


def test_adopting_changes_the_draft_and_goes_to_the_review(operator, applied, queued):
    with queued() as rung:
        form = {"host": "lb01", "key": line(applied)["key"]}
        answer = operator.post(ADOPT, form)
    run = Run.objects.get()
    assert answer.url == reverse("cluster:run", args=[run.pk])
    assert rung == [("plan_run", (run.pk,))]
    weights = applied.cluster.services.get().servers.values_list("weight", flat=True)
    assert sorted(weights) == [1, 5]
    event = AuditEvent.objects.get(action="changed")
    assert (
        "Adopt from lb01: Change TCP 10.0.1.31:80: weight of web1 1 → 5" in event.text
    )


def test_what_cannot_be_adopted_is_said_and_nothing_changes(operator, applied):
    compare(applied, web1=real_server(WEB1, lo_vip()))
    for form in (
        {"host": "web1", "key": line(applied, "web1")["key"]},
        {"host": "lb01", "key": "gone"},
    ):
        page = operator.post(ADOPT, form, follow=True).content.decode()
        assert "This difference is no more, or it cannot be adopted." in page
    assert not Run.objects.exists()
    assert operator.post(ADOPT, {"host": "nobody"}).status_code == 404


def test_comparing_now_makes_every_host_due_and_rings(operator, applied, queued):
    later = timezone.now() + timedelta(minutes=9)
    Comparison.objects.update(due_at=later)
    with queued() as rung:
        operator.post(COMPARE)
        operator.post(COMPARE)
    assert rung == [("observe_cluster", (applied.cluster.pk,))]
    assert all(row.due_at < later for row in Comparison.objects.all())
    assert "reading the hosts" in text(operator)
    assert operator.get(COMPARE).status_code == 405


def test_services_of_somebody_else_are_shown_with_the_way_to_adopt(operator, applied):
    state = director(eth_vip(), services=[service(), service("10.0.1.77", 22)])
    compare(applied, lb01=state)
    html = text(operator)
    assert "Not ours: made by hand, left alone" in html
    assert (
        reverse("cluster:adoption", args=["lab"]) + "?at=TCP%2010.0.1.77%3A22" in html
    )


def standing(lab):
    return of_cluster(lab.cluster).standing


def test_the_worst_host_is_what_the_cluster_is(applied):
    whole = director(eth_vip(), services=[service()])
    bare = real_server(WEB1)
    compare(applied, lb01=whole)
    assert standing(applied) is Standing.IN_SYNC
    host = applied.hosts["web2"]
    host.trouble = {"kind": "unreachable"}
    host.save()
    Comparison.objects.create(host=host, revision=1)
    assert standing(applied) is Standing.NOT_KNOWN
    compare(applied, web1=bare)
    assert standing(applied) is Standing.DIFFERS
    row = Comparison.objects.get(host=applied.hosts["web1"])
    row.boot_id = "another"
    row.save()
    compare(applied, web1=bare)
    assert standing(applied) is Standing.REBOOTED
    assert of_cluster(applied.cluster).names == "web1"


def test_what_was_compared_long_ago_is_not_known(applied):
    Comparison.objects.update(at=timezone.now() - timedelta(minutes=20))
    assert standing(applied) is Standing.NOT_KNOWN


def test_before_the_first_revision_there_is_no_chip(lab):
    compare(lab, lb01=director(services=[service()]))
    assert standing(lab) is None


PAGES = ["overview", "cluster", "services", "history", "drift", "hosts"]


@pytest.mark.parametrize("name", PAGES)
def test_pages_say_how_it_stands(operator, applied, name):
    args = ["lab"] if name not in ("overview", "hosts") else []
    html = text(operator, reverse(f"cluster:{name}", args=args))
    shows = name not in ("services", "history")
    assert ("1 difference" in html) == shows


@pytest.mark.parametrize("name", ["cluster", "services", "drift"])
def test_a_host_that_started_again_is_one_click_from_its_plan(operator, applied, name):
    Comparison.objects.filter(host=applied.hosts["lb01"]).update(
        rebooted_at=timezone.now()
    )
    html = text(operator, reverse(f"cluster:{name}", args=["lab"]))
    assert "lb01 has started again." in html
    assert "Plan the repair of lb01" in html


def test_the_page_of_a_host_says_it_too(operator, applied):
    html = text(operator, reverse("cluster:host", args=[applied.hosts["lb01"].pk]))
    assert "Against the newest revision" in html
    assert "1 difference" in html


def test_a_page_costs_few_queries(operator, applied, django_assert_max_num_queries):
    with django_assert_max_num_queries(20):
        operator.get(DRIFT)
