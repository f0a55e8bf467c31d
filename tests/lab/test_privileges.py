"""The sudoers file on real hosts with real sudo: what we send passes, no more does."""

import shlex
from collections.abc import Callable, Iterator

import pytest

from cluster.lvs.command import Command
from cluster.lvs.host_setup import install_sudoers, make_user, may_i, sample_commands
from cluster.remote.paramiko_shell import new_key_pair, open_shell
from cluster.remote.shell import HostKey, Secret, Shell, Target
from tests.forbidden import FORBIDDEN
from tests.lab.running import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
OF_EACH_ROLE = {"director": "lb02", "real_server": "web2", "probe": "client"}
Login = Callable[..., Shell]


@pytest.fixture
def log_in(lab: Lab) -> Login:
    """Return what logs in with the dashboard's own transport."""
    key = Secret((lab.state / "piranha_ed25519").read_text())

    def log_in(name: str, user: str = "piranha", key: Secret = key) -> Shell:
        row = lab.hosts[name]
        host_key = HostKey.parse(row["host_key"])
        place = row["ssh_address"], row["ssh_port"]
        return open_shell(Target(name, *place, user, host_key, key), timeout=30)

    return log_in


@pytest.mark.parametrize("role", OF_EACH_ROLE)
def test_sudo_allows_every_command_of_the_role(log_in: Login, role: str) -> None:
    with log_in(OF_EACH_ROLE[role]) as shell:
        refused = [
            command.line
            for command in sample_commands(role)
            if not shell.run(may_i(command)).ok
        ]
    assert refused == []


@pytest.mark.parametrize("role", OF_EACH_ROLE)
def test_sudo_refuses_what_leads_to_root(log_in: Login, role: str) -> None:
    """All in one login: a loop in the shell of the user, who is no one special."""
    lines = []
    for argv in FORBIDDEN[role]:
        words = shlex.join(argv)
        lines.append(f"sudo -n -l {words} </dev/null >/dev/null 2>&1 && echo {words!r}")
        lines.append(f"sudo -n {words} </dev/null >/dev/null 2>&1 && echo {words!r}")
    script = "\n".join([*lines, "echo tried"])
    command = Command(("sh", "-s"), script.encode(), deadline=300)
    with log_in(OF_EACH_ROLE[role]) as shell:
        assert shell.run(command).text == "tried\n"


@pytest.mark.parametrize("role", OF_EACH_ROLE)
def test_visudo_takes_the_installed_file(lab: Lab, role: str) -> None:
    path = "/etc/sudoers.d/piranha"
    answer = lab.ssh(OF_EACH_ROLE[role], f"visudo -c -f {path}; stat -c '%a %U' {path}")
    assert answer == f"{path}: parsed OK\n440 root\n"


@pytest.fixture
def prepared(lab: Lab) -> Iterator[tuple[str, Secret]]:
    """Do on the client host, word for word, what the wizard tells people to do."""
    pair, user = new_key_pair(), "lvs-new"
    sudoers = "/etc/sudoers.d/piranha"
    lab.ssh("client", f"cp -p {sudoers} /root/sudoers.before")
    lab.ssh("client", make_user(user, pair.public))
    lab.ssh("client", install_sudoers("probe", user))
    yield user, pair.private
    # Not while the last process of a login that has just ended is there.
    gone = f"for n in $(seq 40); do userdel -r {user} && exit; sleep .5; done; exit 1"
    lab.ssh("client", f"cp -p /root/sudoers.before {sudoers}; {gone}")


def test_the_commands_of_the_wizard_let_us_in_and_no_further(
    log_in: Login, prepared: tuple[str, Secret]
) -> None:
    user, key = prepared
    with log_in("client", user, key) as shell:
        assert shell.run(Command(("id", "-un"))).text == f"{user}\n"
        (allowed,) = sample_commands("probe")
        assert shell.run(may_i(allowed)).ok
        assert not shell.run(Command(("cat", "/etc/shadow"), root=True)).ok
