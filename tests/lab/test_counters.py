"""What the live page says of a real kernel at rest: the same, to the unit."""

import time

import pytest
from django.urls import reverse

from cluster.lvs.counters import Counters, parse_stats
from cluster.models import User
from cluster.watch import store
from cluster.watch.watcher import Watcher
from tests.build import at
from tests.lab.site import Site

# The lab's rows must be seen by the watcher's threads: real transactions.
pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]
URL = "http://10.0.1.31/"
NUMBERS = "ipvsadm -Ln --stats --exact"


@pytest.fixture
def site(lab, transactional_db):
    lab.clean()
    store.client().flushdb()
    yield Site(lab)
    for name in lab.hosts:
        lab.power(name, "on")
    lab.clean()


@pytest.fixture
def watcher(site):
    watcher = Watcher()
    watcher.start()
    yield watcher
    watcher.stop()


def eventually(true, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.5)
    return found


def live(site):
    pk = site.host("lb01").pk
    return store.latest([pk]).get(pk)


def shown(site):
    """Return the counters of the live page, as the kernel's rows are named."""
    sample = live(site)
    if not sample or not sample["services"] or not sample["services"][0]["counters"]:
        return None
    (service,) = sample["services"]
    found = {(at(), ""): Counters(*service["counters"])}
    for server in service["servers"]:
        found[at(), server["at"]] = Counters(*server["counters"])
    return found


def counted(site, least):
    """Wait until the dashboard has seen *least* connections."""

    def enough():
        found = shown(site)
        return found and found[at(), ""].conns >= least and found

    return eventually(enough)


def test_counters_on_the_page_equal_the_kernels_to_the_unit(site, watcher, client):
    site.want()
    site.converge()
    site.ask(URL, 25)
    counted(site, 25)
    # At rest: what ipvsadm prints does not change any more, and neither does the page.
    exact = eventually(lambda: settled(site))
    assert shown(site) == exact
    assert exact[at(), ""].conns == 25
    client.force_login(User.objects.get(username="li.wei"))
    page = client.get(reverse("cluster:cluster", args=["lab"]), {"numbers": "totals"})
    html = page.content.decode()
    for one in exact.values():
        assert f"{one.conns:,}" in html
        assert f"{one.in_packets:,}" in html
        assert f"{one.in_bytes:,}" in html


def settled(site):
    before = parse_stats(site.lab.ssh("lb01", NUMBERS))
    time.sleep(5)
    after = parse_stats(site.lab.ssh("lb01", NUMBERS))
    return after if before == after == shown(site) else None
