"""The connections that a page shows are those of the real kernel, templates apart."""

from ipaddress import ip_address

import pytest

from cluster.lvs.connections import Filter, Kind
from cluster.watch import questions, store
from cluster.watch.questions import Question
from cluster.watch.watcher import Watcher
from tests.lab.site import Site
from tests.lab.test_counters import eventually

# The lab's rows must be seen by the watcher's threads: real transactions.
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]
CLIENT = "10.0.1.100"
# Nothing else uses it: connections of other tests stay in the table for minutes.
VIP = ip_address("10.0.1.37")


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


def answer(site, wanted, enough):
    """Ask as a page does, until the answer is enough."""
    question = Question(site.host("lb01").pk, wanted)

    def told():
        questions.ask(question)
        said = questions.answer(question) or {}
        found = said.get("found")
        return found if found and enough(found) else None

    try:
        return eventually(told)
    except AssertionError:
        listed = site.lab.ssh("lb01", "ipvsadm -Lnc")
        pytest.fail(f"{questions.answer(question)}; ipvsadm says:\n{listed}")


def listed(site):
    """Return client, service and server of each entry, as ``ipvsadm -Lnc`` says."""
    rows = [line.split() for line in site.lab.ssh("lb01", "ipvsadm -Lnc").splitlines()]
    return {tuple(row[3:6]): row[2] for row in rows if f"{VIP}:80" in row}


def test_what_a_client_has_is_found_and_is_what_ipvsadm_lists(site, watcher):
    site.want(str(VIP), persistence=300)
    site.converge()
    assert not questions.asked()
    # Long enough for the timers of closed connections: nothing ends meanwhile.
    site.lab.ssh("lb01", "ipvsadm --set 900 600 300")
    site.ask(f"http://{VIP}/", 5)

    found = answer(site, Filter(virtual=VIP), lambda f: f["connections"] >= 5)
    kernel = listed(site)
    assert found["templates"] == 1
    entries = {(e["client"], e["virtual"], e["server"]) for e in found["entries"]}
    assert entries == {key for key in kernel if not key[0].endswith(":0")}
    assert len(entries) == 5
    assert found["clients"] == [[CLIENT, 5]]
    assert found["services"] == [[f"TCP {VIP}:80", 5]]
    # Persistence: all of them are at one real server, and that is counted, too.
    ((server, number),) = found["servers"]
    assert number == 5
    assert server in ("10.0.1.6:80", "10.0.1.9:80")

    wanted = Filter(kind=Kind.TEMPLATES, virtual=VIP)
    templates = answer(site, wanted, lambda f: f["entries"])
    (template,) = templates["entries"]
    assert template["client"] == f"{CLIENT}:0"
    assert template["server"] == server
    key = template["client"], template["virtual"], template["server"]
    assert template["state"] == kernel[key]

    nothing = answer(
        site, Filter(virtual=VIP, state="SYN_SENT"), lambda f: f["read"] >= 6
    )
    assert nothing["entries"] == []
    site.lab.ssh("lb01", "ipvsadm --set 900 120 300")
