"""Draining a real server, and its weights: what is typed on its page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Form, ModelForm
from cluster.forms.words import NumberField, spoken
from cluster.lvs import validate
from cluster.lvs.drain import Choice
from cluster.lvs.options import Options, of_server
from cluster.lvs.table import ServiceAddress
from cluster.lvs.terms import ForwardingMethod
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

    reuse = forms.BooleanField(
        label=_("Set conn_reuse_mode to 2 on the director"),
        initial=True,
        required=False,
        help_text=_(
            "A client that uses a port again within two minutes would else be sent to"
            " the drained server, as proxies with many connections do. It stays in the"
            " settings of the cluster."
        ),
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
    """What a real server is in one service: weight, thresholds, used at all or not."""

    weight = NumberField(*validate.WEIGHTS, label=_("Weight"))
    upper = NumberField(*validate.THRESHOLDS, label=_("Full at"), required=False)
    lower = NumberField(
        *validate.THRESHOLDS, label=_("Used again below"), required=False
    )
    selected = forms.BooleanField(
        required=False, widget=forms.CheckboxInput(attrs={"data-select": True})
    )

    class Meta:
        model = RealServer
        fields = ["weight", "upper", "lower", "enabled"]

    def clean_upper(self) -> int:
        return self._limit("upper")

    def clean_lower(self) -> int:
        return self._limit("lower")

    def _limit(self, name: str) -> int:
        """Return 0 for an empty field, what it was for one that was not sent."""
        if self.add_prefix(name) not in self.data:
            return int(getattr(self.instance, name))
        return self.cleaned_data[name] or 0

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        method = ForwardingMethod(self.instance.method)
        limits = (data.get("upper"), data.get("lower"))
        for field, why in of_server(method, *limits, Options()):
            if field in _LIMITS and field not in self.errors:
                self.add_error(field, spoken(why))
        return data


_LIMITS = ("upper", "lower")


class SelectedForm(Form):
    """What all selected rows shall have; what is empty stays as it is in each."""

    weight = forms.CharField(label=_("Weight"), required=False, max_length=12)
    upper = forms.CharField(label=_("Full at"), required=False, max_length=12)
    lower = forms.CharField(label=_("Used again below"), required=False, max_length=12)
    use = forms.ChoiceField(
        label=_("In use"),
        required=False,
        choices=[("", _("as it is")), ("on", _("in use")), ("off", _("switched off"))],
    )

    @property
    def typed(self) -> dict[str, str]:
        """Return what is to be changed in every selected row."""
        return {name: value for name, value in self.cleaned_data.items() if value}


def for_selected(
    data: QueryDict, rows: Iterable[RealServer], typed: dict[str, str]
) -> QueryDict:
    """Return the fields of the rows as if it had been typed into each selected one."""
    data = data.copy()
    for row in rows:
        prefix = f"row-{row.pk}"
        if f"{prefix}-selected" not in data:
            continue
        for name in ("weight", "upper", "lower"):
            if name in typed:
                data[f"{prefix}-{name}"] = typed[name]
        if typed.get("use") == "on":
            data[f"{prefix}-enabled"] = "on"
        elif typed.get("use") == "off":
            data.pop(f"{prefix}-enabled", None)
    return data


def weight_forms(
    rows: Iterable[RealServer], data: Any | None = None
) -> list[WeightForm]:
    return [WeightForm(data, instance=row, prefix=f"row-{row.pk}") for row in rows]
