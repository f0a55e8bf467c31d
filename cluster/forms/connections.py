"""Which connections are wanted; the whole choice is in the address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Form
from cluster.forms.words import spoken
from cluster.lvs.addresses import Wrong
from cluster.lvs.connection_words import read_client, read_place, read_service
from cluster.lvs.connections import STATES, Filter, Kind

_LONGEST = 64


class WordsField(forms.CharField):
    """Text that the core reads; ``clean`` returns the value, or None when empty."""

    def __init__(self, read: Callable[[str], Any], example: str, **kwargs: Any) -> None:
        widget = forms.TextInput({"placeholder": example, "autocomplete": "off"})
        super().__init__(
            required=False, max_length=_LONGEST, widget=widget, strip=True, **kwargs
        )
        self._read = read

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return self._read(text) if text else None
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong


class ConnectionFilter(Form):
    client = WordsField(read_client, "10.0.1.0/24", label=_("Client or network"))
    service = WordsField(read_service, "TCP 10.0.1.31:80", label=_("Virtual service"))
    server = WordsField(read_place, "10.0.1.6", label=_("Real server"))
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("all")), *((name, name) for name in STATES)],
    )
    kind = forms.ChoiceField(
        required=False,
        choices=[(kind.value, kind.value) for kind in Kind],
        widget=forms.HiddenInput,
    )

    def __init__(self, data: Any, directors: list[str]) -> None:
        super().__init__(data, auto_id="filter-%s")
        director = forms.ChoiceField(
            label=_("Director"),
            required=False,
            choices=[("", _("the active one")), *((n, n) for n in directors)],
        )
        self.fields["director"] = director
        for name in ("service", "server"):
            self.fields[name].widget.attrs["list"] = f"names-{name}"
        self.style()

    @property
    def is_used(self) -> bool:
        return any(self.data.get(n) for n in ("client", "service", "server", "state"))

    @property
    def wanted(self) -> Filter:
        """Return the filter of a valid form."""
        values = self.cleaned_data
        protocol, virtual, virtual_port = values["service"] or (None, None, None)
        server, server_port = values["server"] or (None, None)
        return Filter(
            kind=Kind(values["kind"] or Kind.CONNECTIONS),
            protocol=protocol,
            client=values["client"],
            virtual=virtual,
            virtual_port=virtual_port,
            server=server,
            server_port=server_port,
            state=values["state"],
        )
