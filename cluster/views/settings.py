"""Settings of a cluster's directors, and redundancy: what is wished, what hosts have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import BoundField
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cluster.forms.confirm_window import ConfirmWindowForm
from cluster.forms.settings import TIMEOUTS, RedundancyEntry, SettingsForm
from cluster.forms.words import spoken
from cluster.lvs import settings_check
from cluster.lvs.edits import joined
from cluster.lvs.ipvs_sysctls import CATALOGUE, Group, IpvsSysctl, lacking
from cluster.lvs.settings import Settings, SyncDaemon
from cluster.lvs.wish_edits import settings_edits
from cluster.lvs.words import Sentence, say
from cluster.models import Cluster, Host
from cluster.views.request import PersonRequest
from cluster.views.runs import start_review
from cluster.views.services import log

_require_form = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: its field, and what each director had when it was last seen."""

    field: BoundField
    there: list[tuple[str, str]]
    sysctl: IpvsSysctl | None = None
    lacks: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the directors have more than one value."""
        return len({value for _name, value in self.there}) > 1


@_require_form
def settings(request: PersonRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    form = SettingsForm(cluster, _posted(request))
    if form.is_bound and form.is_valid():
        return _saved(request, cluster, form.wished, cluster.director, "settings")
    window = ConfirmWindowForm(instance=cluster)
    status = 422 if form.is_bound else 200
    return settings_page(request, cluster, window, form, status=status)


def settings_page(
    request: PersonRequest,
    cluster: Cluster,
    window: ConfirmWindowForm,
    form: SettingsForm | None = None,
    *,
    status: int,
) -> HttpResponse:
    form = form or SettingsForm(cluster)
    context = {
        "cluster": cluster,
        "form": form,
        "window": window,
        "timeouts": timeouts(cluster, form),
        "groups": groups(cluster, form),
    }
    return render(request, "cluster/settings.html", context, status=status)


def timeouts(cluster: Cluster, form: SettingsForm) -> list[SettingRow]:
    states = [(host.name, host.state) for host in cluster.hosts.directors()]

    def there(key: str) -> list[tuple[str, str]]:
        values = (
            (name, getattr(state.settings.timeouts, key))
            for name, state in states
            if state
        )
        return [(name, f"{value} s") for name, value in values if value is not None]

    return [SettingRow(form[key], there(key)) for key in TIMEOUTS]


def groups(
    cluster: Cluster, form: SettingsForm
) -> list[tuple[Group, list[SettingRow]]]:
    """Return the sysctls by what they are about, each with the values of the hosts."""
    states = [(host.name, host.state) for host in cluster.hosts.directors()]
    seen = [(name, dict(state.sysctls)) for name, state in states if state]

    def row(one: IpvsSysctl) -> SettingRow:
        there = [(name, now[one.key]) for name, now in seen if one.key in now]
        lacks = tuple(name for name, now in seen if lacking([one.name], now))
        return SettingRow(form[one.name], there, one, lacks)

    return [
        (group, [row(one) for one in CATALOGUE if one.group is group])
        for group in Group
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """A director with its forms, and what it had when it was last seen."""

    host: Host
    rows: list[object]
    running: tuple[SyncDaemon, ...]
    is_active: bool
    holds: list[str]


@_require_form
def redundancy(request: PersonRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    entry = RedundancyEntry(cluster, _posted(request))
    if entry.form.is_bound and entry.is_valid():
        for told in settings_check.unheard(entry.wished):
            messages.warning(request, spoken(told))
        return _saved(request, cluster, entry.wished, entry.director, "redundancy")
    context = {
        "cluster": cluster,
        "entry": entry,
        "form": entry.form,
        "standings": [_standing(cluster, entry, host) for host in entry.directors],
    }
    status = 422 if entry.form.is_bound else 200
    return render(request, "cluster/redundancy.html", context, status=status)


def _standing(cluster: Cluster, entry: RedundancyEntry, host: Host) -> Standing:
    state = host.state
    vips = {vip.address for vip in cluster.vips.all()}
    bound = (str(b.address) for b in state.addresses) if state else ()
    return Standing(
        host,
        [row for row in entry.rows if row.host == host],
        state.settings.daemons if state else (),
        host.pk == cluster.director_id,
        [address for address in bound if address in vips],
    )


def _posted(request: PersonRequest) -> object:
    """Return what was sent; everybody may look, only operators may change."""
    if request.method != "POST":
        return None
    if not request.user.may_operate:
        raise PermissionDenied(_("This needs the role operator. Nothing was changed."))
    return request.POST


def _saved(
    request: PersonRequest,
    cluster: Cluster,
    wished: Settings,
    director: Host | None,
    page: str,
) -> HttpResponse:
    with transaction.atomic():
        row = Cluster.objects.select_for_update().get(pk=cluster.pk)
        told = list(_told(row, wished, director))
        row.settings, row.director = wished.as_json(), director
        row.save(update_fields=["settings", "director"])
        if told:
            log(request, cluster, say("Settings: {edits}", edits=joined(told)))
    if not told:
        messages.info(request, _("Nothing was changed."))
    elif request.POST.get("next") == "review":
        return start_review(request, cluster)
    else:
        text = _("Saved. Nothing is sent before you review and apply.")
        messages.success(request, text)
    return redirect(f"cluster:{page}", cluster.slug)


def _told(row: Cluster, wished: Settings, director: Host | None) -> Iterable[Sentence]:
    before = row.director
    if director and before != director:
        yield say("active director {before} → {after}",
                  before=before.name if before else "-", after=director.name)  # fmt: skip
    yield from settings_edits(row.wished_settings, wished)
