"""The form of a virtual service: saved whole."""

from django.urls import reverse

from cluster.lvs import rules
from cluster.lvs.table import Table
from cluster.models import AuditEvent, Run, VirtualService
from tests.views.service_form import (
    NEW,
    SERVICES,
    TWO,
    _no_waiting,
    errors,
    free,
    typed,
)

__all__ = ["_no_waiting", "free"]


def test_a_new_form_proposes_wlc_port_80_and_two_rows(operator, lab):
    page = operator.get(NEW)
    assert page.context["form"]["scheduler"].value() == "wlc"
    assert page.context["form"]["port"].value() == "80"
    assert len(page.context["servers"].forms) == 2
    assert "fewest connections for its weight" in page.content.decode()


def test_saving_writes_the_wish_and_the_audit_log(operator, lab, free):
    data = typed(lab, *TWO, persistent="on", persistence="600", name="shop")
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert row.as_value().persistence == 600
    assert [(s.host.name, s.port, s.weight) for s in row.servers.all()] == [
        ("web1", 80, 1),
        ("web2", 80, 2),
    ]
    assert lab.cluster.vips.get().number == 1
    event = AuditEvent.objects.get()
    assert event.object == "TCP 10.0.1.31:80"
    assert "Add virtual service" in str(event.sentence)


def test_every_option_is_saved_and_shown_again(operator, lab, free):
    data = typed(
        lab,
        *TWO,
        protocol="udp",
        port="53",
        scheduler="sh",
        persistent="on",
        netmask="255.255.255.0",
        one_packet="on",
        hash_port="on",
        hash_fallback="on",
    )
    data |= {"servers-0-upper": "100", "servers-0-lower": "50"}
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert rules.render(Table((row.as_value(),))) == (
        "-A -u 10.0.1.31:53 -s sh -p 300 -M 255.255.255.0 -b sh-fallback,sh-port -o\n"
        "-a -u 10.0.1.31:53 -r 10.0.1.6:53 -g -w 1 -x 100 -y 50\n"
        "-a -u 10.0.1.31:53 -r 10.0.1.9:53 -g -w 2\n"
    )
    page = operator.get(reverse("cluster:service", args=["lab", row.pk]))
    form, rows = page.context["form"], page.context["servers"].forms
    assert form["netmask"].value() == 24
    assert form.shows_advanced
    assert [row.shows_advanced for row in rows] == [True, False]
    again = operator.post(
        reverse("cluster:service", args=["lab", row.pk]), data, follow=True
    )
    assert "Nothing was changed" in again.content.decode()


def test_each_real_server_has_its_own_method(operator, lab, free):
    data = typed(lab, ("web1", "8080", "1"), ("web2", "", "1"))
    data |= {"servers-0-method": "nat", "servers-1-method": "tun"}
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert [(s.port, s.method) for s in row.servers.all()] == [
        (8080, "nat"),
        (80, "tun"),
    ]
    shown = operator.get(reverse("cluster:service", args=["lab", row.pk])).context
    assert [
        (form["method"].value(), form["port"].value()) for form in shown["servers"]
    ] == [("nat", 8080), ("tun", "")]


def test_a_row_with_nothing_but_the_usual_method_is_no_server(operator, lab, free):
    data = typed(lab, ("web1", "", "1"), ("", "", "1")) | {"servers-1-method": "dr"}
    assert operator.post(NEW, data).url == SERVICES
    assert VirtualService.objects.get().servers.count() == 1


def test_nat_and_one_packet_scheduling_are_refused_at_the_method(operator, lab):
    data = typed(lab, ("web1", "", "1"), protocol="udp", one_packet="on")
    answer = operator.post(NEW, data | {"servers-0-method": "nat"})
    assert answer.status_code == 422
    assert list(errors(answer)[1][0]) == ["method"]


def test_fullnat_is_for_nat_and_says_what_is_lost(operator, lab, free):
    data = typed(lab, ("web1", "", "1"), ("web2", "", "1"), source_nat="on")
    data |= {"servers-0-method": "nat"}
    answer = operator.post(NEW, data)
    assert answer.status_code == 422
    assert [list(row) for row in errors(answer)[1]] == [[], ["method"]]
    assert "client&#x27;s address is lost" in answer.content.decode()
    assert operator.post(NEW, data | {"servers-1-method": "nat"}).url == SERVICES
    row = VirtualService.objects.get()
    assert row.as_value().source_nat
    assert "without the client's address (FULLNAT)" in AuditEvent.objects.get().text
    page = operator.get(reverse("cluster:service", args=["lab", row.pk]))
    assert page.context["form"].shows_advanced


def test_a_server_off_the_lan_is_fine_by_tunnel(operator, lab, free):
    far = lab.hosts["web2"]
    far.address = "10.9.0.5"
    far.save()
    data = typed(lab, ("web2", "", "1")) | {"servers-0-method": "tun"}
    assert operator.post(NEW, data).url == SERVICES
    refused = operator.post(NEW, typed(lab, ("web2", "", "1")))
    assert refused.status_code == 422


def test_a_new_form_hides_what_few_services_need(operator, lab):
    page = operator.get(NEW)
    assert not page.context["form"].shows_advanced
    assert not any(row.shows_advanced for row in page.context["servers"])


def test_tcp_udp_and_sctp_may_share_a_port(operator, lab, free):
    for protocol in ("tcp", "udp", "sctp"):
        operator.post(NEW, typed(lab, *TWO, protocol=protocol))
    assert {row.protocol for row in VirtualService.objects.all()} == {
        "tcp",
        "udp",
        "sctp",
    }


def test_save_and_review_plans_at_once(operator, lab, free, queued):
    with queued() as rung:
        answer = operator.post(NEW, typed(lab, *TWO, next="review"))
    run = Run.objects.get()
    assert answer.url == reverse("cluster:run", args=[run.pk])
    assert rung == [("plan_run", (run.pk,))]
    assert run.wish == lab.cluster.wish().as_json()


def test_without_persistence_the_seconds_do_not_count(operator, lab, free):
    operator.post(NEW, typed(lab, *TWO, persistence="300"))
    assert VirtualService.objects.get().persistence == 0


def test_editing_says_before_and_after(operator, lab, free):
    row = lab.add_service(name="shop")
    url = reverse("cluster:service", args=["lab", row.pk])
    kept = set(row.servers.values_list("pk", flat=True))
    data = typed(lab, ("web1", "", "1"), ("web2", "", "5"), scheduler="sh", name="web")
    assert operator.post(url, data).url == SERVICES
    assert set(row.servers.values_list("pk", flat=True)) == kept
    sentence = AuditEvent.objects.get().text
    assert "scheduler round robin → source hashing" in sentence
    assert "weight of web2 1 → 5" in sentence
    assert "name “shop” → “web”" in sentence


def test_moving_to_another_port_takes_the_servers_along(operator, lab, free):
    row = lab.add_service()
    url = reverse("cluster:service", args=["lab", row.pk])
    operator.post(url, typed(lab, ("web1", "", "1"), ("web2", "", "1"), port="443"))
    row.refresh_from_db()
    assert {s.port for s in row.servers.all()} == {443}
    text = AuditEvent.objects.get().text
    assert "moved to TCP 10.0.1.31:443" in text
    assert "take web1 out" not in text


def test_saving_the_same_again_changes_nothing(operator, lab, free):
    row = lab.add_service()
    url = reverse("cluster:service", args=["lab", row.pk])
    shown = operator.get(url).context["servers"]
    assert [form["port"].value() for form in shown.forms] == ["", ""]
    data = typed(lab, ("web1", "", "1"), ("web2", "", "1"))
    answer = operator.post(url, data, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert not AuditEvent.objects.exists()


def test_a_service_without_servers_is_saved_with_a_warning(operator, lab, free):
    answer = operator.post(NEW, typed(lab), follow=True)
    assert "it will refuse every connection" in answer.content.decode()
    assert VirtualService.objects.get().servers.count() == 0


def test_a_row_that_nobody_filled_in_is_no_server(operator, lab, free):
    operator.post(NEW, typed(lab, ("web1", "", "1"), ("", "", "1")))
    assert VirtualService.objects.get().servers.count() == 1


# -- refusing --
