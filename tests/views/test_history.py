import time

from django.urls import reverse

from cluster.lvs.terms import Scheduler
from cluster.models import AuditEvent, Run, VirtualService
from cluster.views.history import diff
from tests.build import server, service, wish

HISTORY = reverse("cluster:history", args=["lab"])


def load_url(number, slug="lab"):
    return reverse("cluster:revision_load", args=[slug, number])


def two_revisions(lab):
    """r1 wants 10.0.1.31:80; r2 has it with another scheduler and a second one."""
    first = lab.add_service()
    lab.keep_revision()
    VirtualService.objects.filter(pk=first.pk).update(scheduler="wlc")
    lab.add_service("10.0.1.32", 443)
    lab.keep_revision()


def test_an_empty_history_teaches(viewer, lab):
    page = viewer.get(HISTORY).content.decode()
    assert "No revision yet" in page
    assert "No run yet" in page


def test_a_revision_tells_what_it_changed(viewer, lab):
    two_revisions(lab)
    answer = viewer.get(HISTORY)
    newest, oldest = answer.context["revisions"]
    assert [str(edit.sentence) for edit in newest.edits] == [
        "Change TCP 10.0.1.31:80: scheduler round robin → weighted least-connection",
        (
            "Add virtual service TCP 10.0.1.32:443, round robin;"
            " with web1 (10.0.1.6:443, weight 1, Direct routing);"
            " with web2 (10.0.1.9:443, weight 1, Direct routing)"
        ),
    ]
    assert [edit.kind.value for edit in oldest.edits] == ["new"]
    assert load_url(1) not in answer.content.decode()  # a viewer looks


def test_the_rules_are_compared_line_by_line():
    before = wish(service(servers=(server(weight=1),)))
    after = wish(service(servers=(server(weight=2),)))
    assert diff(before, after) == [
        (" ", "# active director lb01"),
        (" ", "-A -t 10.0.1.31:80 -s rr"),
        ("-", "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1"),
        ("+", "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 2"),
    ]
    assert diff(None, wish(director="")) == []


def test_runs_stand_newest_first(viewer, lab, li):
    for state in ("converged", "partial"):
        Run.objects.create(cluster=lab.cluster, state=state, requested_by=li)
    runs = viewer.get(HISTORY).context["runs"]
    assert [run.state for run in runs] == ["partial", "converged"]


def test_many_runs_come_in_pages(viewer, lab, django_assert_max_num_queries):
    Run.objects.bulk_create(Run(cluster=lab.cluster, state="stale") for _ in range(60))
    with django_assert_max_num_queries(22):
        page = viewer.get(HISTORY)
    assert len(page.context["runs"]) == 25
    assert "page=2" in page.content.decode()


def test_a_run_in_progress_is_found_again(viewer, lab):
    run = Run.objects.create(cluster=lab.cluster, state="running")
    page = viewer.get(HISTORY).content.decode()
    assert f"Run {run} is being applied." in page
    assert reverse("cluster:run", args=[run.pk]) in page


def test_an_old_revision_becomes_the_draft_and_is_planned(operator, lab, queued):
    two_revisions(lab)
    lab.add_service("10.0.1.33")
    with queued() as rung:
        answer = operator.post(load_url(1))
    run = Run.objects.get()
    assert answer.url == reverse("cluster:run", args=[run.pk])
    assert rung == [("plan_run", (run.pk,))]
    assert [str(s.at) for s in lab.cluster.wish().table.services] == [
        "TCP 10.0.1.31:80"
    ]
    text = AuditEvent.objects.get(action="changed").text
    assert "Load revision 1 as the draft" in text
    assert "10.0.1.33" in text


def test_loading_the_newest_revision_needs_no_plan(operator, lab, queued):
    two_revisions(lab)
    with queued() as rung:
        answer = operator.post(load_url(2))
    assert answer.url == reverse("cluster:services", args=["lab"])
    assert (rung, Run.objects.exists()) == ([], False)


def test_load_rejects_get_viewers_and_strangers(operator, viewer, lab):
    two_revisions(lab)
    assert operator.get(load_url(1)).status_code == 405
    assert viewer.post(load_url(1)).status_code == 403
    assert operator.post(load_url(9)).status_code == 404
    assert operator.post(load_url(1, "other")).status_code == 404
    assert operator.post(HISTORY).status_code == 405
    assert VirtualService.objects.count() == 2


def revision(client, number, against=None):
    query = {"against": against} if against is not None else {}
    return client.get(reverse("cluster:revision", args=["lab", number]), query)


def test_a_revision_has_a_page_with_its_run_and_who(viewer, lab, li):
    two_revisions(lab)
    row = lab.cluster.revisions.get(number=2)
    row.by = li
    row.save()
    run = Run.objects.create(cluster=lab.cluster, state="converged", revision=row)
    answer = revision(viewer, 2)
    html = answer.content.decode()
    assert "From r1 to r2" in html
    assert reverse("cluster:run", args=[run.pk]) in html
    assert "li.wei" in html
    assert load_url(1) not in html
    assert len(answer.context["revision"].edits) == 2


def test_any_two_revisions_are_compared(operator, lab):
    two_revisions(lab)
    lab.cluster.services.filter(port=443).delete()
    lab.keep_revision()
    answer = revision(operator, 3, against=1)
    assert [str(e.sentence) for e in answer.context["revision"].edits] == [
        "Change TCP 10.0.1.31:80: scheduler round robin → weighted least-connection"
    ]
    back = revision(operator, 1, against=3)
    assert ("+", "-A -t 10.0.1.31:80 -s rr") in back.context["revision"].diff
    assert load_url(1) in back.content.decode()


def test_odd_numbers_fall_back_to_the_revision_before(viewer, lab):
    two_revisions(lab)
    for odd in ("x", "-1", "99", "9" * 30, ""):
        assert revision(viewer, 2, against=odd).status_code == 200
    assert revision(viewer, 1).context["against"] is None
    assert revision(viewer, 9).status_code == 404


def test_a_large_table_is_compared_at_once_and_shown_in_parts():
    many = [service(port=port) for port in range(1, 2001)]
    after = [service(port=p, scheduler=Scheduler.WLC) for p in (7, 1500)]
    changed = {one.at.port: one for one in [*many, *after]}.values()
    began = time.process_time()
    found = diff(wish(*many), wish(*changed))
    assert time.process_time() - began < 2
    assert [line for line in found if line[0] in "+-"] == [
        ("-", "-A -t 10.0.1.31:7 -s rr"),
        ("+", "-A -t 10.0.1.31:7 -s wlc"),
        ("-", "-A -t 10.0.1.31:1500 -s rr"),
        ("+", "-A -t 10.0.1.31:1500 -s wlc"),
    ]
    assert len(found) < 30
