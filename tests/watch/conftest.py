import pytest

from cluster.lvs.frame import watch_command
from cluster.models import Credential, Host
from cluster.remote.paramiko_shell import new_key_pair
from tests.hosts import make_cluster, make_host
from tests.lvs.samples import sample as text_of
from tests.remote.sshd import Sshd
from tests.views.conftest import lab

__all__ = ["lab"]


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("watched"), new_key_pair())
    yield server
    server.stop()


@pytest.fixture
def proc(tmp_path):
    """What looks like /proc on a director, with the programs' answers beside it."""
    (tmp_path / "net").mkdir()
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("boot-1\n")
    for name, file in (
        ("net/ip_vs", "proc-net-ip_vs"),
        ("net/ip_vs_stats", "proc-net-ip_vs_stats"),
        ("stats", "ipvsadm-Ln--stats--exact"),
        ("addresses", "ip-j-addr-show"),
    ):
        (tmp_path / name).write_text(text_of(file))
    return tmp_path


@pytest.fixture
def command(proc):
    """The loop, four frames a second."""
    stats, addresses = ("cat", str(proc / "stats")), ("cat", str(proc / "addresses"))
    return watch_command(str(proc), stats, addresses, 0.25, seldom={}, sudo=())


@pytest.fixture
def make_director(sshd, transactional_db):
    """Rows of directors that are all the one sshd."""
    target = sshd.target()
    cluster = make_cluster("watched")
    credential = Credential(name="watched", public_key=sshd.pair.public)
    credential.seal(sshd.pair.private.reveal())
    credential.save()

    def make(number: int = 1, **fields) -> Host:
        return make_host(
            f"lb{number:02}",
            cluster=cluster,
            role=Host.Role.DIRECTOR,
            address=f"10.0.1.{number}",
            ssh_address="127.0.0.1",
            ssh_user=target.user,
            credential=credential,
            **{"host_key": target.host_key.line, "ssh_port": sshd.port} | fields,
        )

    return make
