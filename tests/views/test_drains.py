"""The page of a real server and the page of its drain."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cluster.models import AuditEvent, Drain, RealServer, Run
from tests.build import WEB1

PAGE = f"/clusters/lab/servers/{WEB1}/"
DRAIN = f"{PAGE}drain/"
WEIGHTS = f"{PAGE}weights/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def served(lab):
    service = lab.add_service()
    lab.keep_revision()
    return service


def fields(**more):
    return {
        "services": ["TCP 10.0.1.31:80"],
        "deadline": "10",
        "floor": "50",
        "slow_start": "0",
        "at_deadline": "ask",
        "afterwards": "out",
    } | more


@pytest.fixture
def draining(lab, served, li):
    now = timezone.now()
    return Drain.objects.create(
        cluster=lab.cluster,
        address=WEB1,
        name="web1",
        kept="-A -t 10.0.1.31:80 -s rr\n-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1\n",
        state="draining",
        since=now,
        started_at=now,
        deadline=now + timedelta(minutes=10),
        requested_by=li,
        requested_at=now,
        seen={
            "at": now.isoformat(),
            "known": True,
            "total": 3,
            "most": 4,
            "left": [["TCP 10.0.1.31:80", 3, 0]],
            "keep_coming": [],
        },
    )


def text(answer):
    return answer.content.decode()


def test_the_page_says_what_would_stay(operator, served):
    page = text(operator.get(PAGE))
    assert "1 (50 %)" in page
    assert "Drain web1" in page
    assert "Weight 0 in every chosen service" in page


def test_a_viewer_sees_it_and_has_no_button(viewer, served, draining):
    draining.delete()
    page = text(viewer.get(PAGE))
    assert "An operator can drain it." in page
    assert 'type="submit" class="btn btn-primary"' not in page


def test_a_slow_start_says_how_far_it_is(operator, draining):
    Drain.objects.update(state="raising", stairs=5, level=2, slow_start=300)
    page = text(operator.get(f"/drains/{draining.pk}/"))
    assert "40 % of its weight" in page
    assert "Who is left" not in page
    assert "Watch or bring back" not in text(operator.get("/clusters/lab/"))


@pytest.mark.parametrize("url", [DRAIN, WEIGHTS])
def test_a_viewer_may_not(viewer, served, url):
    assert viewer.post(url, fields()).status_code == 403
    assert not Drain.objects.exists()


@pytest.mark.parametrize("address", ["10.0.1.99", "web1", "10.0.1"])
def test_an_unknown_server_is_not_found(operator, served, address):
    assert operator.get(f"/clusters/lab/servers/{address}/").status_code == 404


def test_one_click_drains(operator, served, queued):
    with queued() as rung:
        answer = operator.post(DRAIN, fields())
    drain = Drain.objects.get()
    assert answer.url == f"/drains/{drain.pk}/"
    assert rung == [("advance_drain", (drain.pk,))]
    assert (drain.patience, drain.floor, drain.cut, drain.take_out) == (
        600,
        50,
        False,
        True,
    )
    event = AuditEvent.objects.first()
    assert event.actor == "li.wei"
    assert "Drain web1 in TCP 10.0.1.31:80" in event.text


def test_the_choices_are_kept(operator, served, queued):
    choices = fields(deadline="2", at_deadline="cut", afterwards="stay", slow_start="5")
    with queued():
        operator.post(DRAIN, choices)
    drain = Drain.objects.get()
    assert (drain.patience, drain.cut, drain.take_out) == (120, True, False)
    assert drain.slow_start == 300


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("deadline", "-1", "greater than or equal to 0"),
        ("deadline", "soon", "Enter a whole number"),
        ("floor", "101", "less than or equal to 100"),
        ("services", "TCP 10.0.1.99:80", "not one of the available choices"),
        ("at_deadline", "maybe", "not one of the available choices"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(operator, served, field, value, said):
    answer = operator.post(DRAIN, fields(**{field: value, "slow_start": "7"}))
    assert answer.status_code == 422
    assert said in text(answer)
    assert 'value="7"' in text(answer), "what was typed is still there"
    assert not Drain.objects.exists()


def test_below_the_floor_is_refused_with_the_reason(operator, served):
    answer = operator.post(DRAIN, fields(floor="80"))
    assert answer.status_code == 422
    assert "its floor is 80 %" in text(answer)
    assert not Drain.objects.exists()


def test_the_last_one_is_refused(operator, lab):
    lab.add_service(servers=("web1",))
    lab.keep_revision()
    answer = operator.post(DRAIN, fields(floor="0"))
    assert answer.status_code == 422
    assert "no real server left that takes new connections" in text(answer)


def test_persistent_clients_are_told_of(operator, lab):
    lab.add_service(persistence=300)
    lab.keep_revision()
    page = text(operator.get(PAGE))
    assert "clients that were here before keep coming at weight 0" in page
    assert "expire_quiescent_template=1" in page


def test_the_drain_counts_down(viewer, draining):
    page = text(viewer.get(f"/drains/{draining.pk}/"))
    assert "3 left" in page
    assert "to the deadline" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Bring back" not in page, "a viewer cannot"


def test_polling_ends_with_the_drain(viewer, draining):
    url = f"/drains/{draining.pk}/now/"
    assert viewer.get(url).status_code == 200
    Drain.objects.update(state="restored")
    assert viewer.get(url).status_code == 286


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("waiting", {"BACK"}),
        ("draining", {"BACK", "CUT", "LONGER"}),
        ("overdue", {"BACK", "CUT", "LONGER"}),
        ("out", {"BACK", "LEAVE"}),
        ("paused", {"BACK", "ON", "LEAVE"}),
        ("raising", set()),
        ("restored", set()),
    ],
)
def test_only_what_has_a_meaning_is_offered(operator, draining, state, offered):
    interrupted = "quiescing" if state == "paused" else ""
    Drain.objects.update(state=state, interrupted=interrupted)
    page = text(operator.get(f"/drains/{draining.pk}/"))
    names = {"BACK", "CUT", "LONGER", "LEAVE", "ON"}
    assert {name for name in names if f'value="{name}"' in page} == offered


def test_bring_back(operator, draining, queued):
    with queued() as rung:
        answer = operator.post(f"/drains/{draining.pk}/tell/", {"say": "BACK"})
    assert answer.url == f"/drains/{draining.pk}/"
    draining.refresh_from_db()
    assert draining.state == "raising"
    assert rung == [("advance_drain", (draining.pk,))]
    assert AuditEvent.objects.first().text.startswith("Bring web1 back")


def test_more_time(operator, draining):
    tell = f"/drains/{draining.pk}/tell/"
    operator.post(tell, {"say": "LONGER", "minutes": "30"})
    before = draining.deadline
    draining.refresh_from_db()
    assert draining.deadline > before + timedelta(minutes=19)
    wrong = operator.post(tell, {"say": "LONGER", "minutes": "0"})
    assert wrong.status_code == 422
    assert "greater than or equal to 1" in text(wrong)


def test_what_is_too_late_is_said_and_does_nothing(operator, draining):
    Drain.objects.update(state="restored")
    answer = operator.post(f"/drains/{draining.pk}/tell/", {"say": "CUT"}, follow=True)
    assert "has gone on meanwhile" in text(answer)
    draining.refresh_from_db()
    assert draining.state == "restored"


@pytest.mark.parametrize("word", ["", "EMPTY", "APPLIED", "x"])
def test_nobody_says_what_only_the_machine_finds_out(operator, draining, word):
    answer = operator.post(f"/drains/{draining.pk}/tell/", {"say": word})
    assert answer.status_code == 404


def test_a_viewer_says_nothing(viewer, draining):
    answer = viewer.post(f"/drains/{draining.pk}/tell/", {"say": "BACK"})
    assert answer.status_code == 403


def test_the_cluster_the_history_and_the_server_show_it(viewer, draining):
    for url in ("/clusters/lab/", "/clusters/lab/history/", PAGE):
        assert f"/drains/{draining.pk}/" in text(viewer.get(url))
    assert "3 left" in text(viewer.get("/clusters/lab/live/"))


def test_a_weight_is_a_change_to_review(operator, served, queued):
    row = RealServer.objects.get(address=WEB1)
    fields = {f"row-{row.pk}-weight": "5", f"row-{row.pk}-enabled": "on"}
    with queued() as rung:
        answer = operator.post(WEIGHTS, fields)
    run = Run.objects.get()
    assert answer.url == f"/runs/{run.pk}/"
    assert rung == [("plan_run", (run.pk,))]
    row.refresh_from_db()
    assert row.weight == 5
    logged = AuditEvent.objects.filter(action="changed").first()
    assert "weight of web1 1 → 5" in logged.text


def test_switched_off_it_leaves_the_wish_and_is_not_deleted(operator, served, lab):
    row = RealServer.objects.get(address=WEB1)
    operator.post(WEIGHTS, {f"row-{row.pk}-weight": "1"})
    row.refresh_from_db()
    assert row.enabled is False
    (service,) = lab.cluster.wish().table.services
    assert len(service.servers) == 1


def test_a_wrong_weight_stands_beside_its_field(operator, served):
    row = RealServer.objects.get(address=WEB1)
    answer = operator.post(WEIGHTS, {f"row-{row.pk}-weight": "65536"})
    assert answer.status_code == 422
    assert "0 to 65535 are possible" in text(answer)
    row.refresh_from_db()
    assert row.weight == 1
