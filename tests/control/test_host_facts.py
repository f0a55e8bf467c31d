"""Getting to know a host: with a shell that answers like the lab, and a real sshd."""

import pwd
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

from cluster.control import host_facts
from cluster.control.targets import shell_for
from cluster.host_condition import Condition, condition_of
from cluster.lvs import boot_place, facts, host_setup
from cluster.lvs import host_facts as questions
from cluster.lvs.command import Command
from cluster.models import AuditEvent, Credential, Host
from cluster.remote.paramiko_shell import new_key_pair
from cluster.remote.shell import Output, Unreachable
from tests.fake_shell import FakeShell
from tests.hosts import KEY, OTHER_KEY, make_host
from tests.remote.sshd import Sshd

SAMPLES = Path(__file__).parent.parent / "lvs" / "samples" / "debian12"
pytestmark = pytest.mark.django_db


def said(text="", status=0, error=""):
    return Output(status, text.encode(), error.encode(), 0.0, truncated=False)


class Debian:
    """Answers as lb01 of the lab did; *lacks* are programs that are not there."""

    def __init__(self, lacks=(), refuses=()):
        self.lacks, self.refuses = lacks, refuses
        files = {
            questions.FILES: "files",
            questions.modules_on_disk("6.1.176"): "modules-on-disk",
            questions.LINKS: "ip-addr.json",
            questions.DEFAULT_ROUTE: "ip-route-default.json",
            questions.SUDO_VERSION: "sudo-version",
            questions.IPVSADM_VERSION: "ipvsadm-version",
            questions.KEEPALIVED_VERSION: "keepalived-version",
        }
        self.answers = {
            c.line: (SAMPLES / name).read_text() for c, name in files.items()
        }
        self.answers |= {
            facts.BOOT_ID.command.line: "b00t\n",
            facts.ROUTES.command.line: "[]",
            facts.SYSCTLS.command.line: "/proc/sys/net/ipv4/conf/all/arp_ignore:0\n",
            facts.RULES.command.line: "",
            facts.THRESHOLDS.command.line: "",
            facts.LINKS.command.line: (SAMPLES / "ip-d-j-addr-show").read_text(),
            facts.TIMEOUTS.command.line: "Timeout (tcp tcpfin udp): 900 120 300\n",
            facts.DAEMONS.command.line: "",
            boot_place.QUESTION.line: "ours\n",
        }

    def __call__(self, command: Command) -> Output:
        if command == questions.FOUND_PROGRAMS:
            text = (SAMPLES / "programs").read_text()
            found = [p for p in text.split() if Path(p).name not in self.lacks]
            return said("\n".join(found), 2, "ls: cannot access ...")
        if command.argv[:3] == ("sudo", "-n", "-l"):
            return said(status=int(self.refused(command.argv[3:])))
        if command.root and command.argv[0] in self.lacks:
            return said(status=1, error=f"sudo: {command.argv[0]}: command not found")
        if command.root and self.refused(command.argv):
            return said(status=1, error="sudo: a password is required")
        return said(self.answers[command.line])

    def refused(self, argv):
        return argv[0] in (*self.lacks, *self.refuses)


def look(host, **debian):
    shell = FakeShell(host.name, Debian(**debian))
    host_facts.look(host, lambda _host: shell)
    host.refresh_from_db()
    return shell


def make_director(**fields):
    return make_host("lb01", role=Host.Role.DIRECTOR, facts_at=None, **fields)


def test_a_good_director_has_all_facts():
    host = make_director()
    shell = look(host)
    assert shell.closed
    assert condition_of(host) is Condition.OK
    assert host.facts["os"]["name"] == "Debian GNU/Linux 12 (bookworm)"
    assert (host.facts["ipvsadm"], host.facts["keepalived"]) == ("1.31", "2.2.7")
    assert "ip_vs_rr" in host.facts["modules"]["available"]
    assert host.facts["default_route"] == "10.0.1.250 dev eth0"
    assert host.state.boot_id == "b00t"
    assert len(host.facts["rights"]) == len(host_setup.sample_commands("director"))
    assert host.facts["missing"] == []
    assert host.seen_at
    assert host.facts_at


def test_nothing_is_changed_on_the_host():
    shell = look(make_director())
    writes = [c.line for c in shell.sent if c.root and c.argv[0] != "ipvsadm"]
    assert writes == []
    asked = {" ".join(c.argv[1:]) for c in shell.sent if c.argv[0] == "ipvsadm"}
    lists = {"-Ln --thresholds", "-Ln --timeout", "-Ln --daemon"}
    assert asked == {"-Sn", "--version", *lists}


def test_the_first_director_is_the_active_one():
    first = make_director()
    second = make_host(
        "lb02", role="director", address="10.0.1.5", credential=first.credential
    )
    look(first)
    look(second)
    first.cluster.refresh_from_db()
    assert first.cluster.director == first


def test_a_real_server_never_becomes_director():
    host = make_host(facts_at=None)
    look(host)
    host.cluster.refresh_from_db()
    assert host.cluster.director is None
    assert "ipvsadm" not in host.facts


def test_missing_rights_are_shown_one_by_one():
    host = make_director()
    look(host, refuses=("ipvsadm",))
    assert condition_of(host) is Condition.RIGHTS_MISSING
    refused = [r["command"] for r in host.facts["rights"] if not r["allowed"]]
    assert "sudo -n ipvsadm -R" in refused
    assert all("ipvsadm" in command for command in refused)
    assert "1.9.10" in str(host.trouble["advice"])


def test_a_missing_program_comes_with_its_package():
    host = make_director()
    look(host, lacks=("ipvsadm",))
    assert condition_of(host) is Condition.INCOMPLETE
    assert host.facts["missing"][0]["install"] == "apt-get install ipvsadm"
    assert host.facts["ipvsadm"] is None


def test_rights_that_came_back_clear_the_trouble():
    host = make_director()
    look(host, refuses=("ipvsadm",))
    look(host)
    assert condition_of(host) is Condition.OK
    assert host.trouble is None


def test_a_host_that_is_off_keeps_its_old_facts():
    host = make_host(facts={"kernel": "6.1.176"})

    def off(_host):
        raise Unreachable("web1", "web1 is off.")

    host_facts.look(host, off)
    host.refresh_from_db()
    assert condition_of(host) is Condition.UNREACHABLE
    assert host.facts == {"kernel": "6.1.176"}


def test_a_host_that_is_lost_half_way_keeps_what_it_said():
    host = make_director()
    shell = FakeShell("lb01", Debian())
    shell.fail(Unreachable("lb01", "lb01 is gone."), on="sudo -V")
    host_facts.look(host, lambda _host: shell)
    host.refresh_from_db()
    assert host.state.boot_id == "b00t"
    assert host.facts_at is None
    assert condition_of(host) is Condition.UNREACHABLE


def test_new_hosts_and_old_news_are_due():
    new = make_host("new", facts_at=None)
    same = {"credential": new.credential, "cluster": new.cluster}
    old = timezone.now() - timedelta(hours=1)
    stale = make_host("old", address="10.0.1.7", facts_at=old, **same)
    make_host("fresh", address="10.0.1.8", **same)
    make_host("unknown", address="10.0.1.9", facts_at=None, host_key="", **same)
    assert set(host_facts.due()) == {new.pk, stale.pk}


# -- with a real sshd -----------------------------------------------------------------


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("sshd"), new_key_pair())
    yield server
    server.stop()


@pytest.fixture
def at_sshd(sshd):
    """Return what makes a host that lives at this sshd."""
    target = sshd.target()
    credential = Credential(name="sshd", public_key=sshd.pair.public)
    credential.seal(sshd.pair.private.reveal())
    credential.save()
    return SimpleNamespace(
        key=target.host_key.line,
        make=lambda **fields: make_host(
            ssh_address=target.address,
            ssh_port=target.port,
            ssh_user=pwd.getpwnam(target.user).pw_name,
            credential=credential,
            **fields,
        ),
    )


def test_the_key_is_fetched_without_logging_in(sshd, at_sshd):
    host = at_sshd.make(host_key="")
    host_facts.fetch_key(host)
    host.refresh_from_db()
    assert host.offered_key == at_sshd.key
    assert host.host_key == ""
    assert "Accepted publickey" not in sshd.log.read_text()


def test_nothing_is_accepted_by_itself(at_sshd):
    host = at_sshd.make(host_key="", facts_at=None)
    host_facts.fetch_key(host)
    host_facts.look(host, shell_for)
    host.refresh_from_db()
    assert condition_of(host) is Condition.KEY_NOT_ACCEPTED
    assert host.facts == {}


def test_a_changed_key_stops_everything(at_sshd):
    host = at_sshd.make(host_key=OTHER_KEY)
    host_facts.look(host, shell_for)
    host.refresh_from_db()
    assert condition_of(host) is Condition.KEY_CHANGED
    assert (host.host_key, host.offered_key) == (OTHER_KEY, at_sshd.key)
    assert "Nothing was sent" in str(host.trouble["msgid"])
    assert AuditEvent.objects.filter(host="web1").count() == 1


def test_fetching_again_finds_the_changed_key_too(at_sshd):
    host = at_sshd.make(host_key=KEY)
    host_facts.fetch_key(host)
    host.refresh_from_db()
    assert condition_of(host) is Condition.KEY_CHANGED
    assert (host.host_key, host.offered_key) == (KEY, at_sshd.key)


def test_after_the_new_key_was_accepted_the_host_is_used_again(at_sshd):
    host = at_sshd.make(host_key=OTHER_KEY)
    host_facts.look(host, shell_for)
    Host.objects.filter(pk=host.pk).update(host_key=at_sshd.key)
    host.refresh_from_db()
    host_facts.fetch_key(host)
    host_facts.look(host, shell_for)
    host.refresh_from_db()
    assert condition_of(host) is not Condition.KEY_CHANGED


def test_a_key_that_is_not_let_in_is_told_apart(at_sshd):
    host = at_sshd.make(host_key=at_sshd.key)
    host.credential.seal(new_key_pair().private.reveal())
    host.credential.save()
    host_facts.look(host, shell_for)
    host.refresh_from_db()
    assert condition_of(host) is Condition.LOGIN_REFUSED
    assert "authorized_keys" in str(host.trouble["advice"])


def test_a_closed_port_is_told_apart(at_sshd):
    host = at_sshd.make(host_key=at_sshd.key)
    host.ssh_port = 9
    host.save()
    host_facts.fetch_key(host)
    host.refresh_from_db()
    assert condition_of(host) is Condition.UNREACHABLE
