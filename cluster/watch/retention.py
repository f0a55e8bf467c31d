"""The end of old readings."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from cluster.models import Host, Reading

KEEP = timedelta(hours=48)
EVERY_SECONDS = 600
# A transaction stays short: others wait for it with an embedded database.
AT_ONCE = 2000


def prune_readings() -> int:
    """Delete rows older than 48 h and return how many; does nothing most of the time.

    Called with every tick, works every ten minutes, in whichever worker is first.
    """
    if not cache.add("prune-readings", 1, timeout=EVERY_SECONDS):
        return 0
    until = timezone.now() - KEEP
    pruned = 0
    for pk in Host.objects.directors().values_list("pk", flat=True):
        old = Reading.objects.filter(director=pk, at__lt=until).order_by("at")
        while pks := list(old.values_list("pk", flat=True)[:AT_ONCE]):
            pruned += Reading.objects.filter(pk__in=pks).delete()[0]
    return pruned
