"""Real servers are asked who listens, and the client to test from whether it is there."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cluster.control.observe import Found, needed_on, observe_all, remember
from cluster.lvs import words
from cluster.models import Comparison, Host, Run
from cluster.standing import of_cluster
from tests.build import director
from tests.control.test_comparing import observe, row
from tests.fake_shell import FakeShell
from tests.model_host import ModelHost

RIP_ONLY = "tcp LISTEN 0 511 10.0.1.6:80 0.0.0.0:*\n"


def missing(lab, name="web1"):
    found = lab.host(name).facts["listening"]
    return found and found["missing"]


def test_a_daemon_that_is_gone_is_told_until_it_is_back(applied):
    observe(applied)
    assert missing(applied) == []
    applied.models["web1"].sockets = ""
    observe(applied)
    (line,) = missing(applied)
    assert (line["service"], line["server"]) == ("TCP 10.0.1.31:80", "10.0.1.6:80")
    assert (line["protocol"], line["port"]) == ("TCP", 80)
    applied.models["web1"].sockets = RIP_ONLY
    observe(applied)
    (later,) = missing(applied)
    assert later["since"] == line["since"]
    assert "listens on 10.0.1.6 only" in str(words.from_json(later["told"]))
    assert missing(applied, "web2") == []
    applied.models["web1"].sockets = "tcp LISTEN 0 511 10.0.1.31:80 0.0.0.0:*\n"
    observe(applied)
    assert missing(applied) == []


def test_it_is_no_difference_and_stops_no_run(applied):
    applied.models["web1"].sockets = ""
    observe(applied)
    assert row(applied, "web1").count == 0
    applied.cluster.services.update(scheduler="wlc")
    assert applied.apply().state == Run.State.CONVERGED


def test_of_two_hosts_with_one_address_both_are_asked(lab):
    """One has it as its second address, where the database does not see that."""
    service = lab.want(vip="fd00::31")
    service.servers.filter(host__name="web1").update(address="fd00::6")
    lab.cluster.hosts.filter(name="web1").update(address6="fd00::6")
    lab.cluster.hosts.filter(name="web2").update(address="fd00::6")
    lab.cluster.keep_revision(lab.cluster.wish().as_json(), lab.operator)
    hosts = [lab.host(name) for name in ("web1", "web2")]
    for some in (hosts, hosts[::-1]):
        found = needed_on(some)
        assert [len(found[host.pk]) for host in some] == [1, 1]


def test_it_is_asked_in_the_same_round_trip_of_real_servers_only(applied, monkeypatch):
    together = {}
    run_all = FakeShell.run_all

    def remembering(shell, commands):
        together[shell.name] = [command.line for command in commands]
        return run_all(shell, commands)

    monkeypatch.setattr(FakeShell, "run_all", remembering)
    observe(applied)
    assert "ss -Hltun" in together["web1"]
    assert applied.shells["web1"].lines.count("ss -Hltun") == 1
    assert "ss -Hltun" not in applied.shells["lb01"].lines


@pytest.mark.parametrize("sockets", [None, "ss: unknown"])
def test_a_host_that_cannot_tell_is_read_all_the_same(applied, sockets):
    applied.models["web1"].sockets = sockets
    observe(applied)
    assert missing(applied) is None
    assert applied.host("web1").trouble is None
    assert row(applied, "web1").count == 0


def test_nothing_is_written_when_nothing_moved(applied):
    applied.models["web1"].sockets = ""
    observe(applied)
    before = applied.host("web1")
    observe(applied)
    after = applied.host("web1")
    assert after.facts == before.facts
    assert after.seen_at > before.seen_at


@pytest.fixture
def client(applied):
    applied.models["client"] = ModelHost(director())
    lb01 = applied.host("lb01")
    return applied.cluster.hosts.create(
        name="client",
        role=Host.Role.PROBE,
        address="10.0.1.100",
        ssh_address="10.0.1.100",
        credential=lb01.credential,
        host_key=lb01.host_key,
    )


def test_the_client_to_test_from_is_read_and_not_compared(applied, client):
    observe(applied)
    client.refresh_from_db()
    assert client.seen_at
    found = Comparison.objects.get(host=client)
    assert (found.at, found.count, found.misses) == (None, 0, 0)
    assert "client" not in [one.host.name for one in of_cluster(applied.cluster).hosts]


def test_a_client_that_is_gone_is_in_trouble_until_it_is_back(applied, client):
    applied.cut_off("client")
    observe(applied)
    client.refresh_from_db()
    assert client.trouble["kind"] == "unreachable"
    assert Comparison.objects.get(host=client).misses == 1
    del applied.down["client"]
    observe(applied)
    client.refresh_from_db()
    assert client.trouble is None


def test_reading_more_hosts_takes_no_more_statements(lab, django_assert_num_queries):
    lab.want()
    hosts = [lab.host(name) for name in ("lb01", "web1", "web2")]

    def read(some):
        return observe_all(some, lab.connect, lambda: None)

    read(hosts)
    with CaptureQueriesContext(connection) as few:
        read(hosts[:2])
    with django_assert_num_queries(len(few)):
        seen = read(hosts)
    assert sorted(seen.states) == ["lb01", "web1", "web2"]


def test_a_host_that_was_removed_meanwhile_is_not_written_down_again(lab):
    lab.want()
    stays, goes = lab.host("lb01"), lab.host("web1")
    removed = Host(pk=0, name="web9", cluster=lab.cluster)
    found = Found(lab.models["web1"].state)
    remember([(stays, Found(lab.models["lb01"].state)), (removed, found)])
    assert lab.host("lb01").seen_at
    assert lab.host(goes.name).seen_at is None
    assert not Host.objects.filter(name="web9").exists()
