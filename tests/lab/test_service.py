"""The main job on real kernels: a service in the form becomes balanced connections."""

from itertools import pairwise

import pytest

from cluster.models import Run
from cluster.remote.shell import Shell
from tests.build import at
from tests.lab import between

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(300)]
State = Run.State
URL = "http://10.0.1.31/"


def told(run):
    return "\n".join(str(sentence) for sentence in run.account_sentences)


def converge(site):
    run = site.apply()
    assert run.state == State.CONVERGED, told(run)


def test_connections_are_balanced_and_keep_the_clients_address(site):
    site.want()
    run = site.apply()
    assert run.state == State.CONVERGED, told(run)

    answers = site.ask(URL, 10)
    assert sorted(answers) == ["web1"] * 5 + ["web2"] * 5
    assert all(one != two for one, two in pairwise(answers))
    log = site.lab.ssh("web1", "tail -n 1 /var/log/nginx/access.log")
    assert log.startswith("10.0.1.100 ")

    stats = site.lab.stats(conns=10)
    assert stats[at(), ""].conns == 10
    assert stats[at(), "10.0.1.6:80"].conns == 5
    assert stats[at(), ""].out_bytes == 0, "in DR the replies pass the director by"


def test_deleting_the_service_leaves_the_hosts_exactly_as_before(site):
    before = site.everything()
    service = site.want()
    converge(site)
    assert site.everything() != before
    service.delete()
    converge(site)
    assert site.everything() == before


def test_arp_stays_silent_while_a_second_vip_is_bound(site):
    first = site.want()
    site.want("10.0.1.32")
    converge(site)
    first.delete()
    converge(site)
    arp = "sysctl -n net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce"
    assert site.lab.ssh("web1", arp).split() == ["1", "2"]
    assert "10.0.1.31" not in site.lab.ssh("web1", "ip addr show dev lo")
    assert sorted(site.ask("http://10.0.1.32/", 2)) == ["web1", "web2"]


def test_an_address_of_another_machine_is_refused_before_anything_is_sent(site):
    before = site.everything()
    site.want("10.0.1.100")  # the client's own address
    run = site.apply()
    assert run.state == State.RETURNED
    assert "already answers for 10.0.1.100" in told(run)
    assert site.everything() == before


def cut_power(site, name, after):
    """Let the power of a host fail right before a command starts with *after*."""

    def connect(host):
        shell: Shell = original(host)

        def is_due(command):
            return host.name == name and command.argv[: len(after)] == after

        def run_and_die(command):
            site.lab.power(name, "off")
            return shell.run(command)

        return between.at(shell, is_due, run_and_die)

    original = site.connect
    site.connect = connect
    return original


def test_a_power_cut_in_the_middle_ends_with_a_clear_account(site):
    before = site.everything()
    site.want()
    connect = cut_power(site, "web1", ("ip", "addr", "add"))
    run = site.plan()
    site.carry_out(run)
    site.connect = connect

    assert run.state == State.PARTIAL
    assert "Not known, because the host does not answer" in told(run)
    assert "web1: Keep web1 silent" in told(run)
    states = {(s.host.name, s.value.command.argv[0]): s.state for s in run.steps.all()}
    assert states["lb01", "ipvsadm"] == "skipped"
    now = {name: site.lab.ssh(name, "true") for name in ("lb01", "web2")}
    assert now
    after = site.lab.ssh("web2", "ip -o addr show dev lo")
    assert "10.0.1.31" not in after

    site.lab.power("web1", "on")
    again = site.apply()
    assert again.state == State.CONVERGED, told(again)
    assert sorted(site.ask(URL, 2)) == ["web1", "web2"]
    site.cluster.services.all().delete()
    converge(site)
    assert site.everything() == before


def test_a_changed_host_key_stops_everything_and_nothing_is_sent(site):
    keys = "/etc/ssh/ssh_host_ed25519_key"
    site.lab.ssh("web2", f"cp -a {keys} {keys}.pub /root/")
    renew = f"rm {keys} {keys}.pub && ssh-keygen -q -t ed25519 -N '' -f {keys}"
    logins = "journalctl -u ssh --no-pager | grep -c 'Accepted publickey for piranha'"
    site.want()
    before, seen = site.everything(), site.lab.ssh("web2", logins)
    try:
        site.lab.ssh("web2", f"{renew} && systemctl restart ssh")
        run = site.plan()
        assert run.state == State.REFUSED
        assert "another host key" in told(run)
        assert site.lab.ssh("web2", logins) == seen
        assert site.everything() == before
    finally:
        site.lab.ssh("web2", "cp -a /root/ssh_host_ed25519_key* /etc/ssh/")
        site.lab.ssh("web2", "systemctl restart ssh")
