"""What pages keep of a wish: as long as nobody has changed it, and no longer."""

import pytest

from cluster import audit
from cluster.kept import Kept, KeptRows
from cluster.lvs.words import say
from cluster.models import AuditEvent, Cluster, Host
from tests.hosts import make_cluster, make_host

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


def test_to_see_whether_it_is_still_true_is_one_question(django_assert_num_queries):
    cluster = make_cluster("one")
    keep = Kept(lambda cluster: cluster.slug)
    for _time in range(2):
        somebody_writes()
        with django_assert_num_queries(2):
            assert [keep(cluster), keep(cluster)] == ["one", "one"]


def test_it_does_not_grow_with_the_number_of_clusters():
    keep = Kept(lambda cluster: cluster.slug)
    keep.MOST = 2
    for name in ("one", "two", "three"):
        assert keep(make_cluster(name)) == name
    assert len(keep._found) == 1


def test_rows_are_objects_anew_only_when_one_is_another():
    cluster = make_cluster("one")
    host = make_host("web1", cluster=cluster)
    other = make_host("web9", cluster=make_cluster("two"), address="10.0.1.9")
    keep = KeptRows(lambda pk: Host.objects.filter(cluster=pk))
    first = keep(cluster.pk)
    assert first == (host,)
    assert keep(cluster.pk)[0] is first[0]
    Host.objects.filter(pk=other.pk).update(trouble={"kind": "off"})
    assert keep(cluster.pk)[0] is first[0]
    Host.objects.filter(pk=host.pk).update(trouble={"kind": "off"})
    assert keep(cluster.pk)[0].trouble == {"kind": "off"}
    new = make_host("web2", cluster=cluster, address="10.0.1.8")
    assert keep(cluster.pk) == (host, new)
    new.delete()
    assert keep(cluster.pk) == (host,)


def test_rows_are_asked_for_in_one_query_while_nothing_changes(
    django_assert_num_queries,
):
    cluster = make_cluster("one")
    make_host("web1", cluster=cluster)
    keep = KeptRows(lambda pk: Host.objects.filter(cluster=pk))
    keep(cluster.pk)
    with django_assert_num_queries(1):
        keep(cluster.pk)


def test_rows_of_few_clusters_are_kept():
    keep = KeptRows(lambda pk: Host.objects.filter(cluster=pk))
    keep.MOST = keep._rows.MOST = 2
    for name in ("one", "two", "three"):
        cluster = make_cluster(name)
        assert keep(cluster.pk) == ()
    assert len(keep._found) == len(keep._rows._asked) == 1
