"""A run on its page, in every state: planned, watched, told to its end."""

import re
from dataclasses import replace

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.lvs.words import say
from cluster.models import Step, VirtualService
from tests.views.runs import REVIEW, State, make_run, page_of, run, shown

__all__ = ["make_run", "run"]


@pytest.fixture
def long_run(run):
    """A run with a step of 11,000 rules."""
    step = next(s for s in run.steps.all() if s.value.command.stdin)
    rules = [
        f"-a -t 10.0.1.31:80 -r 10.9.{n // 250}.{n % 250}:80" for n in range(11000)
    ]
    said = [say("Add {n}", n=n) for n in range(501)]
    change = step.value
    command = replace(change.command, stdin="\n".join(rules).encode())
    whole = replace(change, command=command, undo=command, sentences=tuple(said))
    Step.objects.filter(pk=step.pk).update(change=whole.as_json())
    return run


def test_a_long_command_is_folded_with_a_way_to_all_of_it(operator, long_run):
    page = shown(operator, long_run)
    assert "-r 10.9.0.39:80" in page
    assert "-r 10.9.0.40:80" not in page
    assert "10,960 more rules are not shown here." in page
    assert "489 more sentences" in page
    assert len(page) < 300_000
    way = re.search(r'href="([^"]+)">Show all 11,000<', page)
    whole = operator.get(way[1])
    assert whole["Content-Type"] == "text/plain; charset=utf-8"
    text = whole.content.decode()
    assert "-r 10.9.0.40:80" in text
    assert text.count("-r 10.9.43.249:80") == 2  # in the command and in its undo


def test_a_long_plan_is_loaded_instead_of_copied(operator, long_run, viewer):
    url = page_of(long_run, "run_shell")
    assert url in shown(operator, long_run)
    text = viewer.get(url).content.decode()
    assert "sudo -n ipvsadm -R <<'END'\n-a -t 10.0.1.31:80 -r 10.9.0.0:80\n" in text


def test_a_step_of_another_run_is_not_found(operator, run):
    url = reverse("cluster:run_step", args=[run.pk, 99])
    assert operator.get(url).status_code == 404


def test_a_plan_shows_every_command_with_its_undo(operator, run):
    page = shown(operator, run)
    for text in (
        "sudo -n arping -D -c 2 -w 3 -I eth0 10.0.1.31",
        "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1",
        "sudo -n ip addr del 10.0.1.31/24 dev eth0 label eth0:1",
        "nothing to undo",
        "Bind 10.0.1.31 to lo, so that web1 accepts packets for it",
        "Apply to 3 hosts",
        run.plan_hash,
    ):
        assert text in page
    tallies = operator.get(page_of(run)).context["tallies"]
    assert (tallies["services"].added, tallies["servers"].added) == (1, 2)
    assert tallies["vips"].added == 1


def test_steps_are_grouped_by_host_with_their_place_in_the_run(operator, run):
    hosts = operator.get(page_of(run)).context["hosts"]
    assert [(group.host.name, group.numbers) for group in hosts] == [
        ("lb01", "1, 8-10"),
        ("web1", "2-4"),
        ("web2", "5-7"),
    ]


def test_a_deleted_service_is_counted_with_its_servers(operator, lab, run):
    step = run.steps.get(position=8)
    change = step.change
    change["command"]["stdin"], change["phase"] = "-D -t 10.0.1.31:80\n", 6
    change["undo"]["stdin"] = (
        "-A -t 10.0.1.31:80 -s rr\n-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1\n"
    )
    step.save()
    tallies = operator.get(page_of(run)).context["tallies"]
    assert (tallies["services"].deleted, tallies["servers"].deleted) == (1, 1)


def test_a_viewer_sees_the_plan_and_no_button(viewer, run):
    page = shown(viewer, run)
    assert "sudo -n ip addr add" in page
    assert page_of(run, "run_confirm") not in page
    assert page_of(run, "run_cancel") not in page
    assert REVIEW not in page


def test_a_newer_wish_is_told_beside_the_plan(operator, run):
    assert "The wish was changed after this plan" not in shown(operator, run)
    VirtualService.objects.update(scheduler="sh")
    assert "The wish was changed after this plan" in shown(operator, run)


STATES = [
    ("planning", "Asking the hosts what they have", True),
    ("planned", "Apply to 3 hosts", False),
    ("queued", "Waiting for a worker", True),
    ("running", "You may close this page", True),
    ("verifying", "Reading every host again", True),
    ("confirming", "Applied. Keep it?", True),
    ("returning", "You may close this page", True),
    ("converged", "Applied and verified", False),
    ("returned", "everything is as it was before", False),
    ("partial", "not everything could be taken back", False),
    ("stale", "This plan is out of date. Nothing was sent.", False),
    ("refused", "No plan could be made. Nothing was sent.", False),
    ("cancelled", "Cancelled. Nothing was sent.", False),
]


@pytest.mark.parametrize(("state", "words", "polls"), STATES)
def test_every_state_has_its_words_and_stops_polling_in_time(
    operator, make_run, state, words, polls
):
    run = make_run(state)
    for name in ("run", "run_fragment"):
        page = shown(operator, run, name)
        assert words in page
        assert ('hx-trigger="every 1s"' in page) is polls
    status = operator.get(page_of(run, "run_fragment")).status_code
    assert status == (200 if polls else 286)


def test_every_state_of_a_run_is_tried_above():
    assert {state for state, _words, _polls in STATES} == set(State.values)


def test_the_fragment_is_no_page_and_brings_the_head_along(operator, run):
    page = shown(operator, run, "run_fragment")
    assert "<html" not in page
    for part in ("run-heading", "run-chips", "run-actions"):
        assert f'id="{part}"' in page


def test_every_step_that_is_under_way_is_named(operator, make_run):
    run = make_run(State.RUNNING, started_at=timezone.now())
    run.steps.update(state="sent", sent_at=timezone.now())
    page = shown(operator, run)
    assert all(f"Step {n} on" in page for n in (1, 2, 5))
    assert "Step 6 on" not in page
    assert "10 steps are under way." in page


def test_a_running_run_shows_its_steps_and_the_current_one(operator, make_run):
    run = make_run(State.RUNNING, started_at=timezone.now())
    run.steps.filter(position=1).update(
        state="done", exit_status=0, output="Received 0 response(s)"
    )
    run.steps.filter(position=2).update(state="sent", sent_at=timezone.now())
    page = shown(operator, run)
    assert "Step 2 on web1" in page
    assert "1 of 10" in page
    assert "Received 0 response(s)" in page


def test_the_end_tells_what_was_done_and_what_failed(operator, make_run):
    run = make_run(State.PARTIAL)
    run.tell([say("{host} does not answer.", host="web2")])
    run.save()
    failed = run.steps.get(position=5)
    failed.state, failed.trouble = "unknown", say("The line went dead.").as_json()
    failed.save()
    run.steps.filter(position__lt=5).update(state="undone")
    run.steps.filter(position__gt=5).update(state="skipped")
    Step.objects.create(
        run=run,
        position=11,
        host=failed.host,
        undoes=failed,
        change=failed.change,
        state="failed",
    )
    answer = operator.get(page_of(run))
    page = " ".join(answer.content.decode().split())
    assert answer.context["groups"] == [("unknown", 1), ("skipped", 5), ("undone", 4)]
    for words in (
        "web2 does not answer.",
        "The line went dead.",
        "Taking back on web2",
        f'href="#step-{failed.pk}"',
        "Plan again",
    ):
        assert words in page


def test_polling_costs_few_queries(operator, make_run, django_assert_max_num_queries):
    run = make_run(State.RUNNING, started_at=timezone.now())
    with django_assert_max_num_queries(6):
        operator.get(page_of(run, "run_fragment"))


def test_what_hosts_print_is_escaped(operator, make_run):
    run = make_run(State.RUNNING)
    run.steps.filter(position=1).update(
        state="failed", exit_status=1, output="<script>alert(1)</script>"
    )
    assert "<script>alert" not in operator.get(page_of(run)).content.decode()


def test_pages_reject_post_and_unknown_runs(operator, run):
    for name in ("run", "run_fragment", "run_output"):
        assert operator.post(page_of(run, name)).status_code == 405
        assert operator.get(reverse(f"cluster:{name}", args=[999])).status_code == 404


# -- confirm --
