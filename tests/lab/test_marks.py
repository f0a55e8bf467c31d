"""Services under a firewall mark on real kernels: who answers, what is counted, what is
left behind."""

from collections import Counter

import pytest

from cluster.lvs.table import ServiceAddress
from tests.lab.site import Site
from tests.lab.test_modes import OUTSIDE, outside

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(600)]
__all__ = ["outside"]  # fixtures are used by their names
VIP, VIP2, VIP6 = "10.0.1.31", "10.0.1.32", "fd00:10:0:1::31"
FWM7, FWM7_6 = ServiceAddress.of_mark(7), ServiceAddress.of_mark(7, 6)
WEBS = {"web1": "10.0.1.6", "web2": "10.0.1.9"}
LISTEN = "/etc/nginx/sites-enabled/marks"
RULES = (
    "iptables-legacy -t mangle -S PREROUTING; ip6tables-legacy -t mangle -S PREROUTING"
)


@pytest.fixture
def site(lab, db):
    lab.clean()
    # A second port that says who answers, as the first one does.
    lab.on_all(
        WEBS,
        f"sed 's/80 default_server/8080/' /etc/nginx/sites-enabled/default >{LISTEN};"
        " nginx -s reload; until curl -so /dev/null localhost:8080; do sleep .2; done",
    )
    yield Site(lab)
    lab.on_all(WEBS, f"rm {LISTEN}; nginx -s reload")


@pytest.fixture
def before(site):
    """What the hosts were like; after the test they are like that again."""
    found = site.everything()
    yield found
    site.cluster.services.all().delete()
    site.converge()
    assert site.everything() == found


def urls(*places):
    return " ".join(f"-g http://{place}/" for place in places)


def test_two_ports_with_persistence_are_one_service(site, before):
    """http and its neighbour under mark 7: one client, one real server."""
    site.want_marked(f"{VIP} tcp 80,8080", persistence=60)
    site.converge()
    answers = site.ask(urls(f"{VIP}:80", f"{VIP}:8080"), 4)
    assert len(answers) == 8
    assert len(set(answers)) == 1, "one client stays on one real server, by both ports"
    found = site.lab.stats(conns=8)
    assert found[FWM7, f"{WEBS[answers[0]]}:0"].conns == 8
    listed = site.lab.ssh("lb01", "ipvsadm -Sn")
    assert "-A -f 7 -s rr -p 60" in listed
    rules = site.lab.ssh("lb01", RULES)
    assert rules.count("--set-xmark 0x7/0xffffffff") == 2


def is_refused(site, place):
    """Whether the director itself answers, with a reset."""
    return site.lab.ssh("client", f"curl -sm 5 http://{place}/; echo $?") == "7\n"


def test_two_vips_without_persistence_are_balanced_together(site, before):
    site.want_marked(f"{VIP} tcp 80\n{VIP2} tcp 8000-8100")
    site.converge()
    answers = site.ask(urls(f"{VIP}:80", f"{VIP2}:8080"), 5)
    assert Counter(answers) == {"web1": 5, "web2": 5}
    # Round robin goes on over both: the first VIP always meets the same one.
    assert set(answers[::2]) != set(answers[1::2])
    found = site.lab.stats(conns=10)
    assert found[FWM7, "10.0.1.6:0"].conns == 5
    assert is_refused(site, f"{VIP2}:80"), "that port has no mark"


def mapped(site):
    """Return (port that was asked for, port of the real server) of each connection."""
    rows = map(str.split, site.lab.ssh("lb01", "ipvsadm -Lnc").splitlines())
    return {
        tuple(place.rpartition(":")[2] for place in row[4:6])
        for row in rows
        if row[:1] == ["TCP"]  # a template of persistence is listed as "IP"
    }


@pytest.mark.long
def test_nat_keeps_the_port_of_the_packet_or_changes_it(site, outside, before):
    service = site.want_marked(f"{VIP} tcp 80,8080", method="nat")
    site.converge()
    places = urls(f"{VIP}:80", f"{VIP}:8080")
    assert Counter(site.ask(places, 3)) == {"web1": 3, "web2": 3}
    ports = "tail -n 3 /var/log/nginx/access.log | cut -d' ' -f1 | sort -u"
    assert site.lab.ssh("web1", ports).split() == [OUTSIDE]
    # Round robin takes turns, so each port met one real server; which, is chance.
    assert mapped(site) == {("80", "80"), ("8080", "8080")}
    service.servers.update(port=80)
    site.converge()
    assert len(site.ask(places, 3)) == 6
    assert ("8080", "80") in mapped(site)
    table = site.lab.ssh("lb01", "ipvsadm -Sn").splitlines()
    assert "-a -f 7 -r 10.0.1.6:80 -m -w 1" in table


@pytest.mark.long
def test_with_persistence_the_kernel_keeps_the_port_whatever_the_rule_says(
    site, outside, before
):
    """Why the form refuses another port beside persistence."""
    service = site.want_marked(f"{VIP} tcp 8080", method="nat", persistence=60)
    service.servers.update(port=80)
    site.converge()
    assert len(site.ask(urls(f"{VIP}:8080"), 2)) == 2
    assert mapped(site) == {("8080", "8080")}


@pytest.mark.long
def test_ipv6_has_a_service_and_rules_of_its_own(site, before):
    site.want_marked(f"{VIP6} tcp 80,8080", persistence=60)
    site.want_marked(f"{VIP} tcp 80", mark=8)
    site.converge()
    answers = site.ask(urls(f"[{VIP6}]:80", f"[{VIP6}]:8080"), 3)
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert len(site.ask(urls(f"{VIP}:80"), 2)) == 2
    found = site.lab.stats(conns=8)
    assert found[FWM7_6, ""].conns == 6
    assert "-A -f 7 -6 -s rr -p 60" in site.lab.ssh("lb01", "ipvsadm -Sn")


@pytest.mark.long
def test_a_rule_that_somebody_deletes_is_seen_and_repaired(site, before):
    site.want_marked(f"{VIP} tcp 80,8080")
    site.converge()
    rule = f"PREROUTING -d {VIP}/32 -p tcp -m tcp --dport 8080 -j MARK --set-mark 7"
    site.lab.ssh("lb01", f"iptables-legacy -t mangle -D {rule}")
    assert is_refused(site, f"{VIP}:8080")
    run = site.converge()
    assert [step.value.command.argv[0] for step in run.steps.all()] == [
        "iptables-legacy"
    ]
    assert len(site.ask(urls(f"{VIP}:8080"), 2)) == 2
