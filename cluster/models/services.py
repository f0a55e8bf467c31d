"""The wish: virtual services, their VIPs and their real servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from cluster.lvs import (
    encapsulation,
    mark_check,
    packets,
    source_nat,
    surroundings,
    table,
    terms,
)
from cluster.lvs.options import SIP, flag_names
from cluster.models.clusters import Cluster, Host

# 0 is all ports of the VIP; of a real server, as the packet has it.
_port = (MaxValueValidator(65535),)
_threshold = (MaxValueValidator(terms.MAX_THRESHOLD),)


class Vip(models.Model):
    """A virtual IP. Its number makes the label, ``eth0:1`` and ``lo:1``, and stays
    the same while the address is bound anywhere."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="vips")
    address = models.GenericIPAddressField(_("VIP"))
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "address"], name="vip_address"),
            models.UniqueConstraint(fields=["cluster", "number"], name="vip_number"),
        ]

    def __str__(self) -> str:
        return self.address

    @classmethod
    def number_for(cls, cluster: Cluster, address: str) -> Vip:
        """Return the VIP of this address, made with the lowest free number if new."""
        taken = set(cluster.vips.values_list("number", flat=True))
        free = next(n for n in range(1, len(taken) + 2) if n not in taken)
        vip, _made = cls.objects.get_or_create(
            cluster=cluster, address=address, defaults={"number": free}
        )
        return vip


class ServiceQuerySet(models.QuerySet["VirtualService"]):
    def as_values(self) -> list[table.VirtualService]:
        """Return the services as the core compares them, enabled servers only.

        As ``as_value`` of each, without an object of Django for every real server.
        """
        wanted = RealServer.objects.filter(service__in=self.values("pk"), enabled=True)
        of_service: dict[int, list[table.RealServer]] = {}
        for service, *words in wanted.order_by().values_list("service", *_OF_SERVER):
            of_service.setdefault(service, []).append(_server(*words))
        return [row.with_servers(of_service.get(row.pk, ())) for row in self]


class VirtualService(models.Model):
    """One virtual service as the operator wants it.

    Either it has a protocol, an address and a port, or a firewall *mark* and the
    *packets* that get it, see ``lvs.marks``.
    """

    class Protocol(models.TextChoices):
        TCP = "tcp", "TCP"
        UDP = "udp", "UDP"
        SCTP = "sctp", "SCTP"

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="services")
    protocol = models.CharField(
        _("protocol"), max_length=8, choices=Protocol, default=Protocol.TCP, blank=True
    )
    address = models.GenericIPAddressField(_("VIP"), null=True, blank=True)
    port = models.PositiveIntegerField(_("port"), default=80, validators=_port)
    mark = models.PositiveBigIntegerField(
        _("firewall mark"),
        default=0,
        validators=[MaxValueValidator(mark_check.MARKS[1])],
    )
    packets: models.JSONField[list[list[str | int]], list[list[str | int]]] = (
        models.JSONField(_("marked packets"), default=list, blank=True)
    )
    scheduler = models.CharField(
        _("scheduler"),
        max_length=8,
        choices=[(s.value, s.value) for s in terms.Scheduler],
        default=terms.DEFAULT_SCHEDULER.value,
    )
    persistence = models.PositiveIntegerField(
        _("persistence timeout"),
        default=0,
        validators=[MaxValueValidator(terms.MAX_PERSISTENCE)],
    )
    netmask = models.PositiveSmallIntegerField(
        _("persistence netmask"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(128)],
    )
    hash_port = models.BooleanField(_("hash the client's port too"), default=False)
    hash_fallback = models.BooleanField(_("hash again on failure"), default=False)
    engine = models.CharField(
        _("persistence engine"), max_length=8, blank=True, choices=[(SIP, SIP)]
    )
    one_packet = models.BooleanField(_("one-packet scheduling"), default=False)
    source_nat = models.BooleanField(_("FULLNAT"), default=False)
    local_addresses = models.CharField(_("local addresses"), max_length=79, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    name = models.CharField(_("name"), max_length=64, blank=True)
    owner = models.CharField(_("owner"), max_length=64, blank=True)
    notes = models.TextField(_("notes"), max_length=2000, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ["address", "port", "mark"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "protocol", "address", "port"],
                name="service_address",
            ),
            models.UniqueConstraint(
                fields=["cluster", "mark"],
                condition=models.Q(mark__gt=0),
                name="service_mark",
            ),
        ]

    def __str__(self) -> str:
        """``TCP 10.0.1.31:80`` or ``FWM 7 · 10.0.1.31 tcp 80,443``."""
        return " · ".join([str(self.at), *packets.lines(self.marked)])

    @property
    def at(self) -> table.ServiceAddress:
        if self.address is None:
            family = next((one.address.version for one in self.marked), 4)
            return table.ServiceAddress.of_mark(self.mark, family)
        protocol = terms.Protocol(self.protocol)
        address = table.read_address(self.address)
        return table.ServiceAddress.of(protocol, address, self.port)

    @property
    def marked(self) -> tuple[table.Packets, ...]:
        """The packets that get the mark."""
        return tuple(map(table.Packets.from_json, self.packets))

    @property
    def word(self) -> str:
        """What a person types to delete it: its VIP, or the first of them."""
        return self.vips[0] if self.vips else str(self.mark)

    @property
    def carries(self) -> terms.Protocol:
        """The protocol; UDP with a mark only when nothing else gets it."""
        found = (terms.Protocol(self.protocol),) if self.address else ()
        return surroundings.carried(found or [one.protocol for one in self.marked])

    @property
    def vips(self) -> list[str]:
        """The addresses that clients ask."""
        if self.address is not None:
            return [self.address]
        return list(dict.fromkeys(str(one.address) for one in self.marked))

    def as_value(
        self, servers: Iterable[RealServer] | None = None
    ) -> table.VirtualService:
        """Return this service as the core compares it, enabled servers only.

        *servers* are given for a row that is not saved.
        """
        rows = self.servers.all() if servers is None else servers
        return self.with_servers(row.as_value() for row in rows if row.enabled)

    def with_servers(self, servers: Iterable[table.RealServer]) -> table.VirtualService:
        """Return this service as the core compares it, with these real servers."""
        scheduler = terms.Scheduler(self.scheduler)
        return table.VirtualService(
            at=self.at,
            scheduler=scheduler,
            servers=tuple(servers),
            persistence=self.persistence,
            netmask=self.netmask,
            flags=flag_names(
                scheduler, port=self.hash_port, fallback=self.hash_fallback
            ),
            engine=self.engine,
            one_packet=self.one_packet,
            source_nat=self.source_nat,
            local=source_nat.read_pool(self.local_addresses),
            packets=self.marked,
        )


class RealServer(models.Model):
    """One real server of a virtual service; *host* when we manage it over SSH."""

    service = models.ForeignKey(VirtualService, models.CASCADE, related_name="servers")
    host = models.ForeignKey(
        Host, models.PROTECT, null=True, blank=True, related_name="serves"
    )
    address = models.GenericIPAddressField(_("address"))
    port = models.PositiveIntegerField(_("port"), validators=_port)
    method = models.CharField(
        _("forwarding method"),
        max_length=4,
        choices=[(m.value, m.value) for m in terms.CHOSEN_METHODS],
        default=terms.ForwardingMethod.DR.value,
    )
    weight = models.PositiveIntegerField(
        _("weight"), default=1, validators=[MaxValueValidator(terms.MAX_WEIGHT)]
    )
    upper = models.PositiveIntegerField(
        _("upper threshold"), default=0, validators=_threshold
    )
    lower = models.PositiveIntegerField(
        _("lower threshold"), default=0, validators=_threshold
    )
    tunnel_type = models.CharField(
        _("type of tunnel"),
        max_length=4,
        choices=[(t.value, t.value) for t in encapsulation.TunnelType],
        default=encapsulation.TunnelType.IPIP.value,
    )
    tunnel_port = models.PositiveIntegerField(
        _("UDP port of the tunnel"), default=0, validators=[MaxValueValidator(65535)]
    )
    tunnel_checksum = models.CharField(
        _("checksum of the tunnel"),
        max_length=8,
        choices=[(c.value, c.value) for c in encapsulation.Checksum],
        default=encapsulation.Checksum.NONE.value,
    )
    enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ["address", "port"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "address", "port"], name="server_address"
            )
        ]

    def __str__(self) -> str:
        return table.endpoint(ip_address(self.address), self.port)

    def as_value(self) -> table.RealServer:
        return _server(*(getattr(self, name) for name in _OF_SERVER))

    @property
    def tunnel(self) -> table.Tunnel | None:
        return encapsulation.chosen(
            self.tunnel_type, self.tunnel_port, self.tunnel_checksum
        )


# What makes the value of a real server, in the order of ``_server``.
_OF_SERVER = (
    *("address", "port", "method", "weight", "upper", "lower"),
    *("tunnel_type", "tunnel_port", "tunnel_checksum"),
)


# Many services of a cluster have the same real servers.
@lru_cache(maxsize=4096)
def _server(
    address: str, port: int, method: str, weight: int, upper: int, lower: int,
    *tunnel: Any,
) -> table.RealServer:  # fmt: skip
    return table.RealServer(
        table.read_address(address),
        port,
        terms.ForwardingMethod(method),
        weight,
        upper,
        lower,
        encapsulation.chosen(*tunnel),
    )


class AddressCheck(models.Model):
    """The question to the LAN whether an address is in use, asked while typing.

    A worker answers it; the form only reads the row. *holder* is the MAC address of
    whoever answered, *trouble* a sentence when the question could not be asked.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("asking the LAN")
        FREE = "free", _("free")
        TAKEN = "taken", _("taken")
        FAILED = "failed", _("not answered")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="checks")
    address = models.GenericIPAddressField()
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    holder = models.CharField(max_length=64, blank=True)
    trouble: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = (
        models.JSONField(null=True)
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-asked_at"]

    def __str__(self) -> str:
        return f"{self.address}: {self.state}"
