"""How long a run waits for somebody to say "keep", before every host takes it back."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import ModelForm
from cluster.models import Cluster

# Long enough for the run itself, short enough to be waited for.
SHORTEST, LONGEST = 60, 3600


class ConfirmWindowForm(ModelForm[Cluster]):
    class Meta:
        model = Cluster
        fields = ["confirm_seconds", "keep_by_probe"]
        labels = {
            "confirm_seconds": _("Seconds to say keep"),
            "keep_by_probe": _("The probe host may say it"),
        }
        help_texts = {
            "confirm_seconds": _(
                "0: what was applied and read back stays. They count from the first"
                " command of a run, so they must be enough for the run as well."
            ),
            "keep_by_probe": _(
                "Keeps the run by itself as soon as a client reaches every TCP service"
                " through its VIP."
            ),
        }

    def clean_confirm_seconds(self) -> int:
        seconds = int(self.cleaned_data["confirm_seconds"])
        if seconds and not SHORTEST <= seconds <= LONGEST:
            raise ValidationError(
                _("Either 0, or between %(low)d and %(high)d seconds."),
                params={"low": SHORTEST, "high": LONGEST},
            )
        return seconds

    def clean_keep_by_probe(self) -> bool:
        wanted = bool(self.cleaned_data["keep_by_probe"])
        probes = self.instance.hosts.filter(role="probe")
        if wanted and not probes.exists():
            raise ValidationError(_("The cluster has no client (probe) host."))
        return wanted
