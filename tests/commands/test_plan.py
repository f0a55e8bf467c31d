"""A plan at the shell is the plan of the page: same run, same steps, nothing sent."""

import json

import jsonschema
import pytest

from cluster.lvs.words import say
from cluster.management.output import printable
from cluster.models import AuditEvent, Run
from tests.build import at

State = Run.State


@pytest.fixture
def lab(cluster_of_notes):
    cluster_of_notes.want()
    return cluster_of_notes


def test_a_plan_shows_sentences_commands_and_undo_per_host(lab, run_command):
    done = run_command("plan", "lab")
    run = Run.objects.get()
    assert (done.exit, done.err, run.state) == (2, "", State.PLANNED)
    lines = done.out.splitlines()
    assert lines[0] == (
        f"Plan #{run.pk} for lab ({run.plan_hash[:8]}): {run.steps.count()} commands"
    )
    at_host = lines.index("web1, steps 2-4, 12")
    assert lines[at_host + 1 : at_host + 4] == [
        "    2 ~ Keep web1 silent when the LAN asks who has the VIP",
        (
            "        $ sudo -n sysctl -q -w net.ipv4.conf.all.arp_ignore=1"
            " net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.lo.arp_ignore=1"
            " net.ipv4.conf.lo.arp_announce=2"
        ),
        (
            "        undo: sudo -n sysctl -q -w net.ipv4.conf.all.arp_ignore=0"
            " net.ipv4.conf.all.arp_announce=0 net.ipv4.conf.lo.arp_ignore=0"
            " net.ipv4.conf.lo.arp_announce=0"
        ),
    ]
    assert "        $ sudo -n ipvsadm -R <<'END'" in lines
    assert "        -A -t 10.0.1.31:80 -s rr" in lines
    assert lines[-1] == (
        f"To apply exactly this plan: manage.py apply lab --run {run.pk} --yes"
    )
    assert lab.writes() == []


def test_it_is_asked_for_by_the_account(lab, run_command):
    run_command("plan", "lab")
    assert Run.objects.get().requested_by == lab.operator
    first = AuditEvent.objects.order_by("seq").first()
    assert (first.actor, first.action) == ("li.wei", "planned")
    assert first.address.startswith("shell of ")


def test_the_json_document_has_every_step(lab, run_command):
    done = run_command("plan", "lab", "--json")
    run = Run.objects.get()
    assert done.data["outcome"] == "changes"
    told = done.data["run"]
    assert (told["number"], told["state"]) == (run.pk, "planned")
    assert told["plan_hash"] == run.plan_hash
    rules = next(s for s in told["steps"] if "ipvsadm" in s["command"]["line"])
    assert rules["command"] == {
        "line": "sudo -n ipvsadm -R",
        "stdin": "-A -t 10.0.1.31:80 -s rr\n"
        "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1\n"
        "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1\n",
    }
    assert rules["undo"]["stdin"] == "-D -t 10.0.1.31:80\n"
    jsonschema.validate(
        told["steps"],
        {
            "type": "array",
            "minItems": run.steps.count(),
            "items": {
                "required": [
                    "number",
                    "host",
                    "mark",
                    "sentences",
                    "command",
                    "undo",
                    "undoes",
                    "state",
                    "exit_status",
                    "seconds",
                    "trouble",
                ]
            },
        },
    )


def test_nothing_to_do_is_done(lab, run_command):
    lab.apply()
    done = run_command("plan", "lab", "--json")
    assert (done.exit, done.data["run"]["steps"]) == (0, [])
    assert done.data["run"]["account"] == [
        "Every host is already as wished; there is nothing to send."
    ]


def test_a_plan_that_cannot_be_made_is_refused(lab, run_command, dead):
    dead("web1")
    done = run_command("plan", "lab")
    assert done.exit == 4
    assert "web1 does not answer." in done.out
    assert Run.objects.get().state == State.REFUSED


def test_a_newer_plan_takes_the_place_of_the_older(lab, run_command):
    run_command("plan", "lab")
    run_command("plan", "lab")
    states = Run.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [State.STALE, State.PLANNED]


def test_another_run_in_progress_is_an_error(lab, run_command):
    run = lab.plan()
    lab.confirm(run)
    done = run_command("plan", "lab", "--json")
    assert (done.exit, done.data["messages"]) == (
        1,
        [f"Run #{run.pk} is in progress. Plan again when it has ended."],
    )


def test_reasons_for_a_second_look_are_said(lab, run_command):
    lab.apply()
    lab.cluster.services.all().delete()
    done = run_command("plan", "lab")
    assert f"! {at()} is deleted: connections that it carries are cut off." in done.out
    assert done.out.splitlines()[-1].endswith("--confirm lab")


def test_on_a_terminal_it_is_coloured_and_in_a_pipe_not(lab, run_command, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in run_command("plan", "lab").out
    assert "\x1b[" in run_command("plan", "lab", terminal=True).out


def test_a_host_cannot_steer_the_terminal(lab, run_command, dead):
    dead("web1")
    text = "web1 says \x1b]0;owned\x07\x9b2J."
    lab.down["web1"] = type(lab.down["web1"])("web1", text)
    done = run_command("plan", "lab")
    assert "web1 says \N{REPLACEMENT CHARACTER}]0;owned" in done.out
    assert not {"\x1b", "\x07", "\x9b"} & set(done.out + done.err)
    assert printable(str(say("{a}", a="x\ty\n\r"))) == "x\ty\n\N{REPLACEMENT CHARACTER}"


@pytest.mark.slow
def test_wrong_arguments_end_with_1_in_a_real_process(process_environment):
    import subprocess
    import sys

    def run(*words):
        return subprocess.run(
            [sys.executable, "manage.py", "plan", *words],
            env=process_environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("--colour")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    done = run("nope", "--json")
    assert (done.returncode, json.loads(done.stdout)["exit"]) == (1, 1)
