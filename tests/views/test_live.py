"""The live page: what it says in each situation, and how much it asks of the database."""

import time

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.lvs.settings import SyncDaemon, SyncRole, Timeouts
from cluster.lvs.words import say
from cluster.models import Drain, Host
from cluster.views.live_page import load, regions
from cluster.views.look import Look
from cluster.watch import store
from cluster.watch.seldom import Seldom
from cluster.watch.store import News
from tests.build import director
from tests.watch.build import KEY, sample


@pytest.fixture(autouse=True)
def _empty_store():
    store.client().flushdb()


def show(lab, age=0.0, **changes):
    lb01 = lab.hosts["lb01"]
    news = sample(time.time() - age, **changes)
    store.publish([News(lb01.pk, lab.cluster.pk, news)])


def page(client, query=""):
    return client.get(reverse("cluster:cluster", args=["lab"]) + query)


def text(client, query=""):
    return page(client, query).content.decode()


def test_numbers_of_the_kernel_are_on_the_page(lab, operator):
    lab.add_service()
    show(lab)
    html = text(operator)
    assert "10.0.1.31:80" in html
    assert "4/s" in html
    assert "1.4 kB/s" in html
    assert "not seen" in html  # replies, with direct routing


def test_totals_are_exact_as_ipvsadm_prints_them(lab, operator):
    lab.add_service()
    show(lab, conns=1_234_567)
    html = text(operator, "?numbers=totals")
    for number in ("1,234,567", "7,407,402", "444,444,120"):
        assert number in html


def test_nothing_is_green_before_health_is_checked(lab, operator):
    lab.add_service()
    lab.keep_revision()
    show(lab)
    table = regions(load(lab.cluster), Look())["#live-table"]
    assert "tone-up" not in table


def test_old_numbers_are_not_shown_as_now(lab, operator):
    lab.add_service()
    lab.keep_revision()
    show(lab, age=14)
    html = text(operator)
    assert "No numbers from lb01 for 14 s" in html
    assert "UNKNOWN" in html
    assert "4/s" not in regions(load(lab.cluster), Look())["#live-table"]


def test_a_director_that_cannot_be_reached_is_told_with_its_sentence(lab, operator):
    sentence = say("{host} did not answer.", host="lb01")
    trouble = sentence.as_json() | {
        "kind": "unreachable",
        "advice": say("Look.").as_json(),
    }
    Host.objects.filter(name="lb01").update(trouble=trouble)
    html = text(operator)
    assert "lb01 did not answer." in html
    assert "UNREACHABLE" in html


def test_a_vip_on_two_directors_is_an_alarm(lab, operator):
    lab.add_service()
    lb02 = lab.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", director())
    show(lab)
    assert "more than one director" not in text(operator)
    store.publish([News(lb02.pk, lab.cluster.pk, sample(time.time()))])
    assert "10.0.1.31 is bound on more than one director: lb01, lb02." in text(operator)


def test_empty_states_teach(lab, operator):
    show(lab, services=())
    assert "No virtual service yet" in text(operator)
    Host.objects.all().delete()
    assert "No director yet" in text(operator)


@pytest.mark.parametrize("page", ["", "connections/", "graphs/", "services/"])
def test_who_may_add_a_director_is_led_there(lab, administrator, operator, page):
    lab.cluster.director = None
    lab.cluster.save()
    Host.objects.all().delete()
    url, link = f"/clusters/lab/{page}", 'href="/hosts/new/?cluster=lab"'
    said = administrator.get(url).content.decode()
    assert link in said
    # There is nothing yet that could hold its VIP.
    assert "services/new/" not in said
    assert link not in operator.get(url).content.decode()


def test_the_page_works_without_the_live_cache(lab, operator, settings, tmp_path):
    lab.add_service()
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock?db=0"
    assert "Nothing has come from lb01 yet" in text(operator)


def test_a_long_table_is_folded_until_somebody_opens_it(lab, operator):
    for number in range(40):
        lab.add_service(vip=f"10.0.1.{100 + number}")
    show(lab)
    table = "live-table"
    assert text(operator).count('class="server"') == 0
    opened = text(operator, "?open=TCP+10.0.1.100:80")
    assert opened.count('class="server"') == 2
    everything = text(operator, "?open=all")
    # Forty services with two each, and the one that only the kernel has.
    assert everything.count('class="server"') == 82
    assert table in everything


def test_the_fragment_has_the_parts_that_live_js_puts_in_place(lab, operator):
    lab.add_service()
    show(lab)
    response = operator.get(reverse("cluster:cluster_live", args=["lab"]))
    html = response.content.decode()
    for region in ("live-chips", "live-top", "live-panel", "live-table"):
        assert f'id="{region}"' in html
    assert "<html" not in html


def test_no_style_and_no_script_is_written_into_the_page(lab, operator):
    lab.add_service()
    show(lab)
    html = text(operator)
    assert " style=" not in html
    assert "<script>" not in html


def test_the_picture_is_described_in_a_sentence(lab, operator):
    lab.add_service()
    lab.keep_revision()
    show(lab)
    html = text(operator)
    assert 'role="img"' in html
    assert "Clients reach 10.0.1.31 on lb01, which forwards to web1" in html


@pytest.mark.parametrize("services", [1, 30])
def test_the_fragment_asks_the_same_few_questions_whatever_the_size(
    lab, services, django_assert_num_queries
):
    for number in range(services):
        lab.add_service(vip=f"10.0.1.{100 + number}")
    lab.keep_revision()
    show(lab)
    with django_assert_num_queries(9):
        regions(load(lab.cluster), Look())
    # Nobody has changed anything meanwhile.
    with django_assert_num_queries(3):
        regions(load(lab.cluster), Look())


def test_graph_data_comes_with_words_and_gaps(lab, operator):
    show(lab)
    data = operator.get(reverse("cluster:graph_data", args=["lab"])).json()
    assert [series["label"] for series in data["series"]] == [
        "Connections per second",
        "Active connections",
    ]
    assert all(len(series["values"]) == len(data["t"]) for series in data["series"])


def test_the_graph_of_one_row_has_no_points_before_there_are_readings(lab, operator):
    url = reverse("cluster:graph_data", args=["lab"])
    assert operator.get(url, {"row": KEY}).json()["t"] == []


@pytest.mark.parametrize("name", ["cluster", "cluster_live", "graph_data"])
def test_it_only_reads(lab, operator, name):
    url = reverse(f"cluster:{name}", args=["lab"])
    assert operator.post(url).status_code == 405
    assert operator.get(reverse(f"cluster:{name}", args=["nope"])).status_code == 404


def test_hostile_words_in_the_address_do_no_harm(lab, operator):
    lab.add_service()
    show(lab)
    bad = "?open=" + "x" * 9000 + "&picture=%3Cscript%3E&span=1e9&row=%00%22"
    assert "<script>" not in text(operator, bad)
    fragment = operator.get(reverse("cluster:cluster_live", args=["lab"]) + bad)
    assert "xxx" not in fragment.content.decode()


def test_what_a_director_is_asked_seldom_is_on_the_page(lab, operator):
    lab.add_service()
    daemon = SyncDaemon(SyncRole.MASTER, "eth0", 7)
    limits = {f"{KEY} 10.0.1.6:80": (100, 80)}
    show(lab, seldom=Seldom(limits, Timeouts(900, 120, 300), (daemon,)))
    html = text(operator)
    assert "104 connections in its table" in html
    assert "TCP 900 s, TCP FIN 120 s" in html
    assert "sync master on eth0, ID 7" in html
    assert html.count("at most 100, again at 80") == 1


def test_what_a_director_did_not_say_is_left_out(lab, operator):
    lab.add_service()
    show(lab)
    html = text(operator)
    assert "connections in its table" in html
    assert "sync " not in html
    assert "again at" not in html


def test_a_director_that_is_slow_to_list_its_counters_says_so(lab, operator):
    lab.add_service()
    show(lab, listing=(1.24, 12.0))
    html = text(operator)
    assert "counters of services every 12 s: ipvsadm takes 1.24 s to list them" in html
    show(lab)
    assert "ipvsadm takes" not in text(operator)


@pytest.mark.parametrize(("many", "folded"), [(2, False), (6, True)])
def test_many_drains_are_one_line_that_opens(lab, operator, many, folded):
    show(lab)
    now = timezone.now()
    for n in range(many):
        Drain.objects.create(
            cluster=lab.cluster,
            address=f"10.0.1.{50 + n}",
            name=f"web{n}",
            kept="",
            state="draining" if n else "overdue",
            since=now,
            started_at=now,
            requested_at=now,
        )
    html = text(operator)
    assert ('id="live-drains"' in html) == folded
    assert html.count("drain-line") == many
    if folded:
        assert "6 drains" in html
        states = load(lab.cluster).drain_states
        assert states == [("overdue", "1"), ("draining", "5")]


def test_a_service_that_waits_for_its_run_does_not_make_replies_seen(lab, operator):
    lab.add_service()
    show(lab)
    assert load(lab.cluster).is_blind
    lab.add_service(vip="10.0.1.32")
    assert load(lab.cluster).is_blind
    assert "replies pass by" in text(operator)
