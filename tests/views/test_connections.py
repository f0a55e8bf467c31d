"""The connections page: what it asks for, and what it says in each situation."""

import html
import time

import pytest
import redis
from django.urls import reverse

from cluster.lvs.connections import Answer, Entry, Filter, Kind
from cluster.lvs.words import say
from cluster.models import Host
from cluster.views import connections as view
from cluster.watch import questions, store
from cluster.watch.questions import Question
from cluster.watch.store import News
from tests.build import director
from tests.watch.build import sample

ENTRY = Entry(
    "TCP", "10.0.1.100:50130", "10.0.1.31:80", "10.0.1.6:80", "ESTABLISHED", 899
)
FOUND = Answer(
    read=3,
    connections=2,
    templates=1,
    counted=2,
    entries=(ENTRY,),
    states=(("ESTABLISHED", 2),),
    services=(("TCP 10.0.1.31:80", 2),),
    servers=(("10.0.1.6:80", 2),),
    clients=(("10.0.1.100", 2),),
)


@pytest.fixture(autouse=True)
def _empty_store():
    store.client().flushdb()


def get(client, query="", name="connections"):
    return client.get(reverse(f"cluster:{name}", args=["lab"]) + query)


def text(client, query="", name="connections"):
    return html.unescape(get(client, query, name).content.decode())


def answer(lab, wanted=None, **changes):
    question = Question(lab.hosts["lb01"].pk, wanted or Filter())
    values = {name: getattr(FOUND, name) for name in Answer.__slots__} | changes
    questions.publish(question, {"found": Answer(**values).as_json()})


def test_looking_asks_the_active_director(lab, viewer):
    assert questions.asked() == []
    page = text(viewer)
    assert "Asking lb01 for its connections" in page
    assert questions.asked() == [Question(lab.hosts["lb01"].pk, Filter())]


def test_an_invalid_search_asks_nothing(lab, viewer):
    page = text(viewer, "?client=10.0.1.0/99&state=")
    assert "no network" in page
    assert "10.0.1.0/99" in page
    assert questions.asked() == []
    assert "data-live" not in page


def test_what_was_found(lab, viewer):
    lab.add_service()
    answer(lab)
    page = text(viewer)
    for words in ("10.0.1.100:50130", "ESTABLISHED", "web1", "14 min 59 s"):
        assert words in page
    assert "Showing 1 of 2 connections" in page
    assert "read on lb01 just now" in page
    assert "capped" not in page


def test_a_click_on_a_name_searches_for_it(lab, viewer):
    answer(lab)
    page = text(viewer, "?asked=1", "connections_now")
    assert '"?state=ESTABLISHED"' in page
    assert '"?service=TCP+10.0.1.31%3A80"' in page
    assert '"?server=10.0.1.6%3A80"' in page
    assert '"?client=10.0.1.100"' in page


def test_the_whole_search_becomes_a_question(lab, viewer):
    query = "?client=10.0.1.0/24&service=TCP+10.0.1.31:80&server=10.0.1.6&state=CLOSE"
    get(viewer, query + "&kind=templates")
    (question,) = questions.asked()
    assert question.filter.as_json() == {
        "kind": "templates",
        "protocol": "tcp",
        "client": "10.0.1.0/24",
        "virtual": "10.0.1.31",
        "virtual_port": 80,
        "server": "10.0.1.6",
        "state": "CLOSE",
    }


def test_another_director_can_be_asked(lab, viewer):
    lb02 = lab.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", director())
    get(viewer, "?director=lb02")
    assert [q.director for q in questions.asked()] == [lb02.pk]


def test_templates_are_apart(lab, viewer):
    one = Entry("TCP", "10.0.1.0:0", "10.0.1.31:443", "10.0.1.6:443", "NONE", 350)
    answer(lab, Filter(kind=Kind.TEMPLATES), entries=(one,))
    page = text(viewer, "?kind=templates")
    assert "Showing 1 of 1 templates" in page
    assert "10.0.1.0:0" not in page


def test_a_capped_reading_says_so(lab, viewer):
    lb01 = lab.hosts["lb01"]
    store.publish([News(lb01.pk, lab.cluster.pk, sample(time.time()))])
    answer(lab, capped=True, read=143_000, connections=143_000, counted=50_000)
    page = text(viewer)
    assert "143,000 entries were looked at" in page
    assert "Its kernel has 104 connections" in page
    assert "of the first 50,000 that match" in page
    assert "fair sample" in page


@pytest.mark.parametrize(
    ("changes", "query", "words"),
    [
        ({"entries": (), "connections": 0}, "", "No client is connected"),
        ({"loaded": False, "entries": ()}, "", "ip_vs is not loaded"),
        ({"capped": True, "entries": ()}, "", "None of those that were read"),
        ({"strange": 2}, "", "2 lines were not understood"),
        ({"over": ("client",)}, "", "Too many to count them all"),
    ],
)
def test_what_is_odd_is_said(lab, viewer, changes, query, words):
    answer(lab, **changes)
    assert words in text(viewer, query)


def test_nothing_matches(lab, viewer):
    answer(lab, Filter(state="CLOSE"), entries=())
    assert "Nothing matches" in text(viewer, "?state=CLOSE")


def test_trouble_is_told_in_its_own_words(lab, viewer):
    question = Question(lab.hosts["lb01"].pk, Filter())
    questions.publish(question, {"trouble": say("lb01 is gone.").as_json()})
    assert "lb01 is gone." in text(viewer)


def test_no_worker_answers(lab, viewer):
    since = f"{time.time() - 40:.0f}"
    page = text(viewer, f"?asked={since}", "connections_now")
    assert "no worker has answered" in page


def test_an_old_answer_is_called_old(lab, viewer, monkeypatch):
    answer(lab)
    monkeypatch.setattr(view, "OLD", -1.0)
    assert "old" in text(viewer, "", "connections_now")


def test_the_cache_is_away(lab, viewer, monkeypatch):
    def gone(question):
        raise redis.ConnectionError

    monkeypatch.setattr(questions, "ask", gone)
    assert "live cache does not answer" in text(viewer)


def test_too_many_look(lab, viewer, monkeypatch):
    monkeypatch.setattr(questions, "MOST", 0)
    assert "Too many people" in text(viewer)


def test_a_cluster_without_a_director(lab, viewer):
    lab.cluster.director = None
    lab.cluster.save()
    lab.hosts["lb01"].delete()
    assert "No director yet" in text(viewer)
    assert questions.asked() == []


def test_rows_of_the_live_table_lead_here(lab, operator):
    lab.add_service()
    lb01 = lab.hosts["lb01"]
    store.publish([News(lb01.pk, lab.cluster.pk, sample(time.time()))])
    page = html.unescape(
        operator.get(reverse("cluster:cluster", args=["lab"])).content.decode()
    )
    base = reverse("cluster:connections", args=["lab"])
    assert f"{base}?service=TCP%2010.0.1.31%3A80" in page
    assert f"{base}?server=10.0.1.6%3A80&service=TCP%2010.0.1.31%3A80" in page
