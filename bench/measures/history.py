"""Store the counters of directors, roll them up, and read a series back.

20 services x 5 real servers: 121 rows a director and tick. Compared with a narrow
table, a row for each counter row with an index over (series, time), written by
bulk_create. What is read is one real server in one service, all seven values.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import django
from bench.result import Result, at_least, at_most
from bench.rounds import cpu, ratios, side_by_side
from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.rates import Rates

if TYPE_CHECKING:
    from cluster.watch.sample import Sample

SERVICES, SERVERS, TICKS = 20, 5, 150
ROWS = 1 + SERVICES * (1 + SERVERS)
HOUR = 3600
GROUP, SERVER = "TCP 10.0.0.7:80", "10.9.0.3:80"
# Two hours that end at a full five minutes, so that the last hour is all rolled up but
# for what is always read one by one.
NOW = 1_764_000_000 // 300 * 300 + 290.0


def samples(since: float, until: float) -> Iterator[Sample]:
    """Return what a director would say: each row a busy service of its own."""
    from tests.watch.build import sample_of

    chance = random.Random(2)  # noqa: S311 - numbers of a listing, no secrets
    walk: dict[str, float] = {}

    def rates(key: str) -> Rates:
        value = max(walk.get(key, 50.0) + chance.gauss(0, 3), 0.0)
        walk[key] = value
        # Connections of 4 seconds by a clock that is never quite exact.
        conns = round(value * 4) / 4 * (1 + chance.gauss(0, 1e-4))
        return Rates(conns, conns * 6.2, 0.0, conns * 1440.3, 0.0)

    at = since
    while at < until:
        known, services = {"": rates("")}, []
        for n in range(SERVICES):
            key = f"TCP 10.0.0.{n + 1}:80"
            known[key] = rates(key)
            servers = []
            for m in range(SERVERS):
                place = f"10.9.0.{m + 1}:80"
                known[f"{key} {place}"] = rates(f"{key} {place}")
                active, inactive = chance.randint(40, 60), chance.randint(100, 200)
                servers.append(KernelServer(place, "Route", 100, active, inactive))
            services.append(KernelService(key, "wlc", False, tuple(servers)))
        yield sample_of(at, services, boot_id="boot", rates=known)
        at += 2.0 + chance.gauss(0, 0.005)


def measure() -> Iterator[Result]:
    django.set_up()
    from cluster.models import Host
    from tests.hosts import make_host

    director = make_host("lb01", role=Host.Role.DIRECTOR)
    yield from storing(director)
    yield from reading(director)


def storing(director: Any) -> Iterator[Result]:
    from cluster.models import Reading
    from cluster.watch import readings
    from cluster.watch.packing import VALUES, pack

    told = list(samples(NOW - 2 * TICKS, NOW))
    narrow = narrow_table(VALUES)

    def packed() -> None:
        readings.write([(director.pk, sample.at, pack(sample)) for sample in told])

    def rows() -> None:
        narrow.objects.bulk_create(
            narrow(series=key, at=sample.at, **values)
            for sample in told
            for key, values in flat(sample)
        )

    times = side_by_side({"ours": lambda: cpu(packed), "rows": lambda: cpu(rows)}, 7)
    speeds = {
        name: [len(told) * ROWS / s for s in used] for name, used in times.items()
    }
    note = f"{median(speeds['ours']):,.0f} rows a second of CPU"
    gain = ratios(times["rows"], times["ours"])
    yield Result("store", gain, at_least(20), "times bulk_create", note, speeds)
    Reading.objects.all().delete()


def flat(sample: Sample) -> Iterator[tuple[str, dict[str, float]]]:
    for key, rates in sample.rates.items():
        if rates:
            five = rates._asdict()
            yield key, five | {"active": 50, "inactive": 150}


def narrow_table(values: Sequence[str]) -> Any:
    from django.db import connection, models

    fields: dict[str, Any] = {name: models.FloatField() for name in values}
    fields["series"] = models.CharField(max_length=64)
    fields["at"] = models.FloatField()
    index = models.Index(fields=["series", "at"], name="narrow_index")
    fields["Meta"] = type("Meta", (), {"app_label": "cluster", "indexes": [index]})
    narrow = type("Narrow", (models.Model,), fields | {"__module__": __name__})
    with connection.schema_editor() as editor:
        editor.create_model(narrow)
    return narrow


def reading(director: Any) -> Iterator[Result]:
    from cluster.models import HistoryChunk, Reading
    from cluster.watch.levels import DAY, QUARTER, RAW
    from cluster.watch.packing import pack

    Reading.objects.bulk_create(
        Reading(director=director, at=sample.at, data=pack(sample))
        for sample in samples(NOW - 2 * HOUR, NOW)
    )
    count = Reading.objects.count()
    yield Result("roll_up", list(rolled(director)), at_most(10), "us of CPU a row")
    size = sum(
        len(data) for data in HistoryChunk.objects.values_list("data", flat=True)
    )
    values = (count - Reading.objects.count()) * ROWS * 7
    yield Result("size", [size / values], at_most(2.5), "bytes a value")
    yield read("one_hour", director, RAW, HOUR, 5)
    a_year(director)
    yield read("one_year", director, QUARTER, 365 * DAY, 100)


def rolled(director: Any) -> Iterator[float]:
    """Roll up all that is due; yield the cost of each five minutes."""
    from cluster.models import Reading
    from cluster.watch import rollup

    while True:
        before = Reading.objects.count()
        used = cpu(lambda: rollup.fold(director.pk, NOW))
        many = before - Reading.objects.count()
        if not many:
            return
        yield used / (many * ROWS) * 1e6


def read(name: str, director: Any, level: Any, span: float, most: float) -> Result:
    """Read one series, with the readings that are not rolled up yet."""
    from cluster.watch import history

    def once() -> int:
        wanted = (GROUP, [SERVER], level, NOW - span, NOW)
        found = history.stored(director.pk, *wanted)[SERVER]
        return sum(len(stretch.times) for stretch in found)

    points = once()
    assert abs(points - span / level.step) < 0.02 * points, points

    def ten() -> float:
        return 100 * cpu(lambda: [once() for _ in range(10)])

    times = side_by_side({"read": ten}, 7)
    note = f"{points} points x 7 values"
    return Result(name, times["read"], at_most(most), "ms of CPU", note)


def a_year(director: Any) -> None:
    """Write days of quarters of an hour, as the roll-up would have written them."""
    from array import array

    from cluster.models import HistoryChunk
    from cluster.watch.chunks import Block, encode
    from cluster.watch.levels import DAY, QUARTER

    chance = random.Random(3)  # noqa: S311
    names = ["", *(f"10.9.0.{m + 1}:80" for m in range(SERVERS))]
    today = QUARTER.start(NOW - 2 * HOUR)
    for day in range(1, 367):
        block = Block(QUARTER.width, array("I", range(96)))
        for name in names:
            block.series[name] = [
                array("f", [chance.gauss(50, 5) for _ in range(96)])
                for _ in range(QUARTER.width)
            ]
        HistoryChunk.objects.create(
            director=director,
            group=GROUP,
            level=QUARTER.number,
            start=today - day * DAY,
            data=encode(block),
        )
