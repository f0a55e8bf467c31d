"""Connections are read while somebody asks, over the stream's own connection."""

import time
from dataclasses import replace

import pytest

from cluster.lvs import connections
from cluster.lvs.connections import Filter, parse
from cluster.lvs.frame import watch_command
from cluster.watch import lookout, questions, store
from cluster.watch.questions import Question
from tests.lvs.test_connections import TABLE
from tests.watch.test_watcher import eventually, sample_of, start

__all__ = ["start"]


@pytest.fixture(autouse=True)
def _empty_store():
    store.client().flushdb()


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The file that stands for the kernel's table, and the commands that read it."""
    file = tmp_path / "ip_vs_conn"
    file.write_text(TABLE)
    real, sent = connections.question, []

    def asked(wanted):
        sent.append(wanted)
        return real(wanted, str(file))

    monkeypatch.setattr(connections, "question", asked)
    monkeypatch.setattr(lookout, "PAUSE", 0.2)
    return file, sent


def test_an_entry_ends_by_itself(monkeypatch):
    one = Question(1, Filter(state="UDP"))
    monkeypatch.setattr(questions, "LEASE", 0.1)
    assert questions.ask(one)
    assert questions.asked() == [one]
    time.sleep(0.15)
    assert questions.asked() == []


def test_too_many_at_once_are_refused_but_not_those_who_look_already(monkeypatch):
    monkeypatch.setattr(questions, "MOST", 2)
    one, two, three = (Question(pk, Filter()) for pk in (1, 2, 3))
    assert questions.ask(one)
    assert questions.ask(two)
    assert not questions.ask(three)
    assert questions.ask(one)


def test_what_another_version_asks_is_forgotten():
    store.client().zadd("watch:asked", {'{"director": 1, "filter": {"x": 1}}': 2e10})
    assert questions.asked() == []
    assert store.client().zcard("watch:asked") == 0


@pytest.mark.slow
def test_asked_answered_and_left_alone_again(start, make_director, table, monkeypatch):
    file, sent = table
    lb01 = make_director()
    start()
    eventually(lambda: sample_of(lb01))
    time.sleep(1.0)
    assert sent == []  # nobody looks
    monkeypatch.setattr(questions, "LEASE", 2.0)
    question = Question(lb01.pk, Filter(state="FIN_WAIT"))

    def client():
        """Look, as a page does every 2 s, and return who is at the top."""
        questions.ask(question)
        told = questions.answer(question)
        return told and told["found"]["entries"][0]["client"]

    assert eventually(client, 30) == "10.0.1.101:3602"
    # As long as somebody looks, what is new is told.
    file.write_text(TABLE.replace("0E12", "0E13"))
    eventually(lambda: client() == "10.0.1.101:3603", 30)
    eventually(lambda: not questions.asked())
    time.sleep(0.7)
    before = len(sent)
    time.sleep(1.5)
    assert len(sent) == before


@pytest.mark.slow
def test_a_director_without_a_connection_says_why(start, make_director):
    lb01 = make_director(ssh_port=1)
    start()
    question = Question(lb01.pk, Filter())
    questions.ask(question)
    found = eventually(lambda: questions.ask(question) and questions.answer(question))
    assert "lb01" in str(found["trouble"])


@pytest.mark.slow
def test_an_answer_that_makes_no_sense_is_told(start, make_director, monkeypatch):
    broken = replace(watch_command(), stdin=b"echo nonsense; echo no awk >&2")
    monkeypatch.setattr(connections, "question", lambda wanted: broken)
    lb01 = make_director()
    start()
    question = Question(lb01.pk, Filter())
    found = eventually(lambda: questions.ask(question) and questions.answer(question))
    while "not connected" in str(found["trouble"]):
        time.sleep(0.5)
        questions.ask(question)
        found = questions.answer(question)
    assert "did not answer as expected" in str(found["trouble"])
    assert "no awk" in str(found["trouble"])


def test_an_answer_is_small():
    """What is stored and sent to pages: far less than a table of a million."""
    line = "TCP 0A000164 C3D2 0A00011F 0050 0A000106 0050 ESTABLISHED     899\n"
    text = line * connections.LINES + "#end 0 1000000 1000000 0 50000 0\n"
    question = Question(1, Filter())
    questions.publish(question, {"found": parse(text).as_json()})
    size = store.client().strlen(question.key)
    assert size < 64_000
