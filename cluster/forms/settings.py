"""The settings of a cluster's directors: timeouts, sysctls, sync daemons.

An empty field is "not set": we do not touch what the hosts have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Form
from cluster.forms.service import surroundings
from cluster.forms.words import AddressField, NumberField, spoken
from cluster.lvs import settings_check, validate
from cluster.lvs.ipvs_sysctls import CATALOGUE, IpvsSysctl
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole, Timeouts
from cluster.lvs.settings_check import Around
from cluster.lvs.validate import PORTS, Wrong
from cluster.models import Cluster, Host

TIMEOUTS = ("tcp", "tcp_fin", "udp")


class JudgedField(forms.CharField):
    """A word that the core reads; ``clean`` returns it in the kernel's spelling."""

    def __init__(self, judge: Callable[[str], str], **kwargs: Any) -> None:
        self.judge = judge
        plain = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
        kwargs.setdefault("widget", plain)
        super().__init__(required=False, **kwargs)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return self.judge(text) if text else ""
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong


def around(cluster: Cluster) -> Around:
    """Return what the settings meet: directors as they were last seen, services."""
    states = {host.name: host.state for host in cluster.hosts.directors()}
    seen = {name: state for name, state in states.items() if state}
    return Around(seen, cluster.wish().table)


def _sysctl_field(one: IpvsSysctl) -> JudgedField:
    def judge(text: str) -> str:
        return settings_check.read_sysctl(one, text)

    if not one.choices:
        field = JudgedField(judge, label=one.name)
        field.widget.attrs["placeholder"] = _("not set")
        return field
    labels = [(value, f"{value}: {_(label)}") for value, label in one.choices]
    choices: list[tuple[str, str | Promise]] = [("", _("not set")), *labels]
    return JudgedField(judge, label=one.name, widget=forms.Select(choices=choices))


class SettingsForm(Form):
    tcp = NumberField(*settings_check.SECONDS, label="TCP", required=False)
    tcp_fin = NumberField(*settings_check.SECONDS, label="TCP FIN", required=False)
    udp = NumberField(*settings_check.SECONDS, label="UDP", required=False)

    def __init__(self, cluster: Cluster, data: Any = None) -> None:
        self.cluster, wished = cluster, cluster.wished_settings
        initial = {**wished.timeouts.as_json(), **dict(wished.sysctls)}
        super().__init__(data, initial=initial)
        for name in TIMEOUTS:
            self.fields[name].widget.attrs["placeholder"] = _("not set")
        for one in CATALOGUE:
            self.fields[one.name] = _sysctl_field(one)
        self.style()

    def clean(self) -> dict[str, Any]:
        self.errors_of(settings_check.check(self.wished, around(self.cluster)))
        return self.cleaned_data

    def errors_of(self, found: Iterable[tuple[str, Any]]) -> None:
        for place, why in found:
            if place in self.fields and place not in self.errors:
                self.add_error(place, spoken(why))

    @property
    def wished(self) -> Settings:
        """Return the settings with what was typed, as far as it could be read."""
        data = self.cleaned_data
        sysctls = {one.name: data.get(one.name) for one in CATALOGUE}
        return replace(
            self.cluster.wished_settings,
            timeouts=Timeouts(*(data.get(name) for name in TIMEOUTS)),
            sysctls=tuple((name, value) for name, value in sysctls.items() if value),
        )


class DaemonForm(Form):
    """One sync daemon of one director."""

    on = forms.BooleanField(required=False)
    interface = JudgedField(settings_check.read_device, label=_("Interface"))
    syncid = NumberField(*settings_check.SYNC_IDS, label=_("Sync ID"), required=False)
    maxlen = NumberField(
        *settings_check.LENGTHS[SyncRole.MASTER],
        label=_("Longest message"),
        required=False,
    )
    group = JudgedField(settings_check.read_group, label=_("Multicast group"))
    port = NumberField(*PORTS, label=_("Port"), required=False)
    ttl = NumberField(*settings_check.TTLS, label="TTL", required=False)

    def __init__(
        self, host: Host, role: SyncRole, daemon: SyncDaemon | None, data: Any = None
    ) -> None:
        self.host, self.role = host, role
        initial = _initial(daemon) if daemon else {"interface": _lan_device(host)}
        prefix = f"{role.value}-{host.pk}"
        super().__init__(data, initial=initial, prefix=prefix)
        self.fields["on"].label = _(role.label)
        usual = {
            "syncid": "0",
            "maxlen": _("MTU"),
            "group": "224.0.0.81",
            "port": "8848",
            "ttl": "1",
        }
        for name, value in usual.items():
            self.fields[name].widget.attrs["placeholder"] = value

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("on") and "interface" in data and not data["interface"]:
            self.add_error("interface", _("Write the device that the messages take."))
        return data

    @property
    def daemon(self) -> SyncDaemon | None:
        data = self.cleaned_data
        if not data.get("on"):
            return None
        return SyncDaemon(
            self.role,
            data.get("interface") or "",
            data.get("syncid") or 0,
            data.get("maxlen"),
            data.get("group") or "",
            data.get("port"),
            data.get("ttl"),
        )

    @property
    def shows_advanced(self) -> bool:
        return any(
            self[n].value() or self[n].errors
            for n in ("maxlen", "group", "port", "ttl")
        )


def _initial(daemon: SyncDaemon) -> dict[str, Any]:
    return daemon.as_json() | {"on": True}


def _lan_device(host: Host) -> str:
    """Return the device of the host's own address on the LAN, "" when not known."""
    state = host.state
    bound = state.addresses if state else ()
    return next((b.device for b in bound if str(b.address) == host.address), "")


class DirectorForm(Form):
    director = forms.ChoiceField(
        label=_("Active director"),
        widget=forms.RadioSelect,
        help_text=_("It holds the VIPs and the table. The others stand by."),
    )
    inner_vip = AddressField(
        label=_("Inner VIP"),
        required=False,
        help_text=_(
            "For NAT: an address that moves along with the VIPs, so that real servers"
            " can keep it as their default route. Bound while a NAT service needs it."
        ),
    )

    def __init__(
        self, cluster: Cluster, directors: Sequence[Host], data: Any = None
    ) -> None:
        active = str(cluster.director_id or "")
        inner = cluster.wished_settings.inner_vip
        super().__init__(data, initial={"director": active, "inner_vip": inner})
        chooser = self.fields["director"]
        assert isinstance(chooser, forms.ChoiceField)  # noqa: S101 - for mypy
        chooser.choices = [(str(h.pk), f"{h.name} · {h.address}") for h in directors]


class RedundancyEntry:
    """Which director is active, and the sync daemons of each of them."""

    def __init__(self, cluster: Cluster, data: Any = None) -> None:
        self.cluster = cluster
        self.directors = list(cluster.hosts.directors())
        self.form = DirectorForm(cluster, self.directors, data)
        running = {(n, d.role): d for n, d in cluster.wished_settings.daemons}
        self.rows = [
            DaemonForm(host, role, running.get((host.name, role)), data)
            for host in self.directors
            for role in SyncRole
        ]

    def is_valid(self) -> bool:
        valid = [form.is_valid() for form in (self.form, *self.rows)]
        inner = self.form.cleaned_data.get("inner_vip")
        why = (
            validate.inner_vip(inner, surroundings(self.cluster, None))
            if inner
            else None
        )
        if why:
            self.form.add_error("inner_vip", spoken(why))
            valid.append(False)
        if all(valid):
            places = {f"{row.host.name} {row.role.value}": row for row in self.rows}
            found = settings_check.check(self.wished, around(self.cluster))
            for place, why in found:
                if place in places:
                    places[place].add_error("interface", spoken(why))
                    valid.append(False)
        return all(valid)

    @property
    def error_count(self) -> int:
        return sum(len(form.errors) for form in (self.form, *self.rows))

    @property
    def wished(self) -> Settings:
        daemons = ((row.host.name, row.daemon) for row in self.rows)
        kept = tuple((name, daemon) for name, daemon in daemons if daemon)
        inner = str(self.form.cleaned_data.get("inner_vip") or "")
        return replace(self.cluster.wished_settings, daemons=kept, inner_vip=inner)

    @property
    def director(self) -> Host:
        chosen = self.form.cleaned_data["director"]
        return next(host for host in self.directors if str(host.pk) == chosen)
