"""What nobody listens to on a real server, on each page that shows this real server."""

import re
import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.control.trouble import record_trouble
from cluster.lvs.words import say
from cluster.models import Host
from cluster.remote.shell import Unreachable
from cluster.watch import store
from cluster.watch.store import News
from tests.watch.build import sample

TOLD = "Nothing listens on TCP 80 of web1 (10.0.1.6)"


@pytest.fixture
def applied(lab):
    store.client().flushdb()
    lab.add_service()
    lab.keep_revision()
    lb01 = lab.hosts["lb01"]
    store.publish([News(lb01.pk, lab.cluster.pk, sample(time.time()))])
    return lab


def heard(lab, *missing, age=12.0):
    web1 = lab.hosts["web1"]
    web1.facts["listening"] = {"missing": list(missing)}
    web1.seen_at = timezone.now() - timedelta(seconds=age)
    web1.save()
    return web1


def nothing_on_80():
    return {
        "key": "x",
        "service": "TCP 10.0.1.31:80",
        "server": "10.0.1.6:80",
        "protocol": "TCP",
        "port": 80,
        "told": say(TOLD).as_json(),
        "since": (timezone.now() - timedelta(minutes=3, seconds=1)).isoformat(),
    }


def page(client, name, *args):
    return client.get(reverse(f"cluster:{name}", args=args)).content.decode()


def test_the_host_page_says_it_and_since_when(applied, operator):
    web1 = heard(applied, nothing_on_80())
    html = page(operator, "host", web1.pk)
    assert TOLD in html
    assert "First seen 3 min" in html
    assert "as read 12 s ago" in html
    assert "NOT LISTENING" in html


def test_the_host_page_says_that_all_is_well(applied, operator):
    html = page(operator, "host", heard(applied).pk)
    assert "listens for its services" in html
    assert "NOT LISTENING" not in html


def test_the_page_of_the_real_server_says_it(applied, operator):
    heard(applied, nothing_on_80())
    assert TOLD in page(operator, "server", "lab", "10.0.1.6")
    assert TOLD not in page(operator, "server", "lab", "10.0.1.9")


def test_the_row_of_the_live_table_says_it_once(applied, operator):
    assert "NOT LISTENING" not in page(operator, "cluster", "lab")
    heard(applied, nothing_on_80())
    html = page(operator, "cluster", "lab")
    assert html.count("NOT LISTENING") == 1
    assert TOLD in html
    assert "ACTIVE" in html


def test_the_list_of_hosts_and_the_overview_say_it(applied, operator):
    for name in ("hosts", "overview"):
        assert "NOT LISTENING" not in page(operator, name)
    heard(applied, nothing_on_80())
    html = page(operator, "hosts")
    assert html.count("NOT LISTENING") == 1
    assert TOLD in html
    assert re.search(r"NOT LISTENING\s*(<b>)?1", page(operator, "overview"))


def test_what_was_read_long_ago_is_not_said(applied, operator):
    web1 = heard(applied, nothing_on_80(), age=3600)
    assert TOLD not in page(operator, "host", web1.pk)
    web1 = heard(applied, nothing_on_80())
    record_trouble(web1, Unreachable("web1", "web1 is off."))
    assert TOLD not in page(operator, "host", web1.pk)
    assert "NOT LISTENING" not in page(operator, "cluster", "lab")


def test_a_client_in_trouble_is_on_the_overview_and_the_live_page(applied, operator):
    state = applied.hosts["lb01"].state
    client = applied.add_host("client", Host.Role.PROBE, "10.0.1.100", state)
    record_trouble(client, Unreachable("client", "client is off."))
    for html in (page(operator, "overview"), page(operator, "cluster", "lab")):
        assert "client is off." in html
    assert "UNREACHABLE" in page(operator, "overview")
