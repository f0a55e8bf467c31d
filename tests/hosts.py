"""Hosts of a cluster for tests: ``make_host()`` is web1, accepted and never asked."""

from typing import Any

from django.utils import timezone

from cluster.models import Cluster, Credential, Host
from cluster.remote.paramiko_shell import new_key_pair

# Two public host keys that belong to nobody.
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA5uy7nSmaqjODDS/wwXS/BcbRRal92R/Mm1Ixat1nte"
OTHER_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIA9iF06cYm5kCKctOKQzJUYcTTyK6A3KNQ3PefQVj89"
)


def make_cluster(name: str = "shop") -> Cluster:
    return Cluster.objects.get_or_create(name=name, defaults={"slug": name})[0]


def make_credential(name: str = "key of web1") -> Credential:
    pair = new_key_pair()
    credential = Credential(name=name, public_key=pair.public)
    credential.seal(pair.private.reveal())
    credential.save()
    return credential


def make_host(name: str = "web1", **fields: Any) -> Host:
    defaults: dict[str, Any] = {
        "cluster": fields.pop("cluster", None) or make_cluster(),
        "role": Host.Role.REAL_SERVER,
        "address": "10.0.1.6",
        "ssh_address": "10.0.1.6",
        "host_key": KEY,
        "accepted_at": timezone.now(),
        "facts_at": timezone.now(),
    }
    if "credential" not in fields:
        fields["credential"] = make_credential(f"key of {name}")
    return Host.objects.create(name=name, **defaults | fields)
