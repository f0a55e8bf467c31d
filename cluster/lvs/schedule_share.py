"""The share of new connections that each real server would get, by scheduler.

Where the kernel has a table (sh, mh) it is really computed, as ip_vs_sh.c and
ip_vs_mh.c do. Where the answer depends on the load it is that for connections of equal
cost; where there is none, ``why`` says it in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd

from cluster.lvs.table import IPAddress
from cluster.lvs.terms import Scheduler
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

SH_BUCKETS = 256  # CONFIG_IP_VS_SH_TAB_BITS 8, the default and that of distributions
MH_ENTRIES = 4093  # CONFIG_IP_VS_MH_TAB_INDEX 12
_MH_BITS = 6
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Weighted:
    """A real server as far as its share depends on it."""

    address: IPAddress
    port: int
    weight: int


@dataclass(frozen=True, slots=True)
class Shares:
    """One share of 0 to 1 for each server in their order, or why there is none.

    *refused* is the part of the clients that nobody answers.
    """

    parts: tuple[float, ...] | None
    note: Sentence
    refused: float = 0.0


def shares(
    scheduler: Scheduler,
    servers: Sequence[Weighted],
    *,
    fallback: bool = False,
    persistent: bool = False,
) -> Shares:
    """Return the shares; *servers* in the order in which they are added."""
    if not any(server.weight for server in servers):
        return Shares(None, _("Nobody takes a new connection."))
    found = _of(scheduler, servers, fallback=fallback)
    if persistent and found.parts is not None:
        note = _("{note} Persistence keeps a client on its real server, so that this"
                 " counts clients, not connections.", note=found.note)  # fmt: skip
        return Shares(found.parts, note, found.refused)
    return found


def _of(scheduler: Scheduler, servers: Sequence[Weighted], *, fallback: bool) -> Shares:
    weights = [server.weight for server in servers]
    match scheduler:
        case Scheduler.RR | Scheduler.LC:
            parts = _portions([1 if weight else 0 for weight in weights])
            if scheduler is Scheduler.RR:
                return Shares(parts, _("In turn; weights other than 0 do not matter."))
            text = _("At equal cost of each connection; weights do not matter.")
            return Shares(parts, text)
        case Scheduler.WRR:
            return Shares(_portions(weights), _("By weight, exactly."))
        case Scheduler.WLC | Scheduler.SED | Scheduler.NQ:
            text = _("By weight, at equal cost of each connection.")
            return Shares(_portions(weights), text)
        case Scheduler.SH | Scheduler.MH:
            return _hashed(table_of(scheduler, servers), weights, fallback=fallback)
    return Shares(None, _WORDS[scheduler])


_WORDS = {
    Scheduler.FO: _(
        "All to the real server with the highest weight; the next one gets connections"
        " only when that one is out or full."
    ),
    Scheduler.OVF: _(
        "All to the real server with the highest weight until it has as many active"
        " connections as its weight; what is more goes to the next one."
    ),
    Scheduler.DH: _(
        "By a hash of the destination's address. A VIP is one destination, so that one"
        " real server gets everything; it is for proxies that see many destinations."
    ),
    Scheduler.LBLC: _(
        "Each destination stays with one real server until that one is overloaded. It"
        " depends on the destinations, so that there is no number for it."
    ),
    Scheduler.LBLCR: _(
        "Each destination has a set of real servers that grows with its load. It"
        " depends on the destinations, so that there is no number for it."
    ),
}


def _portions(weights: Sequence[int]) -> tuple[float, ...]:
    whole = sum(weights)
    return tuple(float(Fraction(weight, whole)) for weight in weights)


def table_of(scheduler: Scheduler, servers: Sequence[Weighted]) -> list[int]:
    """Return the kernel's table: the number of a server in each of its buckets."""
    return (_sh_table if scheduler is Scheduler.SH else _mh_table)(servers)


def _hashed(table: Sequence[int], weights: Sequence[int], *, fallback: bool) -> Shares:
    size = len(table)
    counts = [table.count(n) for n in range(len(weights))]
    out = sum(n for n, weight in zip(counts, weights, strict=True) if not weight)
    kept = [n if weight else 0 for n, weight in zip(counts, weights, strict=True)]
    about = _("Computed from the kernel's table of {size} buckets: so many of all"
              " client addresses hash to each.", size=size)  # fmt: skip
    if out and not fallback:
        text = _("{about} {per_cent} % hash to a real server of weight 0 and are refused:"
                 " switch the fallback on.", about=about,
                 per_cent=round(100 * out / size))  # fmt: skip
        return Shares(tuple(n / size for n in kept), text, out / size)
    return Shares(_portions(kept), about)


# -- source hashing: ip_vs_sh_reassign() ----------------------------------------------


def _sh_table(servers: Sequence[Weighted]) -> list[int]:
    """Fill the buckets: each server in its turn gets as many as its weight.

    The kernel puts a new server at the head of its list, so the last one is first. A
    server of weight 0 still takes one bucket a round.
    """
    table: list[int] = []
    order = range(len(servers) - 1, -1, -1)
    while len(table) < SH_BUCKETS:
        for n in order:
            table += [n] * max(1, servers[n].weight)
    return table[:SH_BUCKETS]


# -- Maglev hashing: ip_vs_mh_permutate() and ip_vs_mh_populate() ---------------------

_KEY1 = 2654435761
_KEY2 = 2654446892


def _mh_table(servers: Sequence[Weighted]) -> list[int]:
    """Fill the table: in turn, each server takes the next free entry of its own walk
    through it, as often in a row as its weight says."""
    order = range(len(servers) - 1, -1, -1)
    walks = {n: _walk(servers[n]) for n in order}
    turns = dict(zip(order, _turns([servers[n].weight for n in order]), strict=True))
    table = [-1] * MH_ENTRIES
    left = MH_ENTRIES
    while left:
        for n in order:
            place, skip = walks[n]
            for _turn in range(min(turns[n], left)):
                while table[place] >= 0:
                    place = (place + skip) % MH_ENTRIES
                table[place] = n
                left -= 1
            walks[n] = (place, skip)
    return table


def _walk(server: Weighted) -> tuple[int, int]:
    """Return where the walk of a server begins, and its step."""
    folded = _folded(server.address)
    word = (server.port + folded) & 0xFFFFFFFF
    return (
        hsiphash(word, _KEY1) % MH_ENTRIES,
        hsiphash(word, _KEY2) % (MH_ENTRIES - 1) + 1,
    )


def _folded(address: IPAddress) -> int:
    """Return an address as one word; the four of IPv6 are combined by exclusive or."""
    whole, folded = int(address), 0
    while whole:
        folded ^= whole & 0xFFFFFFFF
        whole >>= 32
    return folded


def _turns(weights: Sequence[int]) -> list[int]:
    """Return how many entries in a row each gets: weights without their common
    divisor, and halved until the largest fits."""
    common = reduce(gcd, weights)
    largest = max(weights) // common
    shift = max(0, largest.bit_length() - _MH_BITS)
    return [((weight // common) >> shift) or int(weight > 0) for weight in weights]


def hsiphash(word: int, key: int) -> int:
    """SipHash-1-3 of one 32-bit word, cut to 32 bits: ``hsiphash_1u32`` of 64-bit
    kernels with both halves of the key alike; see lib/siphash.c."""
    v = [
        0x736F6D6570736575 ^ key,
        0x646F72616E646F6D ^ key,
        0x6C7967656E657261 ^ key,
        0x7465646279746573 ^ key,
    ]
    block = (4 << 56) | word
    v[3] ^= block
    _round(v)
    v[0] ^= block
    v[2] ^= 0xFF
    for _n in range(3):
        _round(v)
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) & 0xFFFFFFFF


def _round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & _U64
    v[1] = _rotated(v[1], 13) ^ v[0]
    v[0] = _rotated(v[0], 32)
    v[2] = (v[2] + v[3]) & _U64
    v[3] = _rotated(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & _U64
    v[3] = _rotated(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & _U64
    v[1] = _rotated(v[1], 17) ^ v[2]
    v[2] = _rotated(v[2], 32)


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _U64
