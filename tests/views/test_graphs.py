"""The graphs page: what it says, what it asks for, and that it works without scripts."""

import csv
import io
import json
import re
import time

import pytest
from django.urls import reverse

from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.rates import Rates
from cluster.models import Host, HostEvent, Reading, Run
from cluster.views import graph_data
from cluster.views.graph_data import Chart, Line
from cluster.views.graph_look import GraphLook, written
from cluster.watch import rollup
from cluster.watch.packing import pack
from tests.build import director
from tests.watch.build import KEY, WEB1, WEB2, sample

RATES = Rates(4.0, 24.0, 7.0, 1440.0, 500.0)


@pytest.fixture
def now():
    return time.time()


def keep(host, moments, rates=RATES, **changes):
    rows = []
    for at in moments:
        known = dict.fromkeys(("", KEY, WEB1, WEB2), rates)
        made = sample(at, **{"rates": known} | changes)
        rows.append(Reading(director=host, at=at, data=pack(made)))
    Reading.objects.bulk_create(rows)


def masq(active=2):
    servers = tuple(
        KernelServer(f"10.0.1.{n}:80", "Masq", 1, active, 30) for n in (6, 9)
    )
    return (KernelService(KEY, "rr", False, servers),)


@pytest.fixture
def recorded(lab, now):
    lab.add_service()
    keep(lab.hosts["lb01"], [now - 120 + 2 * n for n in range(60)])
    return lab.hosts["lb01"]


def url(name="graphs", **query):
    address = reverse(f"cluster:{name}", args=["lab"])
    return f"{address}?{'&'.join(f'{k}={v}' for k, v in query.items())}"


def text(client, **query):
    html = client.get(url(**query)).content.decode()
    return re.sub(r"\s+", " ", html)


def data(client, **query):
    return client.get(url("graphs_data", **query)).json()


def known(values):
    return [value for value in values if value is not None]


def test_the_numbers_are_told_in_words_and_in_a_table(recorded, operator):
    html = text(operator, range="5m")
    assert "last 4/s · lowest 4/s · mean 4/s · highest 4/s · steady" in html
    assert "last 3 · lowest 3" in html  # active
    assert "Connections per second" in html
    assert re.search(r'<td class="num">4/s</td>', html)


def test_what_the_director_cannot_see_is_said_and_is_no_zero(recorded, operator):
    html = text(operator, range="5m")
    assert html.count("Replies are not seen by the director") == 2
    lines = data(operator, range="5m")["charts"]["bytes"]["lines"]
    assert [line["label"] for line in lines] == ["in"]


def test_replies_are_drawn_where_they_are_seen(lab, operator, now):
    keep(lab.hosts["lb01"], [now - 20, now - 18], services=masq())
    found = data(operator, range="5m")["charts"]["packets"]["lines"]
    assert [(line["label"], known(line["values"])[0]) for line in found] == [
        ("in", 24.0),
        ("out", 7.0),
    ]
    assert "Not seen" not in text(operator, range="5m")


@pytest.mark.parametrize(
    ("of", "active"),
    [
        ("", 3),
        ("director lb01", 3),
        (KEY, 3),
        ("server 10.0.1.6", 2),
        (WEB2, 1),
    ],
)
def test_each_thing_that_has_history_can_be_chosen(recorded, operator, of, active):
    found = data(operator, range="5m", of=of)
    (line,) = found["charts"]["active"]["lines"]
    assert set(known(line["values"])) == {active}
    assert f'value="{of}" selected' in text(operator, range="5m", of=of)


def test_real_servers_side_by_side(recorded, operator):
    for of, labels in (("", ["web1", "web2"]), (KEY, ["web1:80", "web2:80"])):
        found = data(operator, range="5m", show="stack", of=of)
        lines = found["charts"]["active"]["lines"]
        assert [line["label"] for line in lines] == labels
        assert [known(line["values"])[0] for line in lines] == [2, 1]
        assert found["stacked"]
        assert found["charts"]["out_bytes"]["lines"] == []
    assert "web1:80" in text(operator, range="5m", show="lines", of=KEY)


def test_very_many_real_servers_are_not_a_tangle(lab, operator, now):
    servers = tuple(
        KernelServer(f"10.0.2.{n}:80", "Masq", 1, n, 0) for n in range(1, 15)
    )
    services = (KernelService(KEY, "rr", False, servers),)
    keep(lab.hosts["lb01"], [now - 4], services=services)
    lines = data(operator, range="5m", show="lines")["charts"]["active"]["lines"]
    assert len(lines) == 11
    assert lines[-1]["label"] == "4 others"
    assert known(lines[-1]["values"]) == [1 + 2 + 3 + 4]


def test_a_gap_is_drawn_as_one_and_named(lab, operator, now):
    lb01 = lab.hosts["lb01"]
    start = now // 2 * 2 - 200
    keep(lb01, [start + 2 * n for n in range(100) if not 30 <= n < 60])
    found = data(operator, range="5m")
    assert found["gaps"] == [[start + 60, start + 120]]
    (line,) = found["charts"]["conns"]["lines"]
    inside = [
        value
        for at, value in zip(found["t"], line["values"], strict=True)
        if start + 60 <= at < start + 120
    ]
    assert inside == [None] * 30
    assert "No numbers from lb01 for 1 min" in text(operator, range="5m")


def test_the_silence_of_one_director_is_not_hidden_by_the_other(lab, operator, now):
    start = now // 2 * 2 - 200
    lb02 = lab.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", director())
    heard = [start + 2 * n for n in range(100)]
    keep(lb02, [*heard, time.time()], services=(), rates=None)
    keep(lab.hosts["lb01"], [start + 2 * n for n in range(40)])
    html = text(operator, range="5m")
    assert "No numbers from lb01 for 2 min" in html
    assert "No numbers from lb02" not in html
    found = data(operator, range="5m")
    (line,) = found["charts"]["active"]["lines"]
    assert set(known(line["values"])) == {3}
    events = operator.get(url("graphs_point", range="5m")).json()
    assert [event["event"] for event in events] == ["tick"]


def test_a_service_that_was_out_of_the_table_is_no_silence_of_the_director(
    lab, operator, now
):
    lb01, start = lab.hosts["lb01"], now // 2 * 2 - 60
    for n in range(30):
        keep(lb01, [start + 2 * n], services=masq() if n < 10 or n > 20 else ())
    html = text(operator, range="5m", of=KEY)
    assert "It was not in the table for 22 s." in html
    assert "No numbers from" not in html


def test_what_happened_is_marked_with_words(recorded, lab, operator, now, li):
    when = rollup.datetime.fromtimestamp(now - 60, rollup.UTC)
    run = Run.objects.create(
        cluster=lab.cluster, state="converged", finished_at=when, confirmed_by=li
    )
    HostEvent.objects.create(host=recorded, at=when, kind=HostEvent.Kind.REBOOTED)
    Run.objects.create(cluster=lab.cluster, state="cancelled", finished_at=when)
    marks = data(operator, range="5m")["marks"]
    assert {mark["text"] for mark in marks} == {
        f"Run #{run.pk}: applied and verified · li.wei",
        "lb01 has booted",
    }
    html = text(operator, range="5m")
    assert "lb01 has booted" in html
    assert reverse("cluster:run", args=[run.pk]) in html
    early = written(now - 3600)
    assert data(operator, **{"from": early, "to": written(now - 1800)})["marks"] == []


def test_every_choice_is_a_link(recorded, operator):
    html = text(operator, range="24h", of=KEY, tz="utc")
    links = re.findall(r'href="(\?[^"]*)"', html)
    for wanted in ("range=5m", "range=1y", "show=stack", "from="):
        assert any(wanted in link for link in links), wanted
    assert all("of=TCP" in link for link in links)
    for link in links:
        address = reverse("cluster:graphs", args=["lab"])
        assert operator.get(address + link.replace("&amp;", "&")).status_code == 200


def test_a_free_range_is_kept_in_the_address(recorded, operator, now):
    since, until = written(now - 100), written(now - 50)
    found = data(operator, **{"from": since, "to": until})
    assert found["until"] - found["since"] == pytest.approx(50, abs=1)
    html = text(operator, **{"from": since, "to": until})
    assert "data-live=" not in html
    assert "data-live=" in text(operator, range="5m")
    assert "data-live=" not in text(operator, range="6h")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "yesterday"}, "A time is written like"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "The end is not after"),
        ({"from": "1999-01-01"}, "longer than two years"),
    ],
)
def test_a_range_that_cannot_be_is_explained_beside_the_field(
    recorded, operator, query, said
):
    html = text(operator, **query)
    assert said in html
    assert 'aria-invalid="true"' in html


@pytest.mark.parametrize("range_", ["1h", "6h", "24h", "7d", "30d", "1y"])
def test_no_line_is_longer_than_a_screen(recorded, operator, range_):
    found = data(operator, range=range_)
    assert len(found["t"]) <= 1502
    assert max(known(found["charts"]["conns"]["lines"][0]["values"])) == 4.0


def test_the_points_can_be_taken_along(recorded, operator):
    response = operator.get(url("graphs_csv", range="5m", of=KEY))
    assert "attachment" in response["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(response.getvalue().decode())))
    assert rows[0][:2] == ["time", "Connections per second (/s)"]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert {row[1] for row in rows[1:]} == {"", "4.0"}


def test_empty_states_teach(lab, operator):
    assert "No numbers in this time" in text(operator)
    Host.objects.all().delete()
    assert "No director yet" in text(operator)


def test_the_newest_point_is_that_of_the_page(recorded, lab, operator):
    events = operator.get(url("graphs_point", range="5m", of=KEY)).json()
    point = events[-1]["data"]
    assert point["graph"] == "#graphs"
    assert point["charts"]["conns"] == {"Connections per second": 4.0}
    assert point["charts"]["packets"] == {"in": 24.0, "out": None}
    found = data(operator, range="5m", of=KEY)
    for name, chart in found["charts"].items():
        labels = {line["label"] for line in chart["lines"]}
        assert labels <= point["charts"][name].keys()
    split = operator.get(url("graphs_point", range="5m", show="lines")).json()
    assert split[-1]["data"]["charts"]["active"] == {"web1": 2.0, "web2": 1.0}
    lb02 = lab.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", director())
    keep(lb02, [time.time() - 1])
    both = operator.get(url("graphs_point", range="5m")).json()[-1]["data"]
    assert both["charts"]["active"] == {"Active connections": 6.0}


def test_the_newest_rate_is_not_zero_while_a_busy_director_only_begins_to_count(
    lab, operator
):
    lb02 = lab.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", director())
    still = Rates(0.0, 0.0, 0.0, 0.0, 0.0)
    keep(lab.hosts["lb01"], [time.time() - 1], rates=None)
    keep(lb02, [time.time() - 1], rates=still, services=())
    point = operator.get(url("graphs_point", range="5m")).json()[-1]["data"]
    assert point["charts"]["conns"] == {"Connections per second": None}
    assert point["charts"]["active"] == {"Active connections": 3.0}


def test_old_readings_are_no_news(lab, operator, now):
    keep(lab.hosts["lb01"], [now - 60])
    events = operator.get(url("graphs_point", range="5m")).json()
    assert [event["event"] for event in events] == ["tick"]


def test_the_page_asks_the_same_few_questions_whatever_the_size(
    recorded, lab, operator, django_assert_max_num_queries
):
    for number in range(20):
        lab.add_service(vip=f"10.0.1.{100 + number}")
    with django_assert_max_num_queries(45):
        operator.get(url(range="1h", show="stack"))


@pytest.mark.parametrize(
    "name", ["graphs", "graphs_data", "graphs_csv", "graphs_point"]
)
def test_it_only_reads_and_only_for_people_who_are_in(recorded, operator, client, name):
    assert operator.post(url(name)).status_code == 405
    address = reverse(f"cluster:{name}", args=["nope"])
    assert operator.get(address).status_code == 404
    assert client.get(url(name)).status_code == 302


def test_hostile_words_in_the_address_do_no_harm(recorded, operator):
    for of in ("<script>", "x" * 9000, "server %00", "director '--", "=1+1", "TCP"):
        assert "<script>x" not in text(operator, of=of, show="stack")
        rows = operator.get(url("graphs_csv", of=of)).getvalue().decode()
        assert not rows.startswith("=")
    assert json.dumps(data(operator, range="nope", show="nope"))


def test_moving_keeps_the_length_and_never_reaches_into_the_future(now):
    look = GraphLook(range="1h")
    earlier = look.moved(now, -0.5)
    assert (earlier.since, earlier.until) == (now - 5400, now - 1800)
    later = earlier.moved(now, 2)
    assert later.until == now
    assert later.until - later.since == 3600
    wider = look.moved(now, 0, 2)
    assert wider.until - wider.since == 7200


def test_a_line_that_has_ended_says_nothing_about_now():
    kind = graph_data.KINDS[3]
    out, into = Line("out", [5.0, 5.0, None]), Line("in", [1.0, 1.0, 1.0])
    said = {one["label"]: one for one in Chart(kind, [into, out], False).summaries}
    assert (said["out"]["last"], said["out"]["trend"]) == ("not seen", "")
    assert (said["out"]["high"], said["in"]["last"]) == ("5/s", "1/s")
    assert said["in"]["trend"] == "steady"
    away, there = Line("web1", [4.0, None]), Line("web2", [4.0, 4.0])
    said = {
        one["label"]: one["last"]
        for one in Chart(graph_data.KINDS[1], [away, there], False).summaries
    }
    assert said == {"web1": "not known", "web2": "4"}


def test_a_real_server_of_a_mark_has_no_port():
    names = {"10.0.1.6": "web1"}
    assert graph_data.label_of("10.0.1.6:0", names) == "web1"
    assert graph_data.label_of("10.0.1.7:0", names) == "10.0.1.7"
    assert graph_data.label_of("10.0.1.6:80", names) == "web1:80"
    assert graph_data.label_of("[fd00::7]:0", names) == "fd00::7"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ([], ""),
        ([0, 0], ""),
        ([0] * 9, "nothing moves"),
        ([5] * 9, "steady"),
        ([5, 5, 5, 5, 4, 4], "falling by 20 %"),
        ([5, 5, 5, 5, 7, 7], "rising by 40 %"),
        ([1, 1, 1, 1, 6, 6], "rising to 6 times as much"),
        ([0, 0, 0, 0, 5, 5, 5], "nothing at first, then steady"),
        ([0] * 7 + [4, 4, 4, 4, 2, 2], "nothing at first, then falling by 50 %"),
        ([0] * 7 + [4], "rising from nothing"),
        ([4, 4, 0, 0], "falling by 100 %"),
    ],
)
def test_the_time_before_there_was_anything_is_no_rise(known, words):
    assert graph_data.trend(known) == words
