"""Register the hosts of the running lab as the cluster "lab"; safe to repeat.

The lab made the hosts and hands over their fingerprints itself, so nobody has to
compare them; the audit log says so. Hosts outside the lab are never touched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from cluster import audit
from cluster.audit import Action, Actor
from cluster.lvs.host_facts import fingerprint
from cluster.lvs.words import Sentence, say
from cluster.models import Cluster, Credential, Host

LAB = "lab"
# What the lab decides about a host; the rest of the row is ours.
HANDED_OVER = (
    "role",
    "address",
    "address6",
    "ssh_address",
    "ssh_port",
    "ssh_user",
    "host_key",
)


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, default=settings.LAB_HOSTS_FILE)

    def handle(self, *args: Any, **options: Any) -> None:
        data = read(options["file"])
        with transaction.atomic():
            changes = register(data)
        for sentence in changes:
            self.stdout.write(str(sentence))
        if not changes:
            self.stdout.write(f"The {len(data['hosts'])} hosts of the lab are known.")


def read(path: Path) -> dict[str, Any]:
    """Return what the lab wrote when it was up; raises CommandError."""
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        data["private_key"] = Path(data["private_key_file"]).read_text()
        data["public_key"] = Path(data["private_key_file"] + ".pub").read_text().strip()
    except FileNotFoundError as error:
        raise CommandError(
            f"{error.filename} is missing: start the lab first, with: make lab"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{path} is not what the lab writes: {error!r}") from error
    return data


def register(data: dict[str, Any]) -> list[Sentence]:
    """Make or correct the rows of the lab; return what was changed."""
    cluster, _made = Cluster.objects.get_or_create(slug=LAB, defaults={"name": LAB})
    changes = []
    credential = _credential(data)
    for told in data["hosts"]:
        fields = {name: told[name] for name in HANDED_OVER if name in told}
        fields["ssh_user"] = data["user"]
        sentence = _register_host(cluster, credential, told["name"], fields)
        if sentence:
            changes.append(sentence)
            _log(cluster, told["name"], sentence)
    if cluster.director is None:
        cluster.director = cluster.hosts.directors().first()
        cluster.save(update_fields=["director"])
    return changes


def _credential(data: dict[str, Any]) -> Credential:
    credential = Credential.objects.filter(name=LAB).first() or Credential(name=LAB)
    if credential.public_key != data["public_key"]:
        credential.public_key = data["public_key"]
        credential.seal(data["private_key"])
        credential.save()
    return credential


def _register_host(
    cluster: Cluster, credential: Credential, name: str, fields: dict[str, Any]
) -> Sentence | None:
    host = cluster.hosts.filter(name=name).first()
    if host is None:
        host = Host.objects.create(
            cluster=cluster,
            name=name,
            credential=credential,
            accepted_at=timezone.now(),
            **fields,
        )
        return say("Registered {host} of the lab, {role}, with the host key {key} that"
                   " the lab handed over", host=name, role=host.get_role_display(),
                   key=fingerprint(fields["host_key"]))  # fmt: skip
    if host.credential_id != credential.pk:
        raise CommandError(
            f"The cluster {LAB} has a host {name} that is not the lab's. Rename one."
        )
    moved = {key: value for key, value in fields.items() if getattr(host, key) != value}
    if not moved:
        return None
    return _update(host, moved)


def _update(host: Host, moved: dict[str, Any]) -> Sentence:
    for key, value in moved.items():
        setattr(host, key, value)
    if "host_key" in moved:
        host.accepted_at, host.offered_key = timezone.now(), ""
    # What was known is of a machine that is no longer there: look again.
    host.trouble = host.trouble_at = host.facts_at = None
    host.save()
    return say("The lab changed {fields} of {host}; its host key is {key}",
               fields=", ".join(sorted(moved)), host=host.name,
               key=fingerprint(host.host_key))  # fmt: skip


def _log(cluster: Cluster, name: str, sentence: Sentence) -> None:
    audit.append(
        Actor(LAB), Action.HOST, sentence, cluster=cluster.name, host=name, object=name
    )
