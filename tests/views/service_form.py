"""What a browser posts as the form of a virtual service, and what comes back."""

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.models import AddressCheck
from cluster.views import addresses

NEW = reverse("cluster:service_new", args=["lab"])
ROWS = reverse("cluster:service_row", args=["lab"])
CHECK = reverse("cluster:service_check", args=["lab"])
SERVICES = reverse("cluster:services", args=["lab"])
State = AddressCheck.State


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """No worker answers in these tests, so nobody waits for one."""
    monkeypatch.setattr(addresses, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(addresses, "LOOK_SECONDS", 0.01)


def typed(lab, *servers, **fields):
    """Return what a browser posts; a server is (name, port, weight)."""
    data = {
        "protocol": "tcp",
        "address": "10.0.1.31",
        "port": "80",
        "name": "",
        "scheduler": "rr",
        "persistence": "300",
        "enabled": "on",
        "next": "save",
        "servers-TOTAL_FORMS": str(len(servers)),
        "servers-INITIAL_FORMS": "0",
    }
    for row, (name, port, weight) in enumerate(servers):
        host = lab.hosts[name].pk if name in lab.hosts else name
        data[f"servers-{row}-host"] = str(host)
        data[f"servers-{row}-port"] = port
        data[f"servers-{row}-weight"] = weight
    return data | fields


TWO = (("web1", "", "1"), ("web2", "", "2"))


def answered(lab, state, vip="10.0.1.31", **fields):
    return AddressCheck.objects.create(
        cluster=lab.cluster,
        address=vip,
        state=state,
        answered_at=timezone.now(),
        **fields,
    )


@pytest.fixture
def free(lab):
    return answered(lab, State.FREE)


def errors(response):
    entry = response.context["entry"]
    rows = [form.errors for form in entry.servers.forms]
    return dict(entry.form.errors), rows


# -- saving --
