"""Timeouts, sysctls and sync daemons on real directors, and VIPs that move."""

from ipaddress import ip_address

import pytest

from cluster import draft
from cluster.lvs.schedule_share import MH_ENTRIES, Weighted, hsiphash, table_of
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole, Timeouts
from cluster.lvs.terms import Scheduler
from cluster.models import Run
from tests.lab.site import EVERYTHING, Site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db,
    pytest.mark.timeout(900),
]
VIP = "10.0.1.31"
DIRECTORS = ("lb01", "lb02")
OURS = "ipvsadm -Ln --timeout; ipvsadm -Ln --daemon; grep -rs . /proc/sys/net/ipv4/vs"
SYNC = (
    ("lb01", SyncDaemon(SyncRole.MASTER, "eth0", 7)),
    ("lb02", SyncDaemon(SyncRole.BACKUP, "eth0", 7)),
)
# A connection is told of with its first packet and at each change of its state.
EAGER = (("sync_threshold", "0 1"), ("sync_refresh_period", "0"))


@pytest.fixture
def site(lab, db):
    lab.clean()
    yield Site(lab)
    lab.clean()
    for name in DIRECTORS:
        lab.ssh(
            name,
            "ipvsadm --stop-daemon master; ipvsadm --stop-daemon backup;"
            " ipvsadm --set 900 120 300; true",
        )


def everything(site):
    whole = f"ipvsadm -Sn; {OURS}; {EVERYTHING}"
    return site.lab.on_all((*DIRECTORS, "web1", "web2"), whole)


def wish(site, settings):
    site.cluster.settings = settings.as_json()
    site.cluster.save()


def move(site, name):
    site.cluster.director = site.host(name)
    site.cluster.save()


def vips(site, name):
    return site.lab.ssh(name, f"ip -o addr show | grep -c '{VIP}/' || true").strip()


def test_settings_are_set_on_both_directors_and_leave_no_trace(site):
    before = everything(site)
    sysctls = {
        "expire_nodest_conn": "1",
        "conn_reuse_mode": "0",
        "sync_threshold": "1 10",
        "drop_entry": "1",
        "secure_tcp": "3",
        "am_droprate": "20",
    }
    wish(site, Settings(Timeouts(tcp=600, udp=60), tuple(sysctls.items()), SYNC))
    run = site.converge()
    assert {step.host.name for step in run.steps.all()} == {*DIRECTORS}
    for name in DIRECTORS:
        listed = site.lab.ssh(name, OURS)
        assert "Timeout (tcp tcpfin udp): 600 120 60\n" in listed
        for key, value in sysctls.items():
            shown = value.replace(" ", "\t")
            assert f"/proc/sys/net/ipv4/vs/{key}:{shown}\n" in listed
        role = dict(zip(DIRECTORS, ("master", "backup"), strict=True))[name]
        assert f"{role} sync daemon (mcast=eth0, syncid=7, maxlen=1472" in listed
    assert draft.draft_edits(site.cluster) == []
    assert site.plan().state == Run.State.CONVERGED, "a second plan is empty"

    # Another ID: stopped and started. One timeout is given up, one changed.
    other = tuple((n, SyncDaemon(d.role, "eth0", 8, ttl=3)) for n, d in SYNC)
    wish(site, Settings(Timeouts(tcp=700), tuple(sysctls.items())[:1], other))
    site.converge()
    listed = site.lab.ssh("lb01", OURS)
    assert "Timeout (tcp tcpfin udp): 700 120 300\n" in listed
    assert "syncid=8, maxlen=1472, group=224.0.0.81, port=8848, ttl=3" in listed

    wish(site, Settings())
    site.converge()
    assert everything(site) == before
    assert not any(host.left_behind for host in site.cluster.hosts.all())


def test_a_daemon_that_somebody_started_comes_back(site):
    by_hand = "ipvsadm --start-daemon master --mcast-interface eth0 --syncid 3"
    site.lab.ssh("lb01", by_hand)
    before = everything(site)
    wish(site, Settings(daemons=SYNC))
    site.converge()
    assert "syncid=7" in site.lab.ssh("lb01", "ipvsadm -Ln --daemon")
    wish(site, Settings())
    site.converge()
    assert everything(site) == before


def test_the_backup_knows_the_connections_of_the_master(site):
    wish(site, Settings(sysctls=EAGER, daemons=SYNC))
    site.want()
    site.converge()
    assert len(site.ask(f"http://{VIP}/", 4)) == 4
    listing = (
        f"for i in $(seq 20); do ipvsadm -Lnc | grep {VIP}:80 && break; sleep .5; done"
    )
    known = site.lab.ssh("lb02", listing)
    assert "10.0.1.100:" in known, "the client's connections"
    assert "10.0.1.6:80" in known or "10.0.1.9:80" in known


def test_the_vips_move_to_the_other_director_and_back(site):
    before = everything(site)
    service = site.want()
    site.converge()
    settled = everything(site)
    assert len(site.ask(f"http://{VIP}/", 4)) == 4
    move(site, "lb02")
    run = site.converge()
    assert (vips(site, "lb01"), vips(site, "lb02")) == ("0", "1")
    argv = [(s.host.name, s.value.command.argv[:3]) for s in run.steps.all()]
    release = argv.index(("lb01", ("ip", "addr", "del")))
    assert argv[release + 1] == ("lb02", ("ip", "addr", "add"))
    assert argv[release + 2] == ("lb02", ("arping", "-U", "-c"))
    answers = site.ask(f"http://{VIP}/", 4)
    assert sorted(answers) == ["web1", "web1", "web2", "web2"]
    counted = "ipvsadm -Ln --stats --exact | grep 'TCP *10.0.1.31'"
    assert site.lab.ssh("lb02", counted)
    assert "10.0.1.31" not in site.lab.ssh("lb01", "ipvsadm -Sn")

    move(site, "lb01")
    site.converge()
    assert everything(site) == settled
    assert len(site.ask(f"http://{VIP}/", 2)) == 2
    service.delete()
    site.converge()
    assert everything(site) == before


def test_a_dead_director_loses_the_vips(site):
    site.want()
    site.converge()
    site.lab.power("lb01", "off")
    try:
        move(site, "lb02")
        site.converge()
        assert sorted(site.ask(f"http://{VIP}/", 2)) == ["web1", "web2"]
    finally:
        site.lab.power("lb01", "on")


# -- the kernel's tables of sh and mh -------------------------------------------------

CLIENTS = [f"10.0.1.{n}" for n in range(101, 125)]


@pytest.fixture
def clients(site):
    """The client host with many addresses."""
    add = "; ".join(f"ip addr add {one}/32 dev eth0" for one in CLIENTS)
    site.lab.ssh("client", add)
    yield CLIENTS
    delete = "; ".join(f"ip addr del {one}/32 dev eth0" for one in CLIENTS)
    site.lab.ssh("client", delete)


def bucket(scheduler, client):
    """The kernel's hash of a client without its port, Linux 6.1."""
    word = int(ip_address(client))
    if scheduler == "sh":
        return ((word * 0x61C88647) & 0xFFFFFFFF) >> 24
    return hsiphash(word, 2654435761) % MH_ENTRIES


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_the_table_that_shares_are_computed_from_is_the_kernels(
    site, clients, scheduler
):
    service = site.want(scheduler=scheduler)
    service.servers.filter(host__name="web1").update(weight=3)
    site.converge()
    servers = [
        Weighted(s.address, s.port, s.weight) for s in service.as_value().servers
    ]
    assert [str(one.address) for one in servers] == ["10.0.1.6", "10.0.1.9"]
    table = table_of(Scheduler(scheduler), servers)
    expected = [("web1", "web2")[table[bucket(scheduler, one)]] for one in clients]
    assert {*expected} == {"web1", "web2"}
    ask = "; ".join(
        f"curl -sm 9 --interface {one} http://{VIP}/; echo" for one in clients
    )
    assert site.lab.ssh("client", ask).split() == expected
