"""A new cluster: only its name; hosts and services come afterwards."""

from __future__ import annotations

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import ModelForm
from cluster.models import Cluster

# Addresses that are pages of ours: /clusters/new/
_TAKEN = frozenset(("new",))


class ClusterForm(ModelForm[Cluster]):
    class Meta:
        model = Cluster
        fields = ["name", "note"]
        widgets = {"note": forms.Textarea(attrs={"rows": 3})}
        help_texts = {
            "name": _("What your people call it, such as production-web."),
        }

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        slug = slugify(name)[:64]
        if not slug or slug in _TAKEN:
            raise forms.ValidationError(
                _("Use letters and digits: the address of its page is made of them.")
            )
        if Cluster.objects.filter(slug=slug).exists():
            raise forms.ValidationError(
                _("Another cluster has the address /clusters/%(slug)s/ already."),
                params={"slug": slug},
            )
        self.instance.slug = slug
        return name
