"""The fields of a virtual service and of the rows of its real servers."""

from __future__ import annotations

from typing import Any, NamedTuple

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Form
from cluster.forms.words import (
    AddressField,
    LocalField,
    NetmaskField,
    NumberField,
    PacketsField,
)
from cluster.lvs import encapsulation, mark_check, terms, validate
from cluster.lvs.encapsulation import IPIP, Checksum, TunnelType
from cluster.lvs.options import SIP, Options
from cluster.lvs.table import IPAddress, Tunnel
from cluster.lvs.terms import CHOSEN_METHODS, ForwardingMethod, Scheduler
from cluster.lvs.words import Sentence
from cluster.models import Host, VirtualService


def _schedulers() -> list[tuple[str, str | Promise]]:
    return [(s.value, f"{s.value} — {_(s.label)}") for s in Scheduler]


BY_PORT, BY_MARK = "port", "mark"
# What is asked for by each choice; the other's fields keep what was typed, unread.
_ASKED = {BY_PORT: ("protocol", "address", "port"), BY_MARK: ("mark", "packets")}


class ServiceForm(Form):
    kind = forms.ChoiceField(
        label=_("Clients ask for"),
        choices=[
            (BY_PORT, _("one port of a VIP")),
            (BY_MARK, _("several ports or VIPs, as one service (firewall mark)")),
        ],
        initial=BY_PORT,
        required=False,
        widget=forms.RadioSelect,
    )
    mark = NumberField(
        *mark_check.MARKS,
        label=_("Firewall mark"),
        help_text=_("A number that nobody else uses on the director."),
    )
    packets = PacketsField(
        label=_("VIPs and ports"),
        max_length=8000,
        help_text=_(
            "A line for each VIP and protocol: VIP, tcp, udp or sctp, then ports and"
            " ranges. All VIPs of one family."
        ),
        error_messages={
            "required": _("Write a VIP, a protocol and ports: 10.0.1.31 tcp 80,443.")
        },
        widget=forms.Textarea(
            attrs={
                "rows": 3,
                "placeholder": "10.0.1.31 tcp 80,443",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )
    protocol = forms.ChoiceField(
        label=_("Protocol"), choices=VirtualService.Protocol.choices
    )
    address = AddressField(
        label=_("VIP"),
        help_text=_("An address of the director's LAN that nobody uses."),
        widget=forms.TextInput(
            attrs={
                "placeholder": "10.0.1.31",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )
    port = NumberField(
        *validate.SERVICE_PORTS,
        label=_("Port"),
        initial="80",
        help_text=_("0: all ports that no other service of the VIP has."),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=64,
        help_text=_("For people only, such as “shop”. No host sees it."),
    )
    owner = forms.CharField(
        label=_("Owner"),
        required=False,
        max_length=64,
        help_text=_("Who is asked about it: a team, a person, a telephone number."),
    )
    notes = forms.CharField(
        label=_("Notes"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    scheduler = forms.ChoiceField(
        label=_("Scheduler"),
        choices=_schedulers,
        initial=terms.DEFAULT_SCHEDULER.value,
    )
    persistent = forms.BooleanField(
        label=_("Keep each client on its real server"), required=False
    )
    persistence = NumberField(
        *validate.PERSISTENCE,
        label=_("Persistence timeout"),
        initial="300",
        required=False,
        help_text=_("Seconds after the last connection of the client; 300 is usual."),
    )
    netmask = NetmaskField(
        label=_("Persistence netmask"),
        required=False,
        help_text=_(
            "24 keeps a whole /24 network of clients together; 64 is usual for IPv6."
        ),
    )
    hash_port = forms.BooleanField(
        label=_("Hash the client's port too (sh-port, mh-port)"), required=False
    )
    hash_fallback = forms.BooleanField(
        label=_("Hash again when the chosen server is out (sh-fallback, mh-fallback)"),
        required=False,
    )
    engine = forms.BooleanField(
        label=_("Keep each call of SIP on its real server, by its Call-ID (--pe sip)"),
        required=False,
        help_text=_("UDP with persistence only: calls of one client may be spread."),
    )
    one_packet = forms.BooleanField(
        label=_("Schedule each packet by itself (one-packet scheduling, UDP)"),
        required=False,
    )
    source_nat = forms.BooleanField(
        label=_("Replace the client's address by the director's (FULLNAT)"),
        required=False,
        help_text=_(
            "With NAT only; no route is needed, but the client's address is lost. Where"
            " the director's ipvsadm knows --fullnat, it is used: the plan says so."
        ),
    )
    local = LocalField(
        label=_("Local addresses"),
        required=False,
        max_length=79,
        help_text=_(
            "For FULLNAT: addresses of the director's LAN that nobody uses, such as"
            " 10.0.1.201-10.0.1.204. Each carries some 28,000 connections to one real"
            " server. Empty: the director's own address."
        ),
    )
    enabled = forms.BooleanField(
        label=_("Enabled: part of the director's table"), initial=True, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self._not_asked:
            self.fields[name].required = False

    @property
    def by_mark(self) -> bool:
        return bool(self["kind"].value() == BY_MARK)

    @property
    def _not_asked(self) -> tuple[str, ...]:
        return _ASKED[BY_PORT if self.by_mark else BY_MARK]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        for name in self._not_asked:
            self.errors.pop(name, None)
            data.pop(name, None)
        if data.get("persistent") and data.get("persistence", 1) is None:
            self.add_error("persistence", _("Write the seconds, or switch it off."))
        return data

    @property
    def options(self) -> Options:
        """The options as far as they could be read; what could not stays silent."""
        data = getattr(self, "cleaned_data", {})
        lasting = (data.get("persistence") or 1) if data.get("persistent") else 0
        return Options(
            scheduler=Scheduler(data.get("scheduler") or terms.DEFAULT_SCHEDULER),
            persistence=lasting,
            netmask=data.get("netmask"),
            hash_port=bool(data.get("hash_port")),
            hash_fallback=bool(data.get("hash_fallback")),
            one_packet=bool(data.get("one_packet")),
            source_nat=bool(data.get("source_nat")),
            local=data.get("local"),
            engine=SIP if data.get("engine") else "",
        )

    @property
    def shows_people(self) -> bool:
        """Whether the part for people is open: something is written there."""
        return any(self[name].value() or self[name].errors for name in _PEOPLE)

    @property
    def shows_advanced(self) -> bool:
        """Whether the part for few people is open: something is said there."""
        names = _ADVANCED
        return any(self[name].value() or self[name].errors for name in names)


_ADVANCED = (
    "netmask",
    "engine",
    "one_packet",
    "hash_port",
    "hash_fallback",
    "source_nat",
    "local",
)
_PEOPLE = ("owner", "notes")


def _methods() -> list[tuple[str, str | Promise]]:
    return [(m.value, _(m.label)) for m in CHOSEN_METHODS]


class UsualField(forms.ChoiceField):
    """A choice with a usual one; a row where nobody touched it is not filled in."""

    def __init__(self, usual: str, **kwargs: Any) -> None:
        self.usual = usual
        super().__init__(required=False, **kwargs)

    def clean(self, value: Any) -> str:
        return str(super().clean(value) or self.usual)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or self.usual) != (data or self.usual))


def _tunnels() -> list[tuple[str, str | Promise]]:
    return [(t.value, f"{t.value} — {_(t.label)}") for t in TunnelType]


def _checksums() -> list[tuple[str, str | Promise]]:
    return [(c.value, f"{c.value} — {_(c.label)}") for c in Checksum]


# The choice of a machine that is no host of the cluster.
OTHER = "other"


class Place(NamedTuple):
    """A real server: *host* is None when nobody manages it over SSH."""

    name: str
    address: IPAddress
    host: Host | None


class ServerForm(Form):
    """One row. An empty port is the VIP's port."""

    host = forms.ChoiceField(
        label=_("Real server"),
        error_messages={
            "required": _("Choose a real server, or remove the row."),
            "invalid_choice": _("Choose one of the real servers of this cluster."),
        },
    )
    address = AddressField(
        label=_("Address"),
        required=False,
        help_text=_("A machine that nobody manages from here: see what to do there."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "decimal"}
        ),
    )
    method = UsualField(
        ForwardingMethod.DR.value, label=_("Forwarding method"), choices=_methods
    )
    port = NumberField(*validate.PORTS, label=_("Port"), required=False)
    weight = NumberField(*validate.WEIGHTS, label=_("Weight"), initial="1")
    upper = NumberField(
        *validate.THRESHOLDS,
        label=_("Full at"),
        required=False,
        help_text=_("Connections; then it gets no new one. Empty: no limit."),
    )
    lower = NumberField(
        *validate.THRESHOLDS,
        label=_("Used again below"),
        required=False,
        help_text=_("Empty: below three quarters of the limit."),
    )
    tunnel_type = UsualField(IPIP.type, label=_("Type of tunnel"), choices=_tunnels)
    tunnel_port = NumberField(
        *encapsulation.PORTS,
        label=_("UDP port"),
        required=False,
        help_text=_("The real server takes GUE out of it; 6080 is usual."),
    )
    tunnel_checksum = UsualField(
        IPIP.checksum,
        label=_("Checksum of the outer packet"),
        choices=_checksums,
    )

    off = forms.BooleanField(
        label=_("Switched off: kept here, not in the table"), required=False
    )
    # Of new connections, in per cent; see shares.py.
    share: float | None = None

    def __init__(self, *args: Any, hosts: dict[str, Host], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hosts = hosts
        choices = [
            (pk, " · ".join([h.name, *map(str, h.addresses)]))
            for pk, h in hosts.items()
        ]
        chooser = self.fields["host"]
        assert isinstance(chooser, forms.ChoiceField)  # noqa: S101 - for mypy
        other = (OTHER, _("Another machine, by its address"))
        chooser.choices = [("", _("Choose …")), *choices, other]
        self.fields["port"].widget.attrs["placeholder"] = _("the VIP's")

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        other = data.get("host") == OTHER
        if other and data.get("address") is None and "address" not in self.errors:
            text = _("Write the address of the machine.")
            self.add_error("address", text)
        return data

    @property
    def chosen(self) -> Place | None:
        """Where the real server is, as far as it could be read."""
        data = getattr(self, "cleaned_data", {})
        if data.get("host") == OTHER:
            address = data.get("address")
            same = (h for h in self.hosts.values() if address in h.addresses)
            host = next(same, None)
            name = host.name if host else str(address)
            return Place(name, address, host) if address else None
        host = self.hosts.get(data.get("host", ""))
        return Place(host.name, host.addresses[0], host) if host else None

    @property
    def place_field(self) -> str:
        """The field that says where the real server is."""
        data = getattr(self, "cleaned_data", {})
        return "address" if data.get("host") == OTHER else "host"

    @property
    def forwarding(self) -> ForwardingMethod:
        """The method as far as it could be read."""
        data = getattr(self, "cleaned_data", self.initial)
        return ForwardingMethod(data.get("method") or ForwardingMethod.DR.value)

    @property
    def tunnel(self) -> Tunnel | None:
        """The tunnel as far as it could be read. What does not belong to the method or
        to the type is not shown, and counts for nothing."""
        data = getattr(self, "cleaned_data", self.initial)
        kind = data.get("tunnel_type") or IPIP.type
        if self.forwarding is not ForwardingMethod.TUN or kind == IPIP.type:
            return None
        port = data.get("tunnel_port") if kind == TunnelType.GUE.value else None
        return encapsulation.chosen(kind, port, data.get("tunnel_checksum", ""))

    @property
    def advice(self) -> Sentence | None:
        """What the tunnel does to the size of packets."""
        if self.forwarding is not ForwardingMethod.TUN:
            return None
        return encapsulation.advice(self.tunnel)

    @property
    def shows_advanced(self) -> bool:
        return any(self[n].value() or self[n].errors for n in ("upper", "lower"))


ServerRows = forms.formset_factory(
    ServerForm,
    extra=0,
    max_num=validate.MOST_SERVERS,
    absolute_max=validate.MOST_SERVERS + 1,
    validate_max=True,
)
