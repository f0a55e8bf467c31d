"""Clusters, their hosts, and the keys to reach them."""

from __future__ import annotations

import json
import uuid
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cluster.lvs.addresses import of_family
from cluster.lvs.host import Footprint, HostState
from cluster.lvs.settings import Settings
from cluster.lvs.table import IPAddress, Table, VirtualService
from cluster.lvs.wish import ClusterWish, Vip

if TYPE_CHECKING:
    from cluster.models.people import User
    from cluster.models.services import ServiceQuerySet


class Credential(models.Model):
    """A key pair of ours. The private half is encrypted, its key is in no database.

    The sealed text names the row it belongs to, so that a row cannot be given the
    secret of another one behind our back.
    """

    name = models.CharField(_("name"), max_length=64, unique=True)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    public_key = models.TextField(_("public key"))
    sealed = models.BinaryField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    def seal(self, private_key: str) -> None:
        text = json.dumps({"for": str(self.uuid), "key": private_key})
        self.sealed = _fernet().encrypt(text.encode())

    def unseal(self) -> str:
        """Return the private key; raises InvalidToken or ValueError when tampered."""
        data = json.loads(_fernet().decrypt(bytes(self.sealed)))
        if data["for"] != str(self.uuid):
            raise ValueError(f"the key of {self.name} belongs to another row")
        return str(data["key"])


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


class Cluster(models.Model):
    """Directors and real servers that serve the same VIPs."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    slug = models.SlugField(max_length=64, unique=True)
    note = models.TextField(_("note"), blank=True)
    director = models.ForeignKey(
        "cluster.Host",
        models.SET_NULL,
        verbose_name=_("active director"),
        null=True,
        blank=True,
        related_name="+",
    )
    settings: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("settings"), default=dict, blank=True
    )

    # 0: what was applied and read back stays. Otherwise a person, or the probe host,
    # has so many seconds to say "keep", or each host takes the run back by itself.
    confirm_seconds = models.PositiveIntegerField(_("confirm within"), default=0)
    keep_by_probe = models.BooleanField(_("the probe host may say keep"), default=False)

    class Meta:
        ordering = ["name"]

    services: ServiceQuerySet

    def __str__(self) -> str:
        return self.name

    def wish(self) -> ClusterWish:
        """Return what the operator wants now, saved or not yet applied."""
        values = self.services.filter(enabled=True).as_values()
        used = {vip for value in values for vip in value.vips}
        vips = [Vip(ip_address(v.address), v.number) for v in self.vips.all()]
        servers = self.hosts.filter(role=Host.Role.REAL_SERVER)
        wished = self.wished_settings
        everywhere = wished.is_of_every_director
        directors = self.hosts.directors().trusted() if everywhere else ()
        return ClusterWish(
            director=self.director.name if self.director else "",
            table=Table(tuple(values)),
            vips=tuple(vip for vip in vips if vip.address in used),
            real_servers=tuple((rip, h.name) for h in servers for rip in h.addresses),
            settings=wished,
            directors=tuple(host.name for host in directors),
        )

    @property
    def wished_settings(self) -> Settings:
        return Settings.from_json(self.settings)

    def applied(self) -> ClusterWish | None:
        """Return the wish of the newest revision, None before the first."""
        revision = self.revisions.first()
        return ClusterWish.from_json(revision.wish) if revision else None

    def keep_revision(self, wish: dict[str, Any], by: User | None) -> Revision:
        """Return the newest revision, a new one if the wish is not in it.

        VIPs that neither the wish nor any host uses any more give up their number.
        """
        newest = self.revisions.first()
        if newest is None or newest.wish != wish:
            number = newest.number + 1 if newest else 1
            newest = self.revisions.create(number=number, wish=wish, by=by)
        bound = {
            str(b.address) for h in self.hosts.all() for b in h.left_behind.addresses
        }
        wanted = {vip for row in self.services.all() for vip in row.vips}
        self.vips.exclude(address__in=bound | wanted).delete()
        return newest

    def changed_services(self) -> list[VirtualService]:
        """Return the services, wanted or applied, whose wish was not applied yet."""
        applied = self.applied()
        now = self.wish().table.by_address
        then = applied.table.by_address if applied else {}
        keys = dict.fromkeys([*now, *then])
        return [now.get(k) or then[k] for k in keys if now.get(k) != then.get(k)]


class HostRole(models.TextChoices):
    """What a host does in its cluster; a probe is a client to test from."""

    DIRECTOR = "director", _("director")
    REAL_SERVER = "real_server", _("real server")
    PROBE = "probe", _("client (probe)")


class HostQuerySet(models.QuerySet["Host"]):
    def directors(self) -> HostQuerySet:
        return self.filter(role=HostRole.DIRECTOR)

    def real_servers(self) -> HostQuerySet:
        return self.filter(role=HostRole.REAL_SERVER)

    def trusted(self) -> HostQuerySet:
        """Return hosts whose host key a person has accepted."""
        return self.exclude(host_key="")


class Host(models.Model):
    """A machine that we reach over SSH.

    *address* is the one on the LAN (DIP or RIP), *address6* a second one for IPv6;
    *ssh_address* may differ. *facts* is
    what the host said about itself when it was added or looked at again; *footprint*
    is what our runs left on it, and *trouble* a sentence about why it cannot be used.
    """

    Role = HostRole

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="hosts")
    name = models.SlugField(_("name"), max_length=63)
    role = models.CharField(_("role"), max_length=16, choices=HostRole)
    address = models.GenericIPAddressField(_("address on the LAN"))
    address6 = models.GenericIPAddressField(
        _("IPv6 address on the LAN"), protocol="IPv6", null=True, blank=True
    )
    ssh_address = models.CharField(_("SSH address"), max_length=253)
    ssh_port = models.PositiveIntegerField(_("SSH port"), default=22)
    ssh_user = models.CharField(_("SSH user"), max_length=32, default="piranha")
    credential = models.ForeignKey(
        Credential, models.PROTECT, related_name="hosts", verbose_name=_("key")
    )
    host_key = models.TextField(_("host key"), blank=True)
    offered_key = models.TextField(blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True)
    facts = models.JSONField(default=dict)
    facts_at = models.DateTimeField(null=True)
    footprint = models.JSONField(default=dict)
    trouble = models.JSONField(null=True)
    trouble_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering = ["role", "name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="host_name"),
            models.UniqueConstraint(fields=["cluster", "address"], name="host_address"),
            models.UniqueConstraint(
                fields=["cluster", "address6"], name="host_address6"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """Its addresses on the LAN, the usual one first."""
        return tuple(ip_address(a) for a in (self.address, self.address6) if a)

    def address_for(self, family: int) -> IPAddress:
        """Return the address of this family (4, 6) where it has one, or the other."""
        return of_family(self.addresses, family)

    @property
    def is_director(self) -> bool:
        return self.role == HostRole.DIRECTOR

    @property
    def left_behind(self) -> Footprint:
        return Footprint.from_json(self.footprint)

    def keep_footprint(self, footprint: Footprint) -> None:
        """Write it down if it is news: that of a large director is a large row."""
        if self.footprint != (found := footprint.as_json()):
            self.footprint = found
            self.save(update_fields=["footprint"])

    @property
    def state(self) -> HostState | None:
        """What the host had when it was last looked at, None if never."""
        data = self.facts.get("state")
        return HostState.from_json(data) if data else None


class Revision(models.Model):
    """An immutable snapshot of a wish that was applied and verified."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    wish: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "number"], name="revision_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.cluster} r{self.number}"
