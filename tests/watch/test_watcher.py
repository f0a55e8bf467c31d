"""The Watcher against a real sshd, a real broker and the database of the tests."""

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from cluster.lvs.command import Command
from cluster.models import Host, Reading, WatchLease
from cluster.remote.paramiko_shell import new_key_pair
from cluster.watch import leases, readings, store
from cluster.watch.packing import row as packed_row
from cluster.watch.stream import DirectorStream
from cluster.watch.watcher import Watcher
from tests.hosts import OTHER_KEY
from tests.watch.build import KEY

pytestmark = pytest.mark.slow


@pytest.fixture
def start(command, transactional_db):
    """Start watchers; each is stopped at the end, and leaves no thread."""
    store.client().flushdb()
    watchers = []

    def run():
        watcher = Watcher(lambda _host: command)
        watchers.append(watcher)
        watcher.start()
        return watcher

    yield run
    for watcher in watchers:
        watcher.stop()
    # A login that was under way may take its time to notice.
    eventually(lambda: not [t for t in threading.enumerate() if "watch" in t.name])


def eventually(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def sample_of(host):
    return store.latest([host.pk]).get(host.pk)


def row(host):
    return Host.objects.get(pk=host.pk)


def test_what_a_director_has_is_in_the_cache_and_in_the_database(start, make_director):
    lb01 = make_director()
    start()
    found = eventually(lambda: sample_of(lb01))
    assert found["services"][0]["key"] == KEY
    assert found["services"][0]["counters"] == (120, 683, 0, 45362, 0)
    assert "10.0.1.31" in found["addresses"]
    reading = eventually(lambda: Reading.objects.filter(director=lb01).first())
    assert packed_row(bytes(reading.data), (KEY, ""))[-2:] == (3, 101)
    eventually(lambda: row(lb01).seen_at)
    lines = eventually(lambda: store.lines([lb01.pk]).get(lb01.pk), 15)
    assert lines.whole["active"][-1] == 3.0


def test_counters_that_grow_become_rates(start, make_director, proc):
    lb01 = make_director()
    start()
    eventually(lambda: sample_of(lb01))
    text = (proc / "stats").read_text()
    (proc / "stats").write_text(text.replace("     120 ", "     180 ", 1))
    rates = eventually(
        lambda: (s := sample_of(lb01)["services"][0]["rates"]) and s[0] > 0 and s
    )
    assert rates[0] > 0


def test_trouble_is_written_down_once_and_taken_back(start, make_director, sshd):
    lb01 = make_director(ssh_port=1)
    start()
    trouble = eventually(lambda: row(lb01).trouble)
    assert trouble["kind"] == "unreachable"
    Host.objects.filter(pk=lb01.pk).update(ssh_port=sshd.port)
    eventually(lambda: row(lb01).trouble is None)
    assert sample_of(lb01)


def test_a_changed_host_key_stops_everything_for_that_host(start, make_director):
    lb01 = make_director(host_key=OTHER_KEY)
    start()
    trouble = eventually(lambda: row(lb01).trouble)
    assert trouble["kind"] == "key_changed"
    time.sleep(1.5)
    assert sample_of(lb01) is None


def test_a_key_that_a_person_accepts_starts_it_again(start, make_director, sshd):
    lb01 = make_director(host_key=OTHER_KEY)
    start()
    eventually(lambda: row(lb01).trouble)
    key = sshd.target().host_key.line
    Host.objects.filter(pk=lb01.pk).update(host_key=key)
    eventually(lambda: sample_of(lb01))
    eventually(lambda: row(lb01).trouble is None)


def test_a_login_key_that_is_not_let_in(start, make_director):
    lb01 = make_director()
    pair = new_key_pair()
    lb01.credential.public_key = pair.public
    lb01.credential.seal(pair.private.reveal())
    lb01.credential.save()
    start()
    trouble = eventually(lambda: row(lb01).trouble)
    assert trouble["kind"] == "login_refused"


def test_a_lost_connection_comes_back(start, make_director, sshd):
    lb01 = make_director()
    start()
    eventually(lambda: sample_of(lb01))
    sshd.kill_sessions()
    store.client().delete(f"live:{lb01.pk}")
    eventually(lambda: sample_of(lb01))


def test_a_deleted_director_is_left_alone(start, make_director):
    lb01 = make_director()
    watcher = start()
    eventually(lambda: sample_of(lb01))
    pk = lb01.pk
    lb01.delete()
    eventually(lambda: watcher.watched == set())
    time.sleep(0.5)  # for what was on its way into the cache just then
    store.client().delete(f"live:{pk}")
    time.sleep(1)
    assert store.latest([pk]) == {}


def test_it_watches_a_director_until_its_stream_has_ended(
    start, make_director, monkeypatch
):
    lb01 = make_director()
    ended = []

    def stop(stream, really=DirectorStream.stop):
        time.sleep(0.5)
        really(stream)
        ended.append(stream)

    monkeypatch.setattr(DirectorStream, "stop", stop)
    watcher = start()
    eventually(lambda: sample_of(lb01))
    lb01.delete()
    eventually(lambda: watcher.watched == set())
    assert ended


def test_a_director_that_is_deleted_takes_no_readings_of_others_along(
    start, make_director, monkeypatch
):
    both = {make_director(number).pk for number in (1, 2)}
    together = []

    def write(rows, really=readings.write):
        if not together and {row[0] for row in rows} == both:
            together.extend(rows)
            Host.objects.filter(pk=max(both)).delete()
        return really(rows)

    monkeypatch.setattr(readings, "write", write)
    start()
    eventually(lambda: together)
    kept = [at for director, at, _data in together if director == min(both)]
    eventually(lambda: Reading.objects.filter(at__in=kept).count() == len(kept))


def test_a_director_that_sends_frames_as_fast_as_it_can_holds_up_no_other(
    make_director, command
):
    honest, flooding = make_director(1), make_director(2)
    script = r"""exec yes "$(printf 'x\0361 2')" """
    flood = Command(("sh", "-c", script))
    watcher = Watcher(lambda host: flood if host.pk == flooding.pk else command)
    watcher.start()
    try:
        eventually(lambda: watcher.watched and sample_of(honest))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            age = time.time() - sample_of(honest)["at"]
            assert age < 2
            assert len(watcher._arrived) <= 2
            time.sleep(0.1)
    finally:
        watcher.stop()


def test_two_workers_share_and_one_follows_the_other(start, make_director):
    hosts = {make_director(number).pk for number in range(1, 5)}
    first = start()
    eventually(lambda: first.watched == hosts)
    second = start()
    eventually(lambda: len(first.watched) == len(second.watched) == 2)
    assert first.watched | second.watched == hosts
    first.stop()
    eventually(lambda: second.watched == hosts)


def test_it_takes_over_at_the_end_of_a_lease_not_with_its_next_cycle(
    start, make_director, monkeypatch
):
    monkeypatch.setattr("cluster.watch.watcher.CYCLE", 60.0)
    lb01, end = make_director(), timezone.now() + timedelta(seconds=2)
    dead = uuid.uuid4()
    WatchLease.objects.create(director=lb01, owner=dead, until=end)
    watcher = start()
    eventually(lambda: watcher.watched)
    assert timezone.now() >= end


def test_what_it_heard_is_written_with_its_lease_or_not_at_all(
    make_director, monkeypatch
):
    mine, lost = make_director(1).pk, make_director(2).pk
    watcher, other = Watcher(), uuid.uuid4()
    leases.claim(watcher.owner, 2)
    WatchLease.objects.filter(director=lost).update(owner=other)
    watcher._readings = [(mine, 1.0, b"a"), (lost, 1.0, b"b")]
    assert watcher._keep() == {mine}
    assert list(Reading.objects.values_list("director", "at")) == [(mine, 1.0)]

    (until,) = WatchLease.objects.filter(director=mine).values_list("until", flat=True)
    monkeypatch.setattr(readings, "write", broken_database)
    with pytest.raises(DatabaseError):
        watcher._keep()
    assert WatchLease.objects.get(director=mine).until == until


def broken_database(_rows):
    raise DatabaseError


def test_it_stops_within_five_seconds_and_gives_its_directors_back(
    start, make_director
):
    lb01 = make_director()
    watcher = start()
    eventually(lambda: sample_of(lb01))
    begin = time.monotonic()
    watcher.stop()
    assert time.monotonic() - begin < 5
    lease = WatchLease.objects.get(director=lb01)
    assert (lease.owner, lease.until) == (None, None)


def test_rights_that_are_missing_are_told_in_words(start, make_director, proc):
    (proc / "stats").unlink()
    lb01 = make_director()
    start()
    trouble = eventually(lambda: row(lb01).trouble)
    assert trouble["kind"] == "no_answer"
    assert "No such file" in str(trouble)
    # Its table is shown all the same.
    assert sample_of(lb01)["services"][0]["counters"] is None
