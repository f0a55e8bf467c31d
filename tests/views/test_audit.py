"""The audit page: filters, pages, exports, the state of the chain."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from cluster import audit as log
from cluster.audit import Action, Actor, append
from cluster.lvs.words import say
from cluster.models import AuditEvent
from cluster.views import audit
from tests.tampering import without_triggers

pytestmark = pytest.mark.django_db
URL = "/audit/"


@pytest.fixture
def events(db):
    """Three events: li binds on lb01, bo is refused on web1, the system signs off."""
    append(
        Actor("li", "10.0.1.77"),
        Action.OUTCOME,
        say("Bind {vip}", vip="10.0.1.31"),
        cluster="shop",
        host="lb01",
        run=7,
        command="sudo -n ip addr add 10.0.1.31/24 dev eth0 label eth0:1",
        exit_status=0,
        seconds=0.12,
    )
    append(
        Actor("bo"),
        Action.OUTCOME,
        say("Set sysctls"),
        cluster="mail",
        host="web1",
        command="=cmd|' /C calc'!A0",
        output="sudo: a password is required",
        exit_status=1,
    )
    append(Actor(), Action.SIGNED_OUT, say("Signed out"))


def seqs(response):
    return [event.seq for event in response.context["events"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1]),
        ("actor=li", [1]),
        ("host=web1", [2]),
        ("cluster=shop", [1]),
        ("action=outcome", [2, 1]),
        ("run=7", [1]),
        ("q=10.0.1.31", [1]),
        ("q=PASSWORD+sysctls", [2]),
        ("q=password+bind", []),
        ("q=%25", []),
        ("action=outcome&actor=bo&q=sysctls", [2]),
    ],
)
def test_filters_combine(operator, events, query, found):
    assert seqs(operator.get(f"{URL}?{query}")) == found


def test_a_range_of_time(operator, events):
    now = timezone.now()
    before = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    after = (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert seqs(operator.get(f"{URL}?since={before}&until={after}")) == [3, 2, 1]
    assert seqs(operator.get(f"{URL}?since={after}")) == []
    assert seqs(operator.get(f"{URL}?until={before}")) == []


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "action=x", "run=x", "since=2026-02-02&until=2026-01-01"],
)
def test_nonsense_in_a_filter_is_said_and_finds_nothing(operator, events, query):
    response = operator.get(f"{URL}?{query}")
    assert response.status_code == 422
    assert seqs(response) == []
    assert response.context["form"].errors
    text = response.content.decode()
    assert "The filter was not applied" in text
    assert "No event matches" not in text
    # An empty file would say that there was nothing.
    assert "/audit/export." not in text


@pytest.mark.parametrize("query", ["before=x", "after=-1", "before=9" * 30])
def test_nonsense_as_a_place_is_the_newest_page(operator, events, query):
    assert seqs(operator.get(f"{URL}?{query}")) == [3, 2, 1]


def test_pages_do_not_shift_when_events_come(operator, events, monkeypatch):
    monkeypatch.setattr(audit, "PAGE", 2)
    first = operator.get(URL)
    assert (seqs(first), first.context["older"]) == ([3, 2], 2)
    append(Actor(), Action.SIGNED_IN, say("Signed in"))
    second = operator.get(f"{URL}?before=2")
    assert (seqs(second), second.context["newer"]) == ([1], 1)
    assert seqs(operator.get(f"{URL}?after=1")) == [3, 2]
    assert second.context["older"] is None


def test_the_exact_command_and_its_output_are_shown_as_text(operator, events):
    append(Actor(), Action.OUTCOME, say("X"), output="<img src=x onerror=alert(1)>")
    text = operator.get(URL).content.decode()
    assert "sudo -n ip addr add 10.0.1.31/24 dev eth0 label eth0:1" in text
    assert "<img src=x" not in text
    assert reverse("cluster:run", args=[7]) in text


def rows(response):
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_the_same_choice_and_no_formulas(operator, events):
    found = rows(operator.get("/audit/export.csv?host=web1"))
    assert [row["seq"] for row in found] == ["2"]
    assert found[0]["command"] == "'=cmd|' /C calc'!A0"
    assert found[0]["sentence"] == "Set sysctls"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_what_begins_like_a_formula_is_made_harmless(text):
    assert audit.harmless(text) == "'" + text


def test_json_lines_are_enough_to_check_the_chain(operator, events, settings):
    response = operator.get("/audit/export.jsonl")
    lines = b"".join(response.streaming_content).decode().splitlines()
    found = [json.loads(line) for line in lines]
    assert [row["seq"] for row in found] == [1, 2, 3]
    assert found[-1]["mac"] == AuditEvent.objects.get(seq=3).mac
    previous = ""
    for row in found:
        fields = {key: row[key] for key in row if key not in ("said", "mac")}
        event = AuditEvent(**fields | {"at": AuditEvent.objects.get(seq=row["seq"]).at})
        assert log._mac(previous, event) == row["mac"]
        previous = row["mac"]


def test_an_unknown_export_is_404(operator):
    assert operator.get("/audit/export.exe").status_code == 404


def test_verifying_shows_up_to_where(operator, events):
    assert b"not verified yet" in operator.get(URL).content
    response = operator.post("/audit/verify/", {"query": "host=web1"})
    assert response.url == "/audit/?host=web1"
    assert b"verified up to #3" in operator.get(URL).content


def test_a_changed_event_is_named(operator, events):
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE cluster_auditevent SET actor = 'li' WHERE seq = 2")
    operator.post("/audit/verify/")
    text = operator.get(URL).content.decode()
    assert "event #2: changed" in text


def test_a_long_log_is_left_to_the_command(operator, events, monkeypatch):
    monkeypatch.setattr(audit, "VERIFY_IN_PAGE", 2)
    response = operator.post("/audit/verify/", follow=True)
    assert b"manage.py verify_audit" in response.content
    assert cache.get(audit.VERIFIED) is None


@pytest.mark.parametrize("path", [URL, "/audit/export.csv", "/audit/export.jsonl"])
def test_viewers_do_not_see_it(viewer, path):
    assert viewer.get(path).status_code == 403


def test_viewers_do_not_verify(viewer):
    assert viewer.post("/audit/verify/").status_code == 403


def test_it_costs_the_same_for_many_events(
    operator, events, django_assert_max_num_queries
):
    for _ in range(60):
        append(Actor(), Action.SIGNED_IN, say("Signed in"))
    with django_assert_max_num_queries(12):
        operator.get(URL)


def test_the_export_links_follow_the_filter(operator, events):
    """Also after htmx has exchanged the rows only."""
    text = operator.get(f"{URL}?host=web1&before=9").content.decode()
    assert 'href="/audit/export.csv?host=web1"' in text
    assert 'hx-select-oob="#audit-exports,#audit-query,#audit-wrong-q,' in text


def test_what_is_wrong_is_shown_again_with_the_reason_beside_it(operator, events):
    answer = operator.get(f"{URL}?run=abc&since=yesterday&q=web1")
    text = answer.content.decode()
    assert answer.status_code == 422
    for name, value in {"run": "abc", "since": "yesterday"}.items():
        field = re.search(f'<input[^>]*name="{name}"[^>]*>', text)[0]
        assert f'value="{value}"' in field
        assert 'type="text"' in field
        reason = re.search(f'(?s)<div id="audit-wrong-{name}">(.*?)</div>', text)[1]
        assert "Enter a" in reason
    assert 'value="web1"' in text
    # A good moment has the browser's own field.
    text = operator.get(f"{URL}?since=2026-01-02T03:04").content.decode()
    assert 'value="2026-01-02T03:04"' in text
    assert text.count('type="datetime-local"') == 2
