import math
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from cluster.models import Host, WatchLease
from cluster.watch import leases, store
from tests.hosts import make_cluster, make_credential, make_host

pytestmark = pytest.mark.django_db
ME, YOU = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture(autouse=True)
def _nobody_lives():
    store.client().delete("watch:workers")


@pytest.fixture
def directors():
    cluster, credential = make_cluster("many"), make_credential()
    return [
        make_host(
            f"lb{number:02}",
            cluster=cluster,
            role=Host.Role.DIRECTOR,
            address=f"10.0.1.{number}",
            credential=credential,
        ).pk
        for number in range(1, 6)
    ]


def expire():
    WatchLease.objects.update(until=timezone.now() - timedelta(seconds=1))


def test_a_director_is_watched_by_one_worker_only(directors):
    assert leases.claim(ME, 3) == set(directors[:3])
    assert leases.claim(YOU, 5) == set(directors[3:])
    assert leases.claim(ME, 5) == set()
    assert leases.renew(ME) == set(directors[:3])


def test_a_dead_worker_is_followed_when_its_lease_is_over(directors):
    leases.claim(ME, 5)
    assert leases.claim(YOU, 5) == set()
    expire()
    assert leases.claim(YOU, 5) == set(directors)
    assert leases.renew(ME) == set()  # it comes back and finds that it was followed


def test_a_lease_that_is_renewed_too_late_is_kept_while_nobody_has_taken_it(directors):
    leases.claim(ME, 5)
    expire()
    assert leases.renew(ME) == set(directors)
    assert leases.claim(YOU, 5) == set()


def test_a_worker_looks_again_when_the_first_lease_of_another_ends(directors):
    assert leases.first_end(ME) == math.inf
    leases.claim(ME, 2)
    assert leases.first_end(ME) == math.inf
    leases.claim(YOU, 3)
    # The clock of SQLite cuts off what is less than a millisecond.
    assert 4 < leases.first_end(ME) < leases.LEASE.total_seconds() + 0.01
    soon = timezone.now() + timedelta(seconds=2)
    WatchLease.objects.filter(director=directors[4]).update(until=soon)
    assert 0 < leases.first_end(ME) < 2.01
    expire()
    assert leases.first_end(ME) == math.inf


def test_what_is_released_is_free_at_once(directors):
    leases.claim(ME, 5)
    leases.release(ME, directors[:2])
    assert leases.claim(YOU, 5) == set(directors[:2])


def test_nobody_releases_what_is_anothers(directors):
    leases.claim(ME, 5)
    leases.release(YOU, directors)
    assert leases.renew(ME) == set(directors)


def test_only_accepted_directors_are_watched(directors):
    Host.objects.filter(pk=directors[0]).update(host_key="")
    Host.objects.filter(pk=directors[1]).update(role=Host.Role.PROBE)
    assert leases.claim(ME, 5) == set(directors[2:])
    Host.objects.filter(pk=directors[2]).update(host_key="")
    assert leases.renew(ME) == set(directors[3:])


def test_living_workers_share(directors):
    assert leases.fair_share(ME) == 5
    assert leases.fair_share(YOU) == 3
    assert leases.fair_share(ME) == 3
    leases.leave(YOU)
    assert leases.fair_share(ME) == 5


def test_a_dead_worker_counts_no_more_when_its_leases_end(directors):
    leases.living_workers(YOU)
    leases.claim(YOU, 5)
    (said_at,) = store.client().zmscore("watch:workers", [str(YOU)])
    store.client().zadd(
        "watch:workers", {str(YOU): said_at - leases.LEASE.total_seconds()}
    )
    expire()
    assert leases.claim(ME, leases.fair_share(ME)) == set(directors)


def test_without_the_cache_the_leases_say_who_lives(directors, settings, tmp_path):
    leases.claim(YOU, 2)
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock?db=0"
    assert leases.living_workers(ME) == 2
