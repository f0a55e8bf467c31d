"""A run that changes boot files: the old text is read then, and only what differs sent."""

from dataclasses import replace

import pytest

from cluster.lvs import boot_place, facts
from cluster.lvs.change import Phase
from cluster.lvs.command import Command
from cluster.lvs.patch import is_patch
from cluster.models import Run
from cluster.remote.shell import Unreachable

pytestmark = pytest.mark.django_db
TEXT = facts.BOOT_TEXT.command
GONE = b"-d -t 10.0.1.31:80 -r 10.0.1.6:80\n"


def text(lab):
    return lab.models["lb01"].state.boot.text


def written(run):
    """Return what the director was sent for its boot file."""
    (step,) = run.steps.filter(change__phase=int(Phase.PERSIST), host__name="lb01")
    return step.value


def edit(lab, by_hand):
    model = lab.models["lb01"]
    boot = replace(model.state.boot, text=by_hand, digest=boot_place.digest(by_hand))
    model.state = replace(model.state, boot=boot)


def weigh(lab, weight=7):
    lab.cluster.services.get().servers.update(weight=weight)


def test_a_changed_weight_sends_the_lines_that_differ(applied):
    weigh(applied)
    before = text(applied)
    run = applied.apply()
    assert run.state == Run.State.CONVERGED
    sent = written(run).command.stdin.decode()
    assert is_patch(sent)
    assert [line[-3:] for line in sent.splitlines() if line[0] in "+-"] == [
        "w 1",
        "w 1",
        "w 7",
        "w 7",
    ]
    assert text(applied) == before.replace("-w 1", "-w 7")


def test_nobody_asks_for_a_text_that_stays(applied):
    asked = []
    model = applied.models["lb01"]
    applied.models["lb01"] = lambda command: asked.append(command) or model(command)
    run = applied.plan()
    applied.models["lb01"] = model
    assert run.state == Run.State.CONVERGED
    assert asked
    assert TEXT not in asked


def test_a_run_that_is_undone_brings_the_old_text_back(applied):
    weigh(applied)
    before, model, seen = text(applied), applied.models["lb01"], []

    def tampering(command):
        """Take a real server out behind the back of the run, after its last step."""
        answer = model(command)
        if command.argv[0] == "sh" and not seen:
            seen.append(model.state.boot.text)
            model(Command(("ipvsadm", "-R"), GONE, root=True))
        return answer

    run = applied.plan()
    applied.confirm(run)
    applied.models["lb01"] = tampering
    run = applied.attend(run)
    applied.models["lb01"] = model
    assert run.state in (Run.State.RETURNED, Run.State.PARTIAL)
    assert seen != [before]
    assert text(applied) == before
    (undo,) = run.steps.exclude(undoes=None).filter(change__phase=int(Phase.PERSIST))
    assert is_patch(undo.value.command.stdin.decode())


def test_a_file_edited_after_the_plan_makes_it_stale(applied):
    weigh(applied)
    run = applied.plan()
    edit(applied, text(applied) + "echo mine\n")
    applied.confirm(run)
    assert applied.attend(run).state == Run.State.STALE
    assert text(applied).endswith("echo mine\n")


def test_a_file_edited_before_the_plan_is_written_whole_and_its_text_is_lost(applied):
    weigh(applied)
    edit(applied, text(applied) + "echo mine\n")
    run = applied.apply()
    assert run.state == Run.State.CONVERGED
    change = written(run)
    assert not is_patch(change.command.stdin.decode())
    assert "edited by hand" in str(change.undo_note)
    assert "echo mine" not in text(applied)


def test_a_host_that_does_not_give_its_text_away_gets_no_plan(applied):
    weigh(applied)
    model = applied.models["lb01"]

    def deaf(command):
        if command == TEXT:
            raise Unreachable("lb01", "lb01 does not answer.")
        return model(command)

    applied.models["lb01"] = deaf
    run = applied.plan()
    assert run.state == Run.State.REFUSED
    assert [str(s) for s in run.account_sentences] == [
        "lb01 does not answer. Nothing was sent.",
        "No plan was made and nothing was changed.",
    ]
