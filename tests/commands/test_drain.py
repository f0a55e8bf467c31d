"""``manage.py drain`` and ``restore``, against hosts in memory."""

import pytest
from django.core.management import CommandError

from cluster.models import Drain
from tests.build import WEB1


@pytest.fixture
def serving(cluster_of_notes):
    cluster_of_notes.want()
    cluster_of_notes.apply()
    return cluster_of_notes


def test_out_and_back(run_command, serving):
    ended = run_command("drain", "lab", "web1", "--yes", "--wait")
    assert ended.exit == 0
    assert "TCP 10.0.1.31:80 keeps 1 of 2 weight (50 %)" in ended.out
    assert "web1 is out" in ended.out
    back = run_command("restore", "lab", WEB1, "--wait")
    assert back.exit == 0
    assert "web1 is back with its old weight" in back.out
    assert Drain.objects.get().state == "restored"


def test_json_is_one_document(run_command, serving):
    ended = run_command("drain", "lab", "web1", "--yes", "--wait", "--json")
    drain = ended.data["drain"]
    assert (drain["server"], drain["state"], drain["floor"]) == ("web1", "out", 50)
    assert drain["services"] == [
        {"service": "TCP 10.0.1.31:80", "weight": "1", "active": 0, "templates": 0}
    ]
    assert drain["account"][-1] == "web1 is out"


def test_without_wait_it_ends_at_weight_0(run_command, serving):
    serving.models["lb01"].connections[f"{WEB1}:80"] = (0, 2)
    ended = run_command("drain", "lab", "web1", "--yes", "--deadline", "1h", "--json")
    assert ended.exit == 0
    drain = ended.data["drain"]
    assert drain["state"] == "draining"
    assert drain["services"][0]["active"] == 2
    assert run_command("restore", "lab", "web1").exit == 0


@pytest.mark.parametrize(("choice", "code"), [("ask", 5), ("cut", 0)])
def test_the_deadline(run_command, serving, choice, code):
    serving.models["lb01"].connections[f"{WEB1}:80"] = (0, 2)
    words = ("--yes", "--wait", "--deadline", "0s", "--at-deadline", choice)
    ended = run_command("drain", "lab", "web1", *words, "--json")
    assert ended.exit == code
    assert ended.data["drain"]["state"] == ("overdue" if code else "out")


REFUSED = [
    (["web1", "--floor", "80", "--yes"], 4, "its floor is 80 %"),
    (["web9", "--yes"], 1, "There are: web1, web2."),
    (["web1"], 5, "Nothing was sent"),
    (["web1", "--service", "10.0.1.99:80"], 1, "is not one of: TCP 10.0.1.31:80"),
]


@pytest.mark.parametrize(("words", "code", "said"), REFUSED)
def test_the_exit_code_says_what_happened(run_command, serving, words, code, said):
    before = serving.writes()
    ended = run_command("drain", "lab", *words)
    assert ended.exit == code
    assert said in ended.err
    assert serving.writes() == before
    assert not Drain.objects.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--deadline", "soon"], "write 90s, 10m or 1h"),
        (["--floor", "101"], "0 to 100"),
    ],
)
def test_wrong_arguments_are_refused(run_command, serving, words, said):
    with pytest.raises(CommandError, match=said):
        run_command("drain", "lab", "web1", *words)


def test_the_last_one_stays(run_command, serving):
    run_command("drain", "lab", "web1", "--yes", "--wait")
    ended = run_command("drain", "lab", "web2", "--yes", "--floor", "0")
    assert ended.exit == 4
    assert "no real server left" in ended.err


def test_a_plan_with_more_in_it_ends_with_5(run_command, serving):
    serving.models["web2"].reboot()
    ended = run_command("drain", "lab", "web1", "--yes", "--wait")
    assert ended.exit == 5
    assert "has more in it than web1" in ended.out


def test_who_is_not_drained_cannot_be_brought_back(run_command, serving):
    ended = run_command("restore", "lab", "web1")
    assert ended.exit == 1
    assert "is not drained" in ended.err


def test_a_terminal_sees_the_progress(run_command, serving):
    ended = run_command("drain", "lab", "web1", "--yes", "--wait", terminal=True)
    assert ended.exit == 0
    assert "web1 is out" in ended.out
