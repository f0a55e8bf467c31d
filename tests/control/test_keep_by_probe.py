"""A run that the probe host keeps, because clients reach every service."""

import pytest

from cluster.models import AuditEvent, Run
from tests.control.test_keeping import SECONDS, as_json, begin, time_passes, told
from tests.fake_shell import FakeShell

State = Run.State


class Client:
    """The client host: *reached* are the URLs that a connection stands to."""

    def __init__(self, lab):
        self.asked, self.reached = [], {"http://10.0.1.31:80/"}
        row = lab.host("web1")
        row.pk, row.name, row.role, row.address = None, "client", "probe", "10.0.1.100"
        row.ssh_address = row.address
        row.save(force_insert=True)
        self.down = lab.down
        self.others, lab.connect = lab.connect, self.connect

    def connect(self, host):
        if host.name == "client" and "client" not in self.down:
            return FakeShell("client", self.answer)
        return self.others(host)

    def answer(self, command):
        assert command.argv[0] == "curl"
        self.asked.append(command.argv[-1])
        return "0.004212" if command.argv[-1] in self.reached else "0.000000"


@pytest.fixture
def lab(lab):
    lab.cluster.confirm_seconds, lab.cluster.keep_by_probe = SECONDS, True
    lab.cluster.save()
    return lab


@pytest.fixture
def client(lab):
    return Client(lab)


def next_look(lab, run):
    """Let a worker look again, as it does every few seconds."""
    Run.objects.filter(pk=run.pk).update(pause_until=None)
    return lab.attend(run)


def test_the_run_is_kept_once_the_client_reaches_every_tcp_service(lab, client):
    lab.want(port=443)
    client.reached.clear()
    run, _before = begin(lab)
    assert next_look(lab, run).state == State.CONFIRMING
    client.reached.add("http://10.0.1.31:80/")
    assert next_look(lab, run).state == State.CONFIRMING, "one of two is not enough"
    client.reached.add("http://10.0.1.31:443/")
    assert next_look(lab, run).state == State.CONVERGED, told(run)
    assert run.kept_by is None
    assert "client reached every TCP service." in told(run)
    kept = AuditEvent.objects.get(sentence__msgid="Keep run {run}")
    assert kept.actor == "system"
    for model in lab.models.values():
        model.lapse()
    assert lab.plan().state == State.CONVERGED, "no timer undid anything"


def test_what_the_client_never_reaches_returns(lab, client):
    client.reached.clear()
    run, before = begin(lab)
    assert next_look(lab, run).state == State.CONFIRMING
    time_passes(lab, run)
    assert as_json(lab) == before
    assert next_look(lab, run).state == State.RETURNED, told(run)


def test_a_client_that_does_not_answer_keeps_nothing(lab, client):
    run, before = begin(lab)
    assert run.pause_until is None, "the probe host is asked soon"
    lab.cut_off("client")
    assert next_look(lab, run).state == State.CONFIRMING
    time_passes(lab, run)
    assert next_look(lab, run).state == State.RETURNED
    assert as_json(lab) == before


def test_the_client_is_not_asked_unless_the_cluster_says_so(lab, client):
    lab.cluster.keep_by_probe = False
    lab.cluster.save()
    run, _before = begin(lab)
    assert next_look(lab, run).state == State.CONFIRMING
    assert client.asked == []


def test_clients_are_served_but_a_host_cannot_be_told_to_keep_it(lab, client):
    """The change has cut the dashboard off, and clients do not notice."""
    run, before = begin(lab)
    lab.cut_off("lb01")
    assert next_look(lab, run).state == State.RETURNING
    assert "could not be told" in told(run)
    time_passes(lab, run)
    lab.down.clear()
    assert next_look(lab, run).state == State.RETURNED, told(run)
    assert as_json(lab) == before
