"""Forms: what a person may type, checked before anything is saved."""

from typing import Any

from django.forms import BaseForm


def _itself(form: type[BaseForm], _model: Any) -> type[BaseForm]:
    return form


# ModelForm[Host] is known to the stubs but not to Django itself. The package that
# patches all of Django costs each process 0.2 s and 10 MB; this is all we need of it.
BaseForm.__class_getitem__ = classmethod(_itself)  # type: ignore[attr-defined]
