"""/metrics: who gets it, what is in it, and that Prometheus can read it."""

import json
import re
import time
from pathlib import Path

import pytest
import redis
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as plain_text

from cluster import throttle
from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.models import Comparison, Run
from cluster.watch import store
from cluster.watch.store import News
from tests.watch.build import counted, sample

TOKEN = "a-token-of-the-tests"
DOCS = Path(__file__).parents[2] / "docs"
SERVICE = {
    "cluster": "lab",
    "director": "lb01",
    "local_address": "10.0.1.31",
    "local_port": "80",
    "local_mark": "",
    "proto": "TCP",
}
WEB1 = SERVICE | {
    "remote_address": "10.0.1.6",
    "remote_port": "80",
    "forward": "Route",
}


@pytest.fixture(autouse=True)
def _token(settings):
    settings.METRICS_TOKEN = TOKEN
    store.client().flushdb()
    cache.clear()


def get(client, token=TOKEN, accept="", **headers):
    given = {"Authorization": f"Bearer {token}", "Accept": accept} | headers
    return client.get(reverse("cluster:metrics"), headers=given)


def scrape(client):
    """Return every sample by its name: a list of (labels, value)."""
    answer = get(client)
    assert answer.status_code == 200
    found = {}
    for family in plain_text(answer.content.decode()):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


def show(lab, age=0.0, **changes):
    news = sample(time.time() - age, **changes)
    store.publish([News(lab.hosts["lb01"].pk, lab.cluster.pk, news)])


def test_without_a_token_in_the_settings_it_is_not_there(lab, client, settings):
    settings.METRICS_TOKEN = ""
    assert get(client, "").status_code == 404
    assert get(client).status_code == 404


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN],
)
def test_another_token_is_refused(lab, client, header):
    answer = get(client, Authorization=header)
    assert answer.status_code == 401
    assert "Bearer" in answer["WWW-Authenticate"]
    assert b"piranha_" not in answer.content


def test_a_log_in_is_no_token(lab, administrator):
    assert get(administrator, Authorization="").status_code == 401


def test_guessing_is_throttled(lab, client, clock):
    for _attempt in range(throttle.PER_ADDRESS_METRICS.attempts):
        assert get(client, "wrong").status_code == 401
    answer = get(client)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_a_token_with_letters_of_all_scripts_is_only_wrong(lab, client):
    assert get(client, "\xe9\xff").status_code == 401


def test_no_unlimited_attempts_while_the_cache_is_away(lab, client, monkeypatch):
    def gone(limit, subject):
        raise redis.ConnectionError

    monkeypatch.setattr(throttle, "waiting", gone)
    assert get(client).status_code == 503


def test_counters_are_the_kernels(lab, client):
    show(lab)
    found = scrape(client)
    assert found["piranha_ipvs_service_connections_total"] == [(SERVICE, 120)]
    assert found["piranha_ipvs_service_incoming_bytes_total"] == [(SERVICE, 43200)]
    assert (WEB1, 60) in found["piranha_ipvs_backend_connections_total"]
    assert (WEB1, 2) in found["piranha_ipvs_backend_connections_active"]
    assert (WEB1, 71) in found["piranha_ipvs_backend_connections_inactive"]
    assert (WEB1, 3) in found["piranha_ipvs_backend_weight"]
    total = {"cluster": "lab", "director": "lb01"}
    assert found["piranha_ipvs_connections_total"] == [(total, 147)]


def test_replies_that_nobody_sees_are_left_out(lab, client):
    show(lab)
    assert not [name for name in scrape(client) if "outgoing" in name]


def test_replies_that_pass_the_director_are_counted(lab, client):
    key = "UDP [2001:db8::31]:53"
    server = KernelServer("[2001:db8::6]:53", "Masq", 1, 0, 1)
    services = (
        KernelService(key, "rr", False, (server,)),
        KernelService("FWM 7", "rr", False, ()),
    )
    show(lab, services=services, counters={key: counted(5), "FWM 7": counted(2)})
    found = scrape(client)
    places = [
        (s["local_address"], s["local_port"], s["local_mark"], s["proto"], value)
        for s, value in found["piranha_ipvs_service_connections_total"]
    ]
    assert places == [
        ("2001:db8::31", "53", "", "UDP", 5),
        ("", "", "7", "FWM", 2),
    ]
    assert len(found["piranha_ipvs_service_outgoing_bytes_total"]) == 2


def test_what_is_not_known_is_left_out(lab, client):
    show(lab, counters={})
    found = scrape(client)
    assert "piranha_ipvs_service_connections_total" not in found
    assert "piranha_ipvs_backend_weight" in found


def test_a_line_ends_where_nothing_is_known(lab, client):
    lb01 = {"cluster": "lab", "director": "lb01"}
    found = scrape(client)
    assert found["piranha_director_up"] == [(lb01, 0)]
    assert "piranha_sample_age_seconds" not in found
    show(lab, age=12)
    found = scrape(client)
    assert found["piranha_director_up"] == [(lb01, 0)]
    assert found["piranha_sample_age_seconds"][0][1] == pytest.approx(12, abs=2)
    assert "piranha_ipvs_connections_total" not in found
    assert "piranha_director_active" not in found


def test_which_director_acts(lab, client):
    show(lab)
    assert "piranha_director_active" not in scrape(client)  # nothing to hold yet
    lab.add_service()
    found = scrape(client)
    assert found["piranha_director_chosen"][0][1] == 1
    assert found["piranha_director_active"][0][1] == 1
    show(lab, addresses=("10.0.1.3",))
    assert scrape(client)["piranha_director_active"][0][1] == 0


def test_hosts_runs_and_drift(lab, client, li):
    lb01 = lab.hosts["lb01"]
    lb01.trouble = {"kind": "unreachable"}
    lb01.save()
    Comparison.objects.create(host=lb01, at=timezone.now(), revision=1, count=3)
    Run.objects.create(cluster=lab.cluster, wish={}, requested_by=li)
    found = scrape(client)
    reachable = {s["host"]: v for s, v in found["piranha_host_reachable"]}
    assert reachable["lb01"] == 0
    assert reachable["web1"] == 1
    labels = {"cluster": "lab", "host": "lb01", "role": "director"}
    assert found["piranha_host_drift_lines"] == [(labels, 3)]
    state = {"cluster": "lab", "state": "planning"}
    assert found["piranha_runs"] == [(state, 1)]


def test_both_formats_are_well_formed(lab, client):
    show(lab)
    answer = get(client, accept="application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert len(list(open_metrics(answer.content.decode()))) > 10
    assert get(client)["Content-Type"].startswith("text/plain")


def test_a_large_cluster_is_quick_and_takes_few_queries(
    lab, client, django_assert_max_num_queries
):
    services = tuple(
        KernelService(
            f"TCP 10.1.{n}.1:80",
            "rr",
            False,
            tuple(KernelServer(f"10.2.{n}.{m}:80", "Masq", 1, n, m) for m in range(10)),
        )
        for n in range(100)
    )
    keys = [(s.key, f"{s.key} {r.at}") for s in services for r in s.servers]
    counters = {key: counted(7) for pair in keys for key in pair}
    show(lab, services=services, counters=counters)
    with django_assert_max_num_queries(5):
        began = time.process_time()
        answer = get(client)
    # A tenth of a second, where nothing else runs.
    assert time.process_time() - began < 1.0
    assert answer.content.count(b"piranha_ipvs_backend_weight{") == 1000


def names_in(text):
    return set(re.findall(r"\bpiranha_[a-z_]+", text))


def everything_that_can_be_told(lab, client, li):
    lab.add_service()
    (service,) = sample().table.services
    nat = tuple(
        KernelServer(s.at, "Masq", s.weight, s.active, s.inactive)
        for s in service.servers
    )
    show(lab, services=(KernelService(service.key, "rr", False, nat),))
    lb01 = lab.hosts["lb01"]
    Comparison.objects.create(host=lb01, at=timezone.now(), revision=1)
    Run.objects.create(cluster=lab.cluster, wish={}, requested_by=li)
    text = get(client).content.decode()
    told = set(scrape(client))
    # No drain in this cluster: its family is told without a row.
    return told | set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_the_dashboard_uses_what_there_is(lab, client, li):
    text = (DOCS / "grafana" / "piranha.json").read_text()
    board = json.loads(text)
    assert board["schemaVersion"] >= 36
    assert board["uid"]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    expressions = [t["expr"] for panel in panels for t in panel["targets"]]
    expressions += [
        v["definition"] for v in board["templating"]["list"] if "definition" in v
    ]
    used = names_in("\n".join(expressions))
    assert used
    assert used <= everything_that_can_be_told(lab, client, li)
    variables = {v["name"] for v in board["templating"]["list"]}
    builtin = {"__rate_interval"}
    assert set(re.findall(r"\$\{?(\w+)", text)) - builtin - {"__all"} <= variables


def test_the_dashboard_asks_for_labels_that_there_are(lab, client, li):
    board = json.loads((DOCS / "grafana" / "piranha.json").read_text())
    everything_that_can_be_told(lab, client, li)
    told = set(re.findall(r'(\w+)="', get(client).content.decode()))
    targets = [t for panel in board["panels"] for t in panel["targets"]]
    used = set()
    for target in targets:
        used |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", target["expr"]))
        for listed in re.findall(r"(?:by|without|on)\s*\(([^)]*)\)", target["expr"]):
            used |= set(re.findall(r"\w+", listed))
        used |= set(re.findall(r"\{\{\s*(\w+)", target.get("legendFormat", "")))
    for variable in board["templating"]["list"]:
        used |= set(re.findall(r",\s*(\w+)\)", variable.get("definition", "")))
    assert used
    assert used <= told


def test_alerts_of_the_documentation_use_what_there_is(lab, client, li):
    text = (DOCS / "metrics.md").read_text()
    rules = text[text.index("groups:") :]
    assert names_in(rules) <= everything_that_can_be_told(lab, client, li)
