"""Looking at every host of the lab through the task that workers run."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from cluster import tasks
from cluster.host_condition import Condition, condition_of
from cluster.models import Host
from tests.lab.running import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600), pytest.mark.django_db]


@pytest.fixture
def registered(lab: Lab, tmp_path: Path) -> None:
    call_command("register_lab", file=lab.state / "hosts.json")


@pytest.mark.parametrize("name", ["lb01", "lb02", "web1", "web2", "client"])
def test_a_look_finds_all_rights_and_facts(
    registered: None, lab: Lab, name: str
) -> None:
    host = Host.objects.get(name=name)
    tasks.look_at_host(host.pk)
    host.refresh_from_db()
    assert condition_of(host) is Condition.OK, host.trouble
    told = host.facts
    assert told["os"]["family"] == "debian"
    assert told["kernel"] == lab.ssh(name, "uname -r").strip()
    assert told["state"]["boot_id"] == lab.boot_id(name)
    assert {"ip_vs", "ip_vs_rr", "ip_vs_wlc"} <= set(told["modules"]["available"])
    assert all(right["allowed"] for right in told["rights"])
    addresses = {a for link in told["links"] for a in link["addresses"]}
    assert f"{lab.hosts[name]['address']}/24" in addresses


def test_a_look_leaves_no_trace(registered: None, lab: Lab) -> None:
    """Addresses, routes, sysctls and the table are the same afterwards."""
    host = Host.objects.get(name="lb02")
    asked = "ip -j addr; ip -j route; sysctl -a 2>/dev/null | grep -i arp_; ipvsadm -Sn"
    before = lab.ssh("lb02", asked)
    tasks.look_at_host(host.pk)
    assert lab.ssh("lb02", asked) == before


def test_the_key_that_the_lab_handed_over_is_the_one_that_is_shown(
    registered: None, lab: Lab
) -> None:
    rows = json.loads((lab.state / "hosts.json").read_text())["hosts"]
    host = Host.objects.get(name="web1")
    Host.objects.filter(pk=host.pk).update(host_key="")
    tasks.fetch_host_key(host.pk)
    host.refresh_from_db()
    shown = next(row["host_key"] for row in rows if row["name"] == "web1")
    assert host.offered_key == shown
