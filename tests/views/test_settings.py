"""Settings and redundancy: what is typed, refused, saved, said, and shown of hosts."""

from dataclasses import replace

import pytest
from django.urls import reverse

from cluster import draft
from cluster.lvs import words
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole, Timeouts
from cluster.models import AuditEvent, Host
from tests.build import bound, director
from tests.hosts import make_cluster

SETTINGS = reverse("cluster:settings", args=["lab"])
REDUNDANCY = reverse("cluster:redundancy", args=["lab"])
MASTER = SyncDaemon(SyncRole.MASTER, "eth0", 7, 1472, "224.0.0.81", 8848, 1)


@pytest.fixture
def lab(lab):
    state = replace(
        director(),
        addresses=(bound("127.0.0.1/8", "lo"), bound("10.0.1.5/24")),
    )
    lab.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", state)
    return lab


def wished(lab):
    lab.cluster.refresh_from_db()
    return lab.cluster.wished_settings


def daemons(lab, **chosen):
    """Fields of the form of redundancy: ``lb01_master={"syncid": "7"}``."""
    data = {"director": str(lab.hosts["lb01"].pk)}
    for name in ("lb01", "lb02"):
        for role in ("master", "backup"):
            prefix = f"{role}-{lab.hosts[name].pk}"
            fields = chosen.get(f"{name}_{role}")
            if fields is not None:
                data[f"{prefix}-on"] = "on"
            data |= {f"{prefix}-interface": "eth0"}
            data |= {f"{prefix}-{key}": value for key, value in (fields or {}).items()}
    return data


# -- settings -------------------------------------------------------------------------


def test_nothing_is_set_and_what_hosts_have_is_shown(lab, operator):
    page = operator.get(SETTINGS).content.decode()
    assert page.count("900 s") == 2, "lb01 and lb02"
    assert "the kernel of lb01 lacks it" in page, "est_nice came with Linux 6.2"
    assert not wished(lab)


def test_what_is_typed_becomes_the_wish_and_is_said(lab, operator):
    data = {"tcp": "600", "expire_nodest_conn": "1", "sync_threshold": " 1  10 "}
    answer = operator.post(SETTINGS, data)
    assert answer.status_code == 302
    assert wished(lab) == Settings(
        Timeouts(tcp=600), (("expire_nodest_conn", "1"), ("sync_threshold", "1 10"))
    )
    said = str(words.from_json(AuditEvent.objects.latest("seq").sentence))
    assert said == (
        "Settings: TCP timeout not set → 600 s; expire_nodest_conn not set → 1;"
        " sync_threshold not set → 1 10"
    )
    page = operator.get(SETTINGS).content.decode()
    assert "1 change is not applied" in page
    assert 'value="600"' in page


def test_an_empty_field_is_not_set_again(lab, operator):
    operator.post(SETTINGS, {"tcp": "600", "udp": "60"})
    operator.post(SETTINGS, {"udp": "60"})
    assert wished(lab) == Settings(Timeouts(udp=60))


def test_saving_the_same_is_no_change(lab, operator):
    operator.post(SETTINGS, {"tcp": "600"})
    count = AuditEvent.objects.count()
    operator.post(SETTINGS, {"tcp": "600"})
    assert AuditEvent.objects.count() == count


BAD = {
    "no number": ({"tcp": "ten"}, "no whole number"),
    "0 means nothing": ({"udp": "0"}, "1 to 2678400 are possible"),
    "one number of two": ({"sync_threshold": "3"}, "Write two numbers"),
    "a choice that is none": ({"drop_entry": "2"}, "Possible are: 0, 1, 3."),
    "a kernel that is older": ({"est_nice": "1"}, "it came with Linux 6.2"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_stands_beside_the_field_and_nothing_is_lost(lab, operator, case):
    data, why = BAD[case]
    answer = operator.post(SETTINGS, data | {"tcp_fin": "77"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert why in page
    assert 'value="77"' in page
    assert not wished(lab)


def test_a_viewer_may_look_and_not_change(lab, viewer):
    assert viewer.get(SETTINGS).status_code == 200
    assert viewer.post(SETTINGS, {"tcp": "600"}).status_code == 403
    assert viewer.get(REDUNDANCY).status_code == 200
    assert not wished(lab)


def test_one_page_needs_few_queries(lab, operator, django_assert_max_num_queries):
    with django_assert_max_num_queries(35):
        operator.get(SETTINGS)
    with django_assert_max_num_queries(35):
        operator.get(REDUNDANCY)


# -- redundancy -----------------------------------------------------------------------


def test_sync_daemons_are_wished_for_each_director(lab, operator):
    data = daemons(
        lab, lb01_master={"syncid": "7"}, lb02_backup={"syncid": "7", "ttl": "3"}
    )
    answer = operator.post(REDUNDANCY, data)
    assert answer.status_code == 302
    assert wished(lab).daemons == (
        ("lb01", SyncDaemon(SyncRole.MASTER, "eth0", 7)),
        ("lb02", SyncDaemon(SyncRole.BACKUP, "eth0", 7, ttl=3)),
    )
    assert [str(e.sentence) for e in draft.draft_edits(lab.cluster)] == [
        (
            "sync daemon of lb01, master: not set → eth0, ID 7; sync daemon of lb02,"
            " backup: not set → eth0, ID 7, ttl 3"
        )
    ]
    page = operator.get(REDUNDANCY).content.decode()
    assert page.count("checked") >= 3


def test_a_master_that_nobody_hears_is_saved_with_a_warning(lab, operator):
    answer = operator.post(REDUNDANCY, daemons(lab, lb01_master={}), follow=True)
    text = "No other director receives what lb01 sends with sync ID 0."
    assert text in answer.content.decode()


def test_a_device_that_is_not_there_is_refused(lab, operator):
    data = daemons(lab, lb01_master={"interface": "eth9"})
    answer = operator.post(REDUNDANCY, data)
    assert answer.status_code == 422
    assert "eth9 has no address here" in answer.content.decode()
    empty = daemons(lab, lb01_master={"interface": ""})
    assert operator.post(REDUNDANCY, empty).status_code == 422


def test_the_other_director_becomes_the_active_one(lab, operator):
    lab.add_service()
    lab.keep_revision()
    data = daemons(lab) | {"director": str(lab.hosts["lb02"].pk)}
    operator.post(REDUNDANCY, data)
    lab.cluster.refresh_from_db()
    assert lab.cluster.director == lab.hosts["lb02"]
    (edit,) = draft.draft_edits(lab.cluster)
    assert str(edit.sentence) == "active director lb01 → lb02"
    answer = operator.post(reverse("cluster:discard", args=["lab"]), follow=True)
    assert "1 change was discarded" in answer.content.decode()
    lab.cluster.refresh_from_db()
    assert lab.cluster.director == lab.hosts["lb01"]


def test_what_runs_on_the_directors_is_shown(lab, operator):
    state = lab.hosts["lb01"].state
    running = replace(state, settings=replace(state.settings, daemons=(MASTER,)))
    lab.observe("lb01", running)
    page = operator.get(REDUNDANCY).content.decode()
    assert "224.0.0.81:8848" in page
    assert "no sync daemon" in page, "lb02"


def test_without_a_director_the_page_says_what_to_do(operator, db):
    make_cluster("empty")
    page = operator.get(reverse("cluster:redundancy", args=["empty"])).content.decode()
    assert "No director yet" in page
    assert operator.get(reverse("cluster:settings", args=["empty"])).status_code == 200
