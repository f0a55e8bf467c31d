"""What pages keep of a wish: as long as nobody has changed it, and no longer."""

import pytest

from cluster import audit
from cluster.kept import Kept
from cluster.lvs.words import say
from cluster.models import AuditEvent, Cluster
from tests.hosts import make_cluster

pytestmark = pytest.mark.django_db


def somebody_writes() -> None:
    audit.append(audit.Actor(), AuditEvent.Action.CHANGED, say("Something changed"))


def test_it_is_read_again_after_each_event_and_not_before():
    clusters = make_cluster("one"), make_cluster("two")
    asked: list[str] = []

    def read(cluster: Cluster) -> int:
        asked.append(cluster.slug)
        return len(asked)

    keep = Kept(read)
    assert [keep(one) for one in (*clusters, *clusters)] == [1, 2, 1, 2]
    somebody_writes()
    assert [keep(one) for one in (*clusters, *clusters)] == [3, 4, 3, 4]
    assert asked == ["one", "two", "one", "two"]


def test_it_does_not_grow_with_the_number_of_clusters():
    keep = Kept(lambda cluster: cluster.slug)
    keep.MOST = 2
    for name in ("one", "two", "three"):
        assert keep(make_cluster(name)) == name
    assert len(keep._found) == 1
