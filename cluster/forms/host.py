"""Adding and changing a host."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import ModelForm
from cluster.models import Cluster, Credential, Host
from cluster.remote.paramiko_shell import new_key_pair

# RFC 1123: labels of letters, digits and hyphens. A name never starts with "-", so
# that no program could take it for an option.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def check_ssh_address(value: str) -> str:
    """Return an IP address or host name that we may connect to."""
    try:
        address = ip_address(value)
    except ValueError:
        numbers_only = value.replace(".", "").isdigit()
        if len(value) > 253 or numbers_only or not _HOST_NAME.fullmatch(value):
            raise ValidationError(
                _("Write an IP address or a host name such as lb01.example.org.")
            ) from None
        return value.lower()
    # 169.254.169.254 would be the keys of a cloud, not a host.
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise ValidationError(_("No host can be reached at this address."))
    return str(address)


def check_lan_address(value: str) -> str:
    address = ip_address(value)
    if (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == ip_address("255.255.255.255")
    ):
        raise ValidationError(_("This is not the address of a host on a LAN."))
    return value


def new_credential(name: str) -> Credential:
    """Make a key pair; the private half is sealed before it reaches the database."""
    name = name[:60]
    taken = set(
        Credential.objects.filter(name__startswith=name).values_list("name", flat=True)
    )
    names = (name, *(f"{name} {n}" for n in range(2, len(taken) + 3)))
    free = next(name for name in names if name not in taken)
    pair = new_key_pair()
    credential = Credential(name=free, public_key=pair.public)
    credential.seal(pair.private.reveal())
    credential.save()
    return credential


class _HostFields(ModelForm[Host]):
    """What a new host and a changed one have in common."""

    ssh_address = forms.CharField(
        label=_("SSH address"),
        required=False,
        max_length=253,
        help_text=_("Leave empty when it is the address on the LAN."),
    )
    ssh_port = forms.IntegerField(
        label=_("SSH port"), min_value=1, max_value=65535, initial=22
    )

    def clean_ssh_address(self) -> str:
        value = self.cleaned_data["ssh_address"].strip()
        return check_ssh_address(value) if value else ""

    def clean_ssh_user(self) -> str:
        user = self.cleaned_data["ssh_user"]
        if not _USER.fullmatch(user):
            raise ValidationError(
                _(
                    "A user name has small letters, digits, - and _, and starts with a"
                    " letter."
                )
            )
        if user == "root":
            raise ValidationError(
                _("Not root: make a user of its own, which may do only what is needed.")
            )
        return str(user)

    def clean_address(self) -> str:
        return check_lan_address(self.cleaned_data["address"])

    def clean_address6(self) -> str | None:
        value = self.cleaned_data["address6"]
        return check_lan_address(value) if value else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("address6") and ":" in cleaned.get("address", ""):
            self.add_error("address6", _("The address above is one of IPv6 already."))
        if "address" in cleaned and not cleaned.get("ssh_address", "-"):
            cleaned["ssh_address"] = cleaned["address"]
        self._refuse_twins(cleaned)
        return cleaned

    def _refuse_twins(self, cleaned: dict[str, Any]) -> None:
        """Refuse a second host behind the same sshd: one of them would be a mistake."""
        place = {key: cleaned.get(key) for key in ("ssh_address", "ssh_port")}
        if not all(place.values()):
            return
        twin = Host.objects.filter(**place).exclude(pk=self.instance.pk).first()
        if twin:
            self.add_error(
                "ssh_address",
                ValidationError(
                    _("%(name)s in cluster %(cluster)s is already reached there."),
                    params={"name": twin.name, "cluster": twin.cluster.name},
                ),
            )


class NewHostForm(_HostFields):
    cluster = forms.ModelChoiceField(
        Cluster.objects.all(),
        label=_("Cluster"),
        required=False,
        empty_label=_("a new cluster"),
    )
    new_cluster = forms.CharField(
        label=_("Name of the new cluster"),
        required=False,
        max_length=64,
        help_text=_("Directors and real servers that serve the same VIPs."),
    )
    credential = forms.ModelChoiceField(
        Credential.objects.all(),
        label=_("SSH key"),
        required=False,
        empty_label=_("make a new key for this host"),
        help_text=_("An ed25519 key is made here; its private half is kept encrypted."),
    )

    # Of our own: Django's would ask for a valid "slug".
    name = forms.CharField(
        label=_("Name"), max_length=63, help_text=_("As the host calls itself: web1.")
    )

    class Meta:
        model = Host
        fields = (
            "cluster",
            "new_cluster",
            "name",
            "role",
            "address",
            "address6",
            "ssh_address",
            "ssh_port",
            "ssh_user",
            "credential",
        )
        help_texts = {
            "role": _(
                "A director holds the VIPs and the IPVS table, a real server answers"
                " the clients, a client (probe) is a host to test from."
            ),
            "address": _("Its own address in the network of the VIPs: DIP or RIP."),
            "address6": _(
                "Only where it has an IPv4 and an IPv6 address: IPv6 services use this"
                " one."
            ),
            "ssh_user": _("An ordinary user; the next page has the commands for it."),
        }

    field_order = Meta.fields

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"] = forms.GenericIPAddressField(
            label=self.fields["address"].label,
            help_text=self.fields["address"].help_text,
            error_messages={"invalid": _("Write an IP address such as 10.0.1.3.")},
            widget=forms.TextInput(
                {"class": "form-control", "placeholder": "10.0.1.3"}
            ),
        )
        if not Cluster.objects.exists():
            del self.fields["cluster"]
            self.fields["new_cluster"].required = True
        if not Credential.objects.exists():
            del self.fields["credential"]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if not _NAME.fullmatch(name):
            raise ValidationError(
                _("Small letters, digits and hyphens, as in a host name: web1.")
            )
        return name

    def clean_new_cluster(self) -> str:
        name = str(self.cleaned_data["new_cluster"]).strip()
        if not name or self.data.get("cluster"):
            return ""
        slug = slugify(name)
        if not slug or slug == "new":
            raise ValidationError(_("The name needs letters or digits."))
        if Cluster.objects.filter(slug=slug).exists():
            raise ValidationError(_("There is a cluster with this name already."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        cluster = cleaned.get("cluster")
        wants_new = "new_cluster" in cleaned and not cluster
        if wants_new and not cleaned["new_cluster"] and "cluster" in self.fields:
            self.add_error("new_cluster", _("Choose a cluster or name a new one."))
        if cluster:
            self._refuse_doubles(cluster, cleaned)
        return cleaned

    def save(self, commit: bool = True) -> Host:
        """Make what the host needs: a cluster, a key pair, and its own row."""
        host = super().save(commit=False)
        name = self.cleaned_data["new_cluster"]
        host.cluster = self.cleaned_data.get("cluster") or Cluster.objects.create(
            name=name, slug=slugify(name)
        )
        host.credential = self.cleaned_data.get("credential") or new_credential(
            f"{host.name}.{host.cluster.slug}"
        )
        host.save()
        return host

    def _refuse_doubles(self, cluster: Cluster, cleaned: dict[str, Any]) -> None:
        for field in ("name", "address", "address6"):
            value = cleaned.get(field)
            if value and cluster.hosts.filter(**{field: value}).exists():
                self.add_error(
                    field,
                    ValidationError(
                        _("Cluster %(cluster)s has a host with this one already."),
                        params={"cluster": cluster.name},
                    ),
                )


class HostForm(_HostFields):
    """How a host is reached. Its name and role stay: runs and logs tell of them."""

    class Meta:
        model = Host
        fields = ("address", "address6", "ssh_address", "ssh_port", "ssh_user")
        help_texts = {
            name: NewHostForm.Meta.help_texts[name] for name in ("address", "address6")
        }

    def __init__(self, *args: Any, bound: bool, **kwargs: Any) -> None:
        """*bound*: services use the LAN address, so it cannot change now.

        An IPv6 address can be added at any time.
        """
        super().__init__(*args, **kwargs)
        fixed = ["address", *(["address6"] if self.instance.address6 else [])]
        for field in (self.fields[name] for name in fixed if bound):
            field.disabled = True
            field.help_text = _(
                "Virtual services use it. Take the host out of them to change it."
            )

    def clean_address(self) -> str:
        value = str(super().clean_address())
        twins = Host.objects.filter(cluster=self.instance.cluster, address=value)
        if twins.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("Another host of this cluster has this address."))
        return value

    def clean_address6(self) -> str | None:
        value = super().clean_address6()
        twins = Host.objects.filter(cluster=self.instance.cluster, address6=value)
        if value and twins.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("Another host of this cluster has this address."))
        return value


class AcceptKeyForm(forms.Form):
    """A key that a person has compared: exactly the one that was shown."""

    key = forms.CharField(widget=forms.HiddenInput)
    confirm = forms.CharField(required=False)

    def __init__(self, *args: Any, host: Host, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.host = host

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.host.offered_key or cleaned.get("key") != self.host.offered_key:
            raise ValidationError(
                _(
                    "The key of the host has changed since this page was shown. Nothing"
                    " was accepted; compare the new fingerprint."
                )
            )
        # To replace an accepted key is graver than to accept the first one.
        if self.host.host_key and cleaned.get("confirm") != self.host.name:
            raise ValidationError(
                _(
                    "Type the name of the host to accept its new key. Nothing was"
                    " accepted."
                )
            )
        return cleaned
