"""What pages and graphs say of a real kernel: exact at rest, and sober after resets."""

import time

import pytest
from django.urls import reverse

from cluster.lvs.counters import Counters, parse_stats
from cluster.models import Reading, User
from cluster.views import graph_data, graph_marks
from cluster.views.graph_look import GraphLook
from cluster.watch import packing, store
from cluster.watch.packing import VALUES
from cluster.watch.watcher import Watcher
from tests.build import at
from tests.lab.site import Site

# The lab's rows must be seen by the watcher's threads: real transactions.
pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]
URL = "http://10.0.1.31/"
KEY = "TCP 10.0.1.31:80"
RATES = VALUES[:5]
NUMBERS = "ipvsadm -Ln --stats --exact"


@pytest.fixture
def site(lab, transactional_db):
    lab.clean()
    store.client().flushdb()
    return Site(lab)


@pytest.fixture
def watcher(site):
    watcher = Watcher()
    watcher.start()
    yield watcher
    watcher.stop()


def eventually(true, seconds=180.0):
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


def readings(site, series):
    rows = Reading.objects.filter(director=site.host("lb01")).order_by("at")
    found = (packing.row(bytes(r.data), series) for r in rows)
    return [dict(zip(VALUES, row, strict=True)) for row in found if row]


def is_sober(site, most):
    """No rate below zero, and none above what the client could have caused."""
    for series in (packing.TOTAL, (KEY, ""), (KEY, "10.0.1.6:80")):
        rows = readings(site, series)
        assert rows
        for row in rows:
            for name in RATES:
                assert not row[name] < 0, (series, row)
            assert not row["conns"] > most, (series, row)


def counted(site, least):
    """Wait until the dashboard has seen *least* connections."""

    def enough():
        found = shown(site)
        return found and found[at(), ""].conns >= least and found

    try:
        return eventually(enough)
    except AssertionError:
        kernel = site.lab.ssh("lb01", NUMBERS)
        pytest.fail(f"{shown(site)} is shown, not {least}; ipvsadm says:\n{kernel}")


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


def test_resets_make_no_spike_and_no_negative_rate(site, watcher):
    """``ipvsadm -Z``, a service that is made anew, and a power cut of the director."""
    service = site.want()
    site.converge()
    asked = time.monotonic()
    site.ask(URL, 30)
    # As many connections a second as the client has made, and two frames' jitter.
    most = 3 * 30 / max((time.monotonic() - asked) / 2, 1.0)
    counted(site, 30)

    site.lab.ssh("lb01", "ipvsadm -Z")
    eventually(lambda: (f := shown(site)) and f[at(), ""].conns == 0)
    site.ask(URL, 6)
    counted(site, 6)

    service.delete()
    site.converge()
    eventually(lambda: (s := live(site)) and not s["services"])
    site.want()
    site.converge()
    site.ask(URL, 4)
    counted(site, 4)
    is_sober(site, most)

    boot = live(site)["boot_id"]
    site.lab.power("lb01", "off")
    time.sleep(15)  # a kernel of the lab boots faster than a gap becomes one
    site.lab.power("lb01", "on")
    eventually(lambda: (s := live(site)) and s["boot_id"] != boot, 240)
    is_sober(site, most)
    eventually(lambda: gap_is_told(site))


def gap_is_told(site):
    """Say whether the time without a director is named, and is over."""
    now = time.time()
    look = GraphLook(range="15m")
    whole = graph_data.read(site.cluster, look, now).whole
    told = graph_marks.gaps(list(site.cluster.hosts.directors()), look, whole, now)
    return [g for g in told if "No numbers from lb01" in g.text and g.until < now]
