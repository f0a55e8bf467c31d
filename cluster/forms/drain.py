"""Draining a real server, and its weights: what is typed on its page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Form, ModelForm
from cluster.lvs.drain import Choice
from cluster.lvs.table import ServiceAddress
from cluster.models import RealServer

MOST_MINUTES = 7 * 24 * 60
MINUTE = timedelta(minutes=1)


class DrainForm(Form):
    """Minutes and percent as people say them; *choice* is what the core wants."""

    services = forms.MultipleChoiceField(
        label=_("Virtual services"), widget=forms.CheckboxSelectMultiple
    )
    deadline = forms.IntegerField(
        label=_("Deadline, minutes"),
        initial=10,
        min_value=0,
        max_value=MOST_MINUTES,
        help_text=_("Counted from the moment when the weight is 0."),
    )
    at_deadline = forms.ChoiceField(
        label=_("Connections left at the deadline"),
        initial="ask",
        choices=[("ask", _("stop and ask me")), ("cut", _("cut them"))],
        widget=forms.RadioSelect,
    )
    floor = forms.IntegerField(
        label=_("Floor, percent"),
        initial=50,
        min_value=0,
        max_value=100,
        help_text=_("So much of the weight of each service must stay."),
    )
    afterwards = forms.ChoiceField(
        label=_("When nobody is left"),
        initial="out",
        choices=[("out", _("take it out")), ("stay", _("leave it at weight 0"))],
        widget=forms.RadioSelect,
    )
    slow_start = forms.IntegerField(
        label=_("Slow start, minutes"),
        initial=0,
        min_value=0,
        max_value=MOST_MINUTES,
        help_text=_("Over so long its weight grows when it comes back; 0 is at once."),
    )
    may_wait = forms.BooleanField(
        label=_("Wait until other real servers are back, if the floor needs them"),
        required=False,
    )

    def __init__(
        self, services: Iterable[ServiceAddress], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.known = {str(at): at for at in services}
        field = self.fields["services"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - as above
        field.choices = [(name, name) for name in self.known]
        if not self.is_bound and "services" not in self.initial:
            self.initial["services"] = list(self.known)

    @property
    def chosen(self) -> list[ServiceAddress]:
        return [self.known[name] for name in self.cleaned_data["services"]]

    @property
    def choice(self) -> Choice:
        data = self.cleaned_data
        return Choice(
            patience=data["deadline"] * MINUTE,
            cut=data["at_deadline"] == "cut",
            take_out=data["afterwards"] == "out",
            slow_start=data["slow_start"] * MINUTE,
        )


class MoreTimeForm(Form):
    minutes = forms.IntegerField(
        label=_("More minutes"), initial=10, min_value=1, max_value=MOST_MINUTES
    )


class WeightForm(ModelForm[RealServer]):
    """The weight of a real server in one service, and whether it is used at all."""

    class Meta:
        model = RealServer
        fields = ["weight", "enabled"]


def weight_forms(
    rows: Iterable[RealServer], data: Any | None = None
) -> list[WeightForm]:
    return [WeightForm(data, instance=row, prefix=f"row-{row.pk}") for row in rows]
