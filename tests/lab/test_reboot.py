"""Power off, power on: what was applied is there again, and nobody has asked for it."""

from collections import Counter

import pytest

from tests.build import at
from tests.lab.test_modes import OUTSIDE, outside

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db,
    pytest.mark.timeout(900),
]
VIP, URL = "10.0.1.31", "http://10.0.1.31/"
__all__ = ["outside"]  # the fixture is used by its name
HOSTS = ("lb01", "web1", "web2")
SETTLED = "systemctl is-system-running --wait; systemctl is-active piranha-lvs"
SYSCTLS = "sysctl net.ipv4.conf.{all,lo}.arp_{ignore,announce} net.ipv4.ip_forward"


def reset(site, *names):
    """Cut the power and wait until systemd has started everything."""
    for name in names:
        before = site.lab.boot_id(name)
        site.lab.power(name, "reset")
        assert site.lab.boot_id(name) != before
    return {
        name: site.lab.ssh(name, f"{SETTLED} || true").split()[-1] for name in names
    }


def seen(site):
    """Return what matters of each host, as root sees it."""
    look = f"ip -o -4 addr show; ip route show dev lo; {SYSCTLS}"
    words = dict.fromkeys(HOSTS, f"{look}; ip -d link show type ipip")
    words["lb01"] += "; ipvsadm -Sn; iptables-legacy -t nat -S POSTROUTING"
    return {name: site.lab.ssh(name, text) for name, text in words.items()}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_serves_again_after_its_power_was_cut(site, name):
    site.want()
    site.converge()
    before = seen(site)
    assert reset(site, name) == {name: "active"}
    assert seen(site) == before
    assert Counter(site.ask(URL, 4)) == {"web1": 2, "web2": 2}
    # Nothing is missing: the plan of the same wish is empty.
    run = site.plan()
    assert (run.state, run.steps.count()) == ("converged", 0)


@pytest.mark.parametrize("method", ["tun", "nat", "fullnat"])
def test_so_it_is_in_every_mode(site, request, method):
    nat = "nat" if method == "fullnat" else method
    site.want(servers={"method": nat}, source_nat=method == "fullnat")
    if method == "nat":
        request.getfixturevalue("outside")
    site.converge()
    before = seen(site)
    reset(site, "lb01", *(["web1", "web2"] if method == "tun" else []))
    assert seen(site) == before
    if method == "nat":
        site.lab.ssh("lb01", f"ip route add {OUTSIDE}/32 dev eth0")
    assert Counter(site.ask(URL, 4)) == {"web1": 2, "web2": 2}
    assert site.lab.stats_at_rest()[at(), ""].conns == 4


def test_after_deleting_the_service_nothing_comes_back(site):
    found = site.everything()
    site.want()
    site.converge()
    site.cluster.services.all().delete()
    site.converge()
    assert site.everything() == found
    assert set(reset(site, *HOSTS).values()) == {"inactive"}
    after = seen(site)
    assert VIP not in "".join(after.values())
    assert "-A -t" not in after["lb01"]


def test_a_vip_that_another_host_has_meanwhile_stays_there(site):
    site.want()
    site.converge()
    site.lab.power("lb01", "off")
    site.lab.ssh("lb02", f"ip addr add {VIP}/24 dev eth0 label eth0:1")
    site.lab.power("lb01", "on")
    state = site.lab.ssh("lb01", f"{SETTLED} || true").split()[-1]
    assert state == "failed", "a person shall see it"
    assert VIP not in site.lab.ssh("lb01", "ip -o -4 addr show dev eth0")
    assert f"-A -t {VIP}:80" in site.lab.ssh("lb01", "ipvsadm -Sn")
