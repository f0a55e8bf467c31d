"""Whether a host is prepared for a reboot, on its page."""

from dataclasses import replace

import pytest
from django.urls import reverse

from cluster.lvs.boot_place import BootPlace
from cluster.models import Host


def page(client, host):
    return client.get(reverse("cluster:host", args=[host.pk])).content.decode()


def with_boot(lab, **fields):
    host = lab.hosts["lb01"]
    lab.observe("lb01", replace(host.state, boot=BootPlace(**fields)))
    return lab.hosts["lb01"]


def test_a_host_that_is_not_prepared_gets_the_text_to_install(lab, operator):
    host = with_boot(lab)
    Host.objects.filter(pk=host.pk).update(ssh_user="lvs")
    text = page(operator, host)
    assert "not prepared" in text
    assert "/etc/systemd/system/piranha-lvs.service" in text
    assert "-o lvs -g lvs" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ready": True}, "the first run writes the file"),
        ({"ready": True, "digest": "d1"}, "brings back what was applied"),
    ],
)
def test_a_prepared_host_says_what_a_reboot_brings_back(lab, operator, fields, said):
    text = page(operator, with_boot(lab, **fields))
    assert said in text
    assert "not prepared" not in text
    assert "systemctl enable" not in text


def test_a_client_needs_none_of_this(lab, operator):
    lab.add_host("client", Host.Role.PROBE, "10.0.1.100", lab.hosts["lb01"].state)
    assert "After a reboot" not in page(operator, lab.hosts["client"])
