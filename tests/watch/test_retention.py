from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from cluster.models import Host, Reading
from cluster.watch import retention
from tests.hosts import make_host


@pytest.mark.django_db
def test_readings_end_after_48_hours(monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    lb01 = make_host("lb01", role=Host.Role.DIRECTOR)
    now = timezone.now()
    for hours in (1, 47, 49, 50, 51, 52, 53):
        at = now - timedelta(hours=hours)
        Reading.objects.create(director=lb01, at=at, data=b"")
    assert retention.prune_readings() == 5
    assert Reading.objects.count() == 2


@pytest.mark.django_db
def test_it_works_once_in_ten_minutes_however_often_it_is_called():
    retention.prune_readings()
    make_host("lb01", role=Host.Role.DIRECTOR)
    old = timezone.now() - timedelta(hours=50)
    Reading.objects.create(director=Host.objects.get(), at=old, data=b"")
    assert retention.prune_readings() == 0
    cache.clear()
    assert retention.prune_readings() == 1
