"""The looks of every form; templates/django/forms/field.html draws the fields."""

from typing import Any, TypeVar

from django import forms
from django.db.models import Model
from django.forms import widgets

M = TypeVar("M", bound=Model)

_CLASSES: tuple[tuple[tuple[type[forms.Widget], ...], str], ...] = (
    ((widgets.CheckboxInput,), "form-check-input"),
    ((widgets.RadioSelect,), "choices"),  # CheckboxSelectMultiple is one of them
    ((widgets.Select,), "form-select"),
    ((widgets.Input, widgets.Textarea), "form-control"),
)


def css_class(widget: forms.Widget) -> str:
    """Return Tabler's class for a widget; CheckboxInput before Input, its parent."""
    return next((name for kinds, name in _CLASSES if isinstance(widget, kinds)), "")


class Styled:
    """Give every widget its class. Mix in before a form class of Django."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.style()

    def style(self) -> None:
        """Call it again after fields were added."""
        for field in self.fields.values():
            if css_class(field.widget) in field.widget.attrs.get("class", "").split():
                continue
            own = field.widget.attrs.get("class", "")
            field.widget.attrs["class"] = f"{css_class(field.widget)} {own}".strip()


class Form(Styled, forms.Form):
    pass


class ModelForm(Styled, forms.ModelForm[M]):
    pass
