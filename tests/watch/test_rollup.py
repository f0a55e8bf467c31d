"""Readings become history exactly once, whoever does it and whenever he dies."""

import threading

import pytest
from django.db import connection, transaction

from cluster.lvs.rates import Rates
from cluster.models import HistoryChunk, HistoryMark, Host, HostEvent, Reading
from cluster.watch import rollup
from cluster.watch.chunks import decode
from cluster.watch.levels import COUNT, LEVELS, MINUTE, QUARTER, RAW, SUM
from cluster.watch.packing import HOSTS, pack
from tests.hosts import make_host
from tests.watch.build import KEY, WEB1, sample

START = 1_764_000_000 // 86400 * 86400  # midnight, so that all levels begin here
LATER = START + 86400


def keep(director, seconds, conns=1.0, **changes):
    rates = dict.fromkeys(("", KEY, WEB1), Rates(conns, 0, 0, 0, 0))
    made = sample(START + seconds, **{"rates": rates} | changes)
    Reading.objects.create(director=director, at=made.at, data=pack(made))


def columns(level, start, group=KEY, name=""):
    chunks = HistoryChunk.objects.filter(level=level.number, start=start, group=group)
    block = decode(bytes(chunks.get().data))
    return list(block.axis), [list(column) for column in block.series[name]]


def fold_all(director, now=LATER):
    folds = 0
    while rollup.fold(director.pk, now):
        folds += 1
    return folds


def conns_of(level):
    """Return all sums and counts of connections of the service, in order."""
    chunks = HistoryChunk.objects.filter(level=level.number, group=KEY)
    found = []
    for chunk in chunks.order_by("start"):
        four = decode(bytes(chunk.data)).series[""][:4]
        found += zip(four[SUM], four[COUNT], strict=True)
    return found


@pytest.fixture
def lb01(transactional_db):
    return make_host("lb01", role=Host.Role.DIRECTOR)


def test_readings_become_columns_minutes_and_a_quarter(lb01):
    for seconds in range(0, 900, 2):
        keep(lb01, seconds, conns=seconds // 60)
    assert fold_all(lb01) == 3
    assert not Reading.objects.exists()
    axis, raw = columns(RAW, START + 300)
    assert axis[:2] == [0, 2000]
    assert raw[0][:31] == [5.0] * 30 + [6.0]
    assert conns_of(MINUTE) == [(minute * 30, 30) for minute in range(15)]
    assert conns_of(QUARTER) == [(30 * sum(range(15)), 450)]
    groups = HistoryChunk.objects.filter(level=RAW.number, start=START)
    assert {chunk.group for chunk in groups} == {"", KEY, HOSTS}
    assert columns(RAW, START, HOSTS, "10.0.1.6")[1][0][-1] == 4.0


def test_the_last_five_minutes_are_left_alone(lb01):
    for seconds in range(0, 620, 2):
        keep(lb01, seconds)
    fold_all(lb01, START + 610)
    assert Reading.objects.count() == 310 - 150
    fold_all(lb01, START + 616)
    assert Reading.objects.count() == 310 - 300
    assert HistoryMark.objects.get().until == START + 600


def test_a_quarter_is_closed_though_nothing_more_comes(lb01):
    keep(lb01, 10)
    fold_all(lb01, START + 500)
    assert conns_of(QUARTER) == []
    fold_all(lb01, START + 3000)
    assert conns_of(QUARTER) == [(1, 1)]
    assert rollup.due(START + 3000) == []
    assert rollup.due(START + 3400) == [lb01.pk]


def test_a_service_that_has_gone_is_in_its_quarter(lb01):
    keep(lb01, 10)
    for seconds in range(300, 900, 2):
        keep(lb01, seconds, services=(), rates={})
    fold_all(lb01)
    assert conns_of(QUARTER) == [(1, 1)]


def test_a_table_that_changes_within_five_minutes(lb01):
    keep(lb01, 0, services=(), rates={})
    keep(lb01, 2)
    keep(lb01, 4)
    keep(lb01, 6, services=(), rates={})
    fold_all(lb01)
    assert columns(RAW, START)[0] == [2000, 4000]
    assert columns(RAW, START, "")[0] == [0, 2000, 4000, 6000]


def test_readings_that_come_late_are_merged_once(lb01):
    for seconds in (0, 4, 60):
        keep(lb01, seconds)
    fold_all(lb01)
    for seconds in (2, 62):
        keep(lb01, seconds, conns=7.0)
    fold_all(lb01)
    assert columns(RAW, START)[0] == [0, 2000, 4000, 60_000, 62_000]
    assert conns_of(MINUTE) == [(9, 3), (8, 2)]
    assert conns_of(QUARTER) == [(17, 5)]


def test_rolling_up_again_changes_nothing(lb01):
    for seconds in range(0, 900, 2):
        keep(lb01, seconds)
    fold_all(lb01)
    before = list(HistoryChunk.objects.order_by("pk").values())
    assert fold_all(lb01) == 0
    assert list(HistoryChunk.objects.order_by("pk").values()) == before


class Died(Exception):
    """The worker is gone."""


@pytest.mark.parametrize("statement", range(8))
def test_death_at_any_statement_loses_and_doubles_nothing(lb01, statement):
    for seconds in range(0, 900, 2):
        keep(lb01, seconds)
    left = statement

    def die(execute, sql, params, many, context):
        nonlocal left
        if connection.in_atomic_block:
            if left == 0:
                raise Died
            left -= 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(die):
        try:
            fold_all(lb01)
        except Died:
            pass
    fold_all(lb01)
    assert not Reading.objects.exists()
    assert conns_of(MINUTE) == [(30, 30)] * 15
    assert conns_of(QUARTER) == [(450, 450)]


def test_who_comes_second_writes_nothing(lb01):
    """Both have read the same; one commits in between."""
    for seconds in range(0, 300, 2):
        keep(lb01, seconds)
    mark = HistoryMark.objects.create(director=lb01)
    slow = rollup.Work(mark, START + 300)
    rows = Reading.objects.order_by("at").values_list("pk", "at", "data")
    slow.take(START, [(pk, at, bytes(data)) for pk, at, data in rows])
    slow.close_quarters()
    fold_all(lb01)
    assert slow.write() is False
    assert conns_of(MINUTE) == [(30, 30)] * 5


def test_two_workers_at_once_never_count_twice(lb01):
    for seconds in range(0, 1800, 2):
        keep(lb01, seconds)
    failed = []

    def work():
        try:
            for _ in range(12):
                rollup.fold(lb01.pk, LATER)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []
    fold_all(lb01)
    assert conns_of(MINUTE) == [(30, 30)] * 30
    assert conns_of(QUARTER) == [(450, 450)] * 2


def test_a_reset_leaves_a_hole_and_a_boot_leaves_a_mark(lb01):
    rates = dict.fromkeys(("", KEY, WEB1))
    keep(lb01, 0)
    keep(lb01, 2, rates=rates, boot_id="boot-2")
    keep(lb01, 4, boot_id="boot-2")
    keep(lb01, 400, boot_id="boot-3")
    fold_all(lb01)
    axis, raw = columns(RAW, START)
    assert axis == [0, 2000, 4000]
    assert str(raw[0]) == "[1.0, nan, 1.0]"
    events = HostEvent.objects.values_list("kind", "at")
    assert [(kind, at.timestamp() - START) for kind, at in events] == [
        ("rebooted", 2.0),
        ("rebooted", 400.0),
    ]


def test_a_reading_that_cannot_be_read_holds_nothing_up(lb01):
    keep(lb01, 0)
    Reading.objects.create(director=lb01, at=START + 1, data=b"\x01 of old")
    Reading.objects.create(director=lb01, at=START + 1.5, data=b"")
    fold_all(lb01)
    assert not Reading.objects.exists()
    assert conns_of(MINUTE) == [(1, 1)]


def test_the_task_works_on_all_directors(lb01):
    other = make_host(
        "lb02",
        cluster=lb01.cluster,
        role=Host.Role.DIRECTOR,
        address="10.0.1.5",
        credential=lb01.credential,
    )
    for director in (lb01, other):
        keep(director, 0)
        keep(director, 900)
    assert rollup.roll_up(LATER) == 4
    assert HistoryChunk.objects.filter(level=RAW.number, group="").count() == 4
    assert rollup.roll_up(LATER) == 0
    assert {level.number for level in LEVELS} == {0, 1, 2}
    assert transaction.get_autocommit()
