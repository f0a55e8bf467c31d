"""Which events of the audit log are wanted; the whole choice is in the address."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Form
from cluster.models import AuditEvent

_MOMENT = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, "%Y-%m-%dT%H:%M")
_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
_LONGEST = 200


class AuditFilter(Form):
    q = forms.CharField(
        label=_("Words"),
        required=False,
        max_length=_LONGEST,
        widget=forms.TextInput({"type": "search", "data-search": ""}),
    )
    actor = forms.CharField(label=_("Person"), required=False, max_length=150)
    host = forms.CharField(label=_("Host"), required=False, max_length=63)
    cluster = forms.CharField(label=_("Cluster"), required=False, max_length=64)
    action = forms.ChoiceField(
        label=_("Action"),
        required=False,
        choices=[("", _("all")), *AuditEvent.Action.choices],
    )
    # A field for numbers alone would send nothing when something else is typed.
    run = forms.IntegerField(
        label=_("Run"),
        required=False,
        min_value=1,
        widget=forms.TextInput({"inputmode": "numeric", "size": "8"}),
    )
    since = forms.DateTimeField(
        label=_("From (UTC)"),
        required=False,
        widget=_MOMENT,
        input_formats=_FORMATS,
    )
    until = forms.DateTimeField(
        label=_("To (UTC)"), required=False, widget=_MOMENT, input_formats=_FORMATS
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("This is before the beginning."))
        return cleaned

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("actor", "host", "cluster"):
            self.fields[name].widget.attrs["list"] = f"names-{name}"
        for name in ("since", "until"):
            if name in self.errors:
                # A browser's own field for a moment shows nothing of what is none.
                self.fields[name].widget.input_type = "text"

    @property
    def is_used(self) -> bool:
        return any(self.cleaned_data.values()) if self.is_valid() else True

    def events(self) -> QuerySet[AuditEvent]:
        """Return the wanted events, newest first; none while the form is invalid."""
        if not self.is_valid():
            return AuditEvent.objects.none()
        wanted = self.cleaned_data
        found = AuditEvent.objects.all()
        for name in ("actor", "host", "cluster", "action", "run"):
            if wanted[name]:
                found = found.filter(**{name: wanted[name]})
        if wanted["since"]:
            found = found.filter(at__gte=wanted["since"].replace(tzinfo=UTC))
        if wanted["until"]:
            found = found.filter(at__lte=wanted["until"].replace(tzinfo=UTC))
        for word in wanted["q"].split():
            found = found.filter(text__icontains=word)
        return found
