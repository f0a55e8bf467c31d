"""What the live cache holds of a director, in few bytes that are cheap to make.

Written every two seconds for every director, read only while somebody looks: so the
numbers go as they are in memory, and the reader makes of it what pages use. A document
is ``<I`` with the bytes of its head, the head as JSON, and the numbers: of each real
server weight, active and inactive, of each row its counters, all as uint64, and of each
row its rates as doubles. What is not known is the largest number, or NaN.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from math import nan
from typing import Any

from cluster.lvs.rates import Rates
from cluster.watch.sample import Sample

_HEAD = struct.Struct("<I")
_MOST = 2**64 - 1
_FIVE = len(Rates._fields)
_NO_COUNTERS = (_MOST,) * _FIVE
_NO_RATES = (nan,) * _FIVE


def encode(sample: Sample) -> bytes:
    """Return the sample; ``decode`` gives ``sample.as_json()`` back."""
    keys: list[str] = []
    names: list[str] = []
    servers: list[tuple[int, int, int]] = []
    for service in sample.services:
        key = service.key
        keys.append(key)
        names.append(f"{key}\t{service.scheduler}\t{service.persistent:d}")
        for at, forward, weight, active, inactive in service.servers:
            keys.append(f"{key} {at}")
            names.append(f"{at}\t{forward}")
            servers.append((weight, active, inactive))
    counters = [known or _NO_COUNTERS for known in map(sample.counters.get, keys)]
    rates = [known or _NO_RATES for known in map(sample.rates.get, keys)]
    whole = chain(chain.from_iterable(servers), chain.from_iterable(counters))
    head = json.dumps([sample.head_as_json(), "\n".join(names)]).encode()
    return b"".join(
        (
            _HEAD.pack(len(head)),
            head,
            _whole(list(whole)),
            array("d", [*chain.from_iterable(rates)]).tobytes(),
        )
    )


def _whole(numbers: list[int]) -> bytes:
    try:
        return array("Q", numbers).tobytes()
    except OverflowError:  # no counter of a kernel, but no reason to fail
        return array("Q", [min(number, _MOST) for number in numbers]).tobytes()


def decode(data: bytes) -> dict[str, Any]:
    (length,) = _HEAD.unpack_from(data)
    start = _HEAD.size + length
    found: dict[str, Any]
    found, text = json.loads(data[_HEAD.size : start])
    names = [line.split("\t") for line in text.split("\n")] if text else []
    count = sum(len(name) == 2 for name in names)
    end = start + 8 * (3 * count + _FIVE * len(names))
    whole, rates = array("Q", data[start:end]), array("d", data[end:])
    servers = _tuples(whole[: 3 * count], 3)
    counters, rates_of = _tuples(whole[3 * count :], _FIVE), _tuples(rates, _FIVE)
    services: list[dict[str, Any]] = []
    for name in names:
        numbers = {
            "counters": _known(next(counters)),
            "rates": _rates(next(rates_of)),
        }
        if len(name) == 2:
            weight, active, inactive = next(servers)
            row = {"at": name[0], "forward": name[1], "weight": weight}
            row |= {"active": active, "inactive": inactive} | numbers
            services[-1]["servers"].append(row)
        else:
            key, scheduler, persistent = name
            row = {"key": key, "scheduler": scheduler, "persistent": persistent == "1"}
            services.append(row | numbers | {"servers": []})
    return found | {"services": services}


def _tuples(numbers: array[Any], width: int) -> Iterator[tuple[Any, ...]]:
    return zip(*[iter(numbers)] * width, strict=True)


def _known(counters: tuple[int, ...]) -> list[int] | None:
    return None if counters == _NO_COUNTERS else list(counters)


def _rates(rates: tuple[float, ...]) -> list[float] | None:
    return None if rates[0] != rates[0] else list(rates)


def encode_sparks(sparks: dict[str, Any]) -> bytes:
    """Return the points of ``Sparks``, each as a float with seven digits."""
    rows = sparks["rows"]
    lengths = [len(row) for row in rows.values()]
    head = json.dumps([sparks["slot"], list(rows), lengths]).encode()
    return _HEAD.pack(len(head)) + head + b"".join(map(bytes, rows.values()))


def decode_sparks(data: bytes) -> dict[str, Any]:
    (length,) = _HEAD.unpack_from(data)
    start = _HEAD.size + length
    slot, keys, lengths = json.loads(data[_HEAD.size : start])
    points = iter(array("f", data[start:]))
    return {
        "slot": slot,
        "rows": {
            key: [None if p != p else round(p, 2) for p in islice(points, size)]
            for key, size in zip(keys, lengths, strict=True)
        },
    }
