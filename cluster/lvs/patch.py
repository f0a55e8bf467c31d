"""What differs between two texts, line by line, as a short text of its own.

    =12
    --a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1
    +-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 3
    =3

keeps twelve lines, leaves one out, puts one in and keeps three more. It can be read like
a diff, and carried out by the awk of any host; ``patch`` is not installed everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

KEEP, OUT, IN = "=", "-", "+"
# A whole text, which begins like a script, is printed as it is.
AWK = (
    "NR == 1 { whole = /^#!/ };"
    " whole { print; next };"
    " /^=/ { for (n = substr($0, 2); n > 0 && (getline line <old) > 0; n--) print line };"
    " /^-/ { getline line <old };"
    " /^[+]/ { print substr($0, 2) }"
)


def patch(old: str, new: str) -> str | None:
    """Return what makes *new* of *old*; None when lines have changed their order, or a
    text does not end with a line."""
    if not old.endswith("\n") or not new.endswith("\n"):
        return None
    before, after = _lines(old), _lines(new)
    first = _count_alike(before, after)
    rest, others = before[first:], after[first:]
    last = _count_alike(reversed(rest), reversed(others))
    rest, others = rest[: len(rest) - last], others[: len(others) - last]
    between = _between(rest, others)
    if between is None:
        return None
    return _text([*_kept(first), *between, *_kept(last)])


def _count_alike(some: Iterable[str], others: Iterable[str]) -> int:
    """Return how many are the same, from the first on."""
    pairs = zip(some, others, strict=False)
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _between(before: list[str], after: list[str]) -> list[str] | None:
    keys, wanted = list(_keys(before)), list(_keys(after))
    gone, fresh = set(keys) - set(wanted), set(wanted) - set(keys)
    lines, kept, n = list[str](), 0, 0
    for m, key in enumerate(wanted):
        while n < len(keys) and keys[n] in gone:
            lines += [*_kept(kept), OUT + before[n]]
            kept, n = 0, n + 1
        if key in fresh:
            lines += [*_kept(kept), IN + after[m]]
            kept = 0
        elif n < len(keys) and keys[n] == key:
            kept, n = kept + 1, n + 1
        else:
            return None
    if not gone.issuperset(keys[n:]):
        return None
    return [*lines, *_kept(kept), *(OUT + line for line in before[n:])]


def _lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _keys(lines: list[str]) -> Iterator[str]:
    """Yield what tells lines apart: a short one, "fi", has its like in many places, and
    is known by the line before."""
    key = ""
    for line in lines:
        key = line if len(line) > len("    fi") else f"{key}\n{line}"
        yield key


def _kept(count: int) -> list[str]:
    return [f"{KEEP}{count}"] if count else []


def is_patch(text: str) -> bool:
    return text[:1] in (KEEP, OUT, IN)


def inverse(text: str) -> str:
    """Return the patch that takes this one back."""
    signs = str.maketrans({IN: OUT, OUT: IN})
    return _text(line[:1].translate(signs) + line[1:] for line in _lines(text))


def lines_in(text: str) -> list[str]:
    """Return the lines that a patch puts in."""
    return [line[1:] for line in _lines(text) if line.startswith(IN)]


def patched(old: str, text: str) -> str:
    """Do what a host does with a patch, or with a whole text."""
    if not is_patch(text):
        return text
    left, made = iter(_lines(old)), list[str]()
    for line in _lines(text):
        if line.startswith(IN):
            made.append(line[1:])
        elif line.startswith(OUT):
            next(left, None)
        else:
            made += [one for _n, one in zip(range(int(line[1:])), left, strict=False)]
    return _text(made)
