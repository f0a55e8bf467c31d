import pytest
from django.urls import reverse

from cluster.models import AuditEvent, RealServer, VirtualService

SERVICES = reverse("cluster:services", args=["lab"])
DISCARD = reverse("cluster:discard", args=["lab"])


def delete_url(service):
    return reverse("cluster:service_delete", args=["lab", service.pk])


def last_said():
    return AuditEvent.objects.first().sentence


# -- the list --


def test_an_empty_list_teaches_and_leads_on(operator, lab):
    page = operator.get(SERVICES).content.decode()
    assert "No virtual service yet" in page
    assert reverse("cluster:service_new", args=["lab"]) in page


def test_a_viewer_sees_the_list_without_actions(viewer, lab):
    service = lab.add_service()
    page = viewer.get(SERVICES).content.decode()
    assert "10.0.1.31:80" in page
    assert reverse("cluster:service", args=["lab", service.pk]) not in page
    assert DISCARD not in page
    assert reverse("cluster:service_new", args=["lab"]) not in page


def test_it_rejects_post(operator, lab):
    assert operator.post(SERVICES).status_code == 405


def test_an_unknown_cluster_is_not_found(operator, lab):
    assert operator.get(reverse("cluster:services", args=["no"])).status_code == 404


def test_every_line_says_what_is_not_applied(operator, lab):
    same = lab.add_service("10.0.1.30")
    changed = lab.add_service("10.0.1.31")
    gone = lab.add_service("10.0.1.32")
    lab.keep_revision()
    VirtualService.objects.filter(pk=changed.pk).update(scheduler="wlc")
    gone.delete()
    lab.add_service("10.0.1.33")
    lab.add_service("10.0.1.34", enabled=False)
    lines = operator.get(SERVICES).context["lines"]
    kinds = {str(line.at.address): line.edit and line.edit.kind.value for line in lines}
    assert kinds == {
        same.address: None,
        "10.0.1.31": "changed",
        "10.0.1.32": "removed",
        "10.0.1.33": "new",
        "10.0.1.34": None,
    }
    page = operator.get(SERVICES).content.decode()
    for words in (
        "changed, not applied",
        "deleted, still applied",
        "not applied yet",
        "switched off",
        "scheduler round robin → weighted least-connection",
        "3 changes are not applied",
    ):
        assert words in page


def test_a_service_that_is_switched_off_is_still_applied(operator, lab):
    service = lab.add_service()
    lab.keep_revision()
    VirtualService.objects.filter(pk=service.pk).update(enabled=False)
    assert "switched off, still applied" in operator.get(SERVICES).content.decode()


def test_a_hundred_services_need_no_more_queries(
    operator, lab, django_assert_max_num_queries
):
    for port in range(80, 180):
        lab.add_service(port=port)
    with django_assert_max_num_queries(26):
        assert len(operator.get(SERVICES).context["lines"]) == 100


# -- discard --


def test_discard_brings_back_what_was_applied(operator, lab):
    changed = lab.add_service("10.0.1.31", persistence=300, name="shop")
    lab.add_service("10.0.1.32", 443)
    lab.keep_revision()
    before = lab.cluster.wish()
    RealServer.objects.filter(service=changed).update(weight=7)
    changed.servers.get(address="10.0.1.9").delete()
    VirtualService.objects.get(address="10.0.1.32").delete()
    lab.add_service("10.0.1.33")
    assert operator.post(DISCARD).url == SERVICES
    assert lab.cluster.wish() == before
    assert VirtualService.objects.get(address="10.0.1.31").name == "shop"
    said = str(last_said())
    assert "Discard what was not applied" in said
    assert "10.0.1.33" in said


def test_discard_brings_back_every_option(operator, lab):
    row = lab.add_service(
        scheduler="sh",
        persistence=60,
        netmask=24,
        hash_port=True,
        source_nat=True,
    )
    row.servers.update(method="nat", upper=100, lower=50, weight=7)
    lab.keep_revision()
    before = row.as_value()
    row.servers.update(method="tun", upper=0, lower=0)
    row.netmask, row.hash_port, row.source_nat = None, False, False
    row.save()
    operator.post(DISCARD)
    assert VirtualService.objects.get().as_value() == before


def test_discard_keeps_what_is_switched_off(operator, lab):
    lab.add_service("10.0.1.31", enabled=False)
    operator.post(DISCARD)
    assert VirtualService.objects.count() == 1
    assert not AuditEvent.objects.exists()


def test_discard_switches_an_applied_service_on_again(operator, lab):
    service = lab.add_service()
    lab.keep_revision()
    VirtualService.objects.filter(pk=service.pk).update(enabled=False)
    operator.post(DISCARD)
    assert VirtualService.objects.get().enabled


def test_discard_before_the_first_revision_leaves_nothing(operator, lab):
    lab.add_service()
    operator.post(DISCARD)
    assert not VirtualService.objects.exists()


def test_discard_rejects_get_and_viewers(operator, viewer, lab):
    lab.add_service()
    assert operator.get(DISCARD).status_code == 405
    assert viewer.post(DISCARD).status_code == 403
    assert VirtualService.objects.exists()


# -- delete --


def test_delete_of_what_was_never_applied(operator, lab):
    service = lab.add_service()
    assert operator.post(delete_url(service)).url == SERVICES
    assert not VirtualService.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.actor, event.object) == ("li.wei", "TCP 10.0.1.31:80")


@pytest.mark.parametrize("typed", ["", "10.0.1.3", "10.0.1.31:80", "lab"])
def test_delete_of_an_applied_service_needs_its_vip_typed(operator, lab, typed):
    service = lab.add_service()
    lab.keep_revision()
    answer = operator.post(delete_url(service), {"confirm": typed}, follow=True)
    assert "Nothing was deleted: type the VIP 10.0.1.31" in answer.content.decode()
    assert VirtualService.objects.exists()
    assert not AuditEvent.objects.exists()


def test_delete_of_an_applied_service(operator, lab):
    service = lab.add_service()
    lab.keep_revision()
    answer = operator.post(delete_url(service), {"confirm": " 10.0.1.31 "}, follow=True)
    page = answer.content.decode()
    assert "is still in the kernel" in page
    assert "deleted, still applied" in page


def test_delete_rejects_get_viewers_and_strangers(operator, viewer, lab):
    service = lab.add_service()
    assert operator.get(delete_url(service)).status_code == 405
    assert viewer.post(delete_url(service)).status_code == 403
    other = reverse("cluster:service_delete", args=["other", service.pk])
    assert operator.post(other).status_code == 404
    assert VirtualService.objects.exists()
