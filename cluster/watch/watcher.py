"""The manager: claims directors, keeps their streams, writes down what they say.

Three threads of our own besides those that keep connections: ``watch`` decides and
writes to the database, ``watch-read`` makes samples of frames, ``watch-publish`` writes
to the live cache. A slow database does not hold up the pages, and a lost cache does not
lose a lease. Frames are read together: one by one, between other work, each takes twice
as long, because nothing that it needs is left in the caches of the processor.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import redis
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    close_old_connections,
    connections,
    transaction,
)
from django.utils import timezone

from cluster.control.trouble import clear_trouble, record_trouble
from cluster.host_condition import Condition
from cluster.lvs.command import Command
from cluster.lvs.frame import WATCH
from cluster.models import Host
from cluster.remote.shell import RemoteError
from cluster.watch import leases, readings, store
from cluster.watch.heap import Heap
from cluster.watch.lookout import LOOK_EVERY, Lookout
from cluster.watch.packing import pack
from cluster.watch.sample import Sample
from cluster.watch.sparks import Sparks
from cluster.watch.store import News
from cluster.watch.stream import (
    IDENTITY,
    MOST_WAITING,
    DirectorStream,
    in_background,
)

log = logging.getLogger(__name__)

CYCLE = 2.0
STEP = 0.25
# While logins go on: the next begin when others have ended, not a quarter second later.
OPENING_STEP = 0.05
# Frames wait so long for others of the same round (remote/rounds.py): they are read
# together, and the bell is rung once.
GATHER = 0.02
OPEN_AT_ONCE = 16
CLOSE_PATIENCE = 3.0
SEEN_EVERY = timedelta(seconds=10)
# A stream proves all of these wrong; what sudo refuses it may not have asked for.
_DISPROVED = frozenset(
    condition.value
    for condition in Condition
    if condition is not Condition.RIGHTS_MISSING
)


def _watch(_director: Host) -> Command:
    return WATCH


class Watcher:
    """One per worker process; start it once, stop it once."""

    def __init__(self, command_for: Callable[[Host], Command] = _watch) -> None:
        self.owner = uuid.uuid4()
        self._command_for = command_for
        self._streams: dict[int, DirectorStream] = {}
        self._logins: dict[int, list[object]] = {}
        self._sparks: dict[int, Sparks] = {}
        self._lock = threading.Lock()
        # Streams with frames, in the order in which they came: a director that sends
        # as fast as it can is in here once, too.
        self._arrived: dict[DirectorStream, None] = {}
        self._some_arrived = threading.Event()
        self._fresh: dict[int, tuple[DirectorStream, Sample]] = {}
        self._readings: list[readings.Row] = []
        self._lookout = Lookout(self._streams.get)
        self._told: dict[int, RemoteError] = {}
        self._cycles = 0
        self._heap = Heap()
        self._first_end = math.inf
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._manager = threading.Thread(target=self._manage, name="watch")
        self._reader = threading.Thread(target=self._read, name="watch-read")
        self._publisher = threading.Thread(target=self._publish, name="watch-publish")
        self._threads = (self._manager, self._reader, self._publisher)

    @property
    def watched(self) -> set[int]:
        """The directors that this worker has."""
        return set(self._streams)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End all streams and give the directors back."""
        end = time.monotonic() + timeout
        self._stopping.set()
        self._news.set()
        self._some_arrived.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(end - time.monotonic(), 0.1))

    # -- the manager thread -----------------------------------------------------------

    def _manage(self) -> None:
        next_cycle, pause = 0.0, STEP
        try:
            while not self._stopping.wait(pause):
                if (now := time.monotonic()) >= next_cycle:
                    self._first_end = math.inf
                    self._try_cycle()
                    next_cycle = min(now + CYCLE, self._first_end)
                pause = OPENING_STEP if self._step() else STEP
        finally:
            self._end()
            if not self._stopping.is_set():
                # A worker without its manager would only look alive: it ends, and
                # whoever supervises it starts another.
                log.critical("The watcher has failed; this worker ends.")
                os.kill(os.getpid(), signal.SIGTERM)

    def _step(self) -> int:
        """Look after each stream; return how many are being opened."""
        opening = sum(stream.is_opening for stream in self._streams.values())
        for stream in self._streams.values():
            stream.step(may_open=opening < OPEN_AT_ONCE)
            opening += stream.is_opening
        self._heap.step(opening)
        return opening

    def _try_cycle(self) -> None:
        try:
            close_old_connections()
            self._cycle()
        except (DatabaseError, InterfaceError) as error:
            # Leases run out meanwhile, and then our updates will find no rows.
            log.warning("The database did not answer the watcher: %s", error)

    def _cycle(self) -> None:
        fair = leases.fair_share(self.owner)
        mine = self._keep()
        mine |= leases.claim(self.owner, fair - len(mine))
        surplus = sorted(mine)[fair:]
        mine.difference_update(surplus)
        # Logins change so seldom that every other time is often enough.
        self._cycles += 1
        if mine != self.watched or self._cycles % 2:
            self._settle(mine)
        if surplus:
            leases.release(self.owner, surplus)
        self._tell_troubles()
        self._first_end = time.monotonic() + leases.first_end(self.owner)

    def _settle(self, mine: set[int]) -> None:
        """Have exactly the streams of *mine*, each with the login of its row now."""
        # Again and again: values cost a tenth of what rows as objects do.
        rows = Host.objects.filter(pk__in=mine)
        now = {
            pk: (login, trouble, seen_at)
            for pk, trouble, seen_at, *login in rows.values_list(
                "pk", "trouble", "seen_at", *IDENTITY
            )
        }
        gone = []
        for pk, stream in self._streams.items():
            if pk in now and now[pk][0] == self._logins[pk]:
                _login, stream.host.trouble, stream.host.seen_at = now[pk]
            else:
                gone.append(pk)
        # Not watched any more means that nothing comes any more.
        self._stop_streams([self._streams[pk] for pk in gone])
        for pk in gone:
            del self._streams[pk], self._logins[pk]
            self._told.pop(pk, None)
            self._sparks.pop(pk, None)
        new = now.keys() - self._streams.keys()
        if not new:
            return
        # One object for each login and each cluster, and nothing that only pages show.
        hosts = rows.filter(pk__in=new).prefetch_related("credential", "cluster")
        for host in hosts.defer("facts", "footprint", "offered_key"):
            command = self._command_for(host)
            # As it was read first: if it has changed since, the next cycle sees to it.
            self._logins[host.pk] = now[host.pk][0]
            self._streams[host.pk] = DirectorStream(host, command, self._arrive)
            self._sparks[host.pk] = self._resumed_sparks(host.pk)

    def _resumed_sparks(self, pk: int) -> Sparks:
        sparks = Sparks()
        try:
            sparks.resume(store.lines([pk]).get(pk))
        except redis.RedisError:
            log.info("The live cache does not answer; lines start empty.")
        return sparks

    def _stop_streams(self, streams: list[DirectorStream]) -> None:
        end = time.monotonic() + CLOSE_PATIENCE
        for closing in [in_background(stream.stop) for stream in streams]:
            closing.join(max(end - time.monotonic(), 0.0))

    def _tell_troubles(self) -> None:
        now = timezone.now()
        seen = []
        for pk, stream in self._streams.items():
            host, error = stream.host, self._trouble(stream)
            if error is not None:
                if self._told.get(pk) is not error or host.trouble is None:
                    record_trouble(host, error)
                    self._told[pk] = error
                continue
            if not stream.is_open or stream.last_sample is None:
                continue
            refused = self._told.pop(pk, None) is not None
            if host.trouble and (refused or host.trouble["kind"] in _DISPROVED):
                clear_trouble(host)
            if host.seen_at is None or now - host.seen_at >= SEEN_EVERY:
                seen.append(pk)
                host.seen_at = now
        if seen:
            Host.objects.filter(pk__in=seen).update(seen_at=now)

    def _trouble(self, stream: DirectorStream) -> RemoteError | None:
        if stream.error is not None:
            return stream.error
        sample = stream.last_sample
        if sample is None or not sample.error:
            return None
        name = stream.host.name
        said = f"{name} does not tell its counters; ipvsadm says: {sample.error}"
        told = self._told.get(stream.host.pk)
        # The same object while it says the same: it is written once.
        same = told is not None and str(told) == said
        return told if same else RemoteError(name, said)

    def _keep(self) -> set[int]:
        """Renew our leases and write down what came; return what is ours."""
        with self._lock:
            rows, self._readings = self._readings, []
        try:
            return self._renew_and_write(rows)
        except IntegrityError:
            # One was deleted a moment ago: the readings of the others are kept.
            there = set(Host.objects.values_list("pk", flat=True))
            return self._renew_and_write([row for row in rows if row[0] in there])

    @transaction.atomic
    def _renew_and_write(self, rows: list[readings.Row]) -> set[int]:
        # Both or nothing: so what a killed worker has not written is no older than its
        # leases, and nobody writes what another one watches.
        mine = leases.renew(self.owner)
        readings.write([row for row in rows if row[0] in mine])
        return mine

    def _end(self) -> None:
        # Streams first: a director that is given back has no watcher any more.
        self._stop_streams(list(self._streams.values()))
        try:
            self._keep()
            leases.release(self.owner, self._streams)
        except (DatabaseError, InterfaceError) as error:
            log.warning("Leases are left to run out: %s", error)
        leases.leave(self.owner)
        self._streams.clear()
        connections.close_all()

    # -- the reading thread, and the publishing thread --------------------------------

    def _arrive(self, stream: DirectorStream) -> None:
        self._arrived[stream] = None
        self._some_arrived.set()

    def _read(self) -> None:
        while self._some_arrived.wait() and not self._stopping.wait(GATHER):
            self._some_arrived.clear()
            if self._stopping.is_set():  # `stop` rang the bell that was cleared now
                return
            for stream in list(self._arrived):
                del self._arrived[stream]
                # What comes from now on brings it back.
                for _ in range(MOST_WAITING):
                    self._read_one(stream)
            if self._fresh:
                self._news.set()

    def _read_one(self, stream: DirectorStream) -> None:
        try:
            sample = stream.read()
            data = pack(sample) if sample else b""
        except Exception:  # of one director: the others shall not suffer
            log.exception("A frame of %s could not be read.", stream.host.name)
            return
        if sample is not None:
            pk = stream.host.pk
            with self._lock:
                self._fresh[pk] = (stream, sample)
                self._readings.append((pk, sample.at, data))

    def _publish(self) -> None:
        lost = False
        while not self._stopping.is_set():
            self._news.wait(LOOK_EVERY)
            self._news.clear()
            batch = self._batch()
            try:
                if batch:
                    store.publish(batch)
                self._lookout.step()
            except redis.RedisError as error:
                if not lost:
                    log.warning("The live cache did not answer the watcher: %s", error)
                lost = True
            else:
                lost = lost and not batch

    def _batch(self) -> list[News]:
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        batch = []
        for pk, (stream, sample) in fresh.items():
            if self._streams.get(pk) is not stream:
                continue  # it was let go since
            sparks = self._sparks.get(pk)
            points = sparks.add(sample) if sparks else None
            batch.append(News(pk, stream.host.cluster_id, sample, points))
        return batch
