"""Take a plan apart into the lines that a person decides on, and put some together.

One ``ipvsadm -R`` carries many rules. Here a real server, the options of a service, or a
service that comes or goes with its real servers is one line of its own, with the rules
that make it and the rules that take it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from cluster.lvs.change import Change
from cluster.lvs.plan import Plan
from cluster.lvs.words import Sentence

# The words that name the service, and the real server or "".
Target: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of a plan: some hosts, or some lines by their key; all of it when empty."""

    hosts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Scope()

    def as_json(self) -> dict[str, list[str]]:
        whole = {"hosts": list(self.hosts), "keys": list(self.keys)}
        return {name: words for name, words in whole.items() if words}

    @classmethod
    def from_json(cls, data: dict[str, list[str]]) -> Scope:
        return cls(tuple(data.get("hosts", ())), tuple(data.get("keys", ())))


def key(part: Change) -> str:
    """Name a line: the same host and command have the same key at any time."""
    text = "\0".join([part.host, *part.command.argv, part.command.stdin.decode()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def target(part: Change) -> Target | None:
    """Return what a line of the table is about; None for one that is no rule."""
    rules = part.command.stdin.decode().splitlines()
    is_table = part.command.argv[0] == "ipvsadm" and bool(rules)
    return _target(rules[0]) if is_table else None


def parts(change: Change) -> list[Change]:
    """Return the lines of a change; one that is no table is a line by itself."""
    rules = change.command.stdin.decode().splitlines()
    if target(change) is None or change.undo is None:
        return [change]
    if len(rules) != len(change.sentences):
        return [change]
    inverse = change.undo.stdin.decode().splitlines()
    return [_part(change, group, inverse) for group in _groups(change, rules)]


@dataclass(slots=True)
class _Group:
    target: Target
    rules: list[str] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)


def _groups(change: Change, rules: list[str]) -> Iterable[_Group]:
    groups: list[_Group] = []
    for rule, sentence in zip(rules, change.sentences, strict=True):
        target = _target(rule)
        last = groups[-1] if groups else None
        # A new service comes with its real servers.
        if (
            not last
            or not last.rules[0].startswith("-A ")
            or last.target[0] != target[0]
        ):
            groups.append(last := _Group(target))
        last.rules.append(rule)
        last.sentences.append(sentence)
    return groups


def _target(rule: str) -> Target:
    words = rule.split()
    length = 4 if words[3:4] == ["-6"] else 3
    # -z: a local address of FULLNAT is a line of its own, as a real server is.
    named = [words[n + 1] for n, word in enumerate(words) if word in ("-r", "-z")]
    return " ".join(words[1:length]), named[0] if named else ""


def _part(change: Change, group: _Group, inverse: list[str]) -> Change:
    service, server = group.target
    whole = group.rules[0].startswith("-D ")
    mine = [
        rule
        for rule in inverse
        if (found := _target(rule)) == (service, server)
        or (whole and found[0] == service)
    ]
    return _rebuilt(change, group.rules, mine, tuple(group.sentences))


def _rebuilt(
    change: Change, rules: list[str], inverse: list[str], said: tuple[Sentence, ...]
) -> Change:
    def carrying(lines: list[str]) -> bytes:
        return "".join(line + "\n" for line in lines).encode()

    undo = change.undo and replace(change.undo, stdin=carrying(inverse))
    command = replace(change.command, stdin=carrying(rules))
    return replace(change, sentences=said, command=command, undo=undo)


def merged(some: list[Change]) -> Change:
    """Return one change for lines of the same command; what was first is undone last."""
    if len(some) == 1:
        return some[0]
    rules = [r for part in some for r in part.command.stdin.decode().splitlines()]
    inverse = [
        rule
        for part in reversed(some)
        if part.undo
        for rule in part.undo.stdin.decode().splitlines()
    ]
    said = tuple(sentence for part in some for sentence in part.sentences)
    return _rebuilt(some[0], rules, inverse, said)


def narrowed(plan: Plan, scope: Scope) -> Plan:
    """Return the part of the plan that lies in the scope, in the same order."""
    if not scope:
        return plan
    return Plan(tuple(_narrowed(plan.changes, scope)), plan.adds)


def _narrowed(changes: Iterable[Change], scope: Scope) -> Iterator[Change]:
    near = [c for c in changes if not scope.hosts or c.host in scope.hosts]
    kept = {n: _kept(change, scope.keys) for n, change in enumerate(near)}
    for n, change in enumerate(near):
        if change.writes:
            if found := kept[n]:
                yield merged(found)
        elif any(_belongs(change, part) for found in kept.values() for part in found):
            yield change


def _kept(change: Change, keys: Collection[str]) -> list[Change]:
    if not change.writes:
        return []
    return [part for part in parts(change) if not keys or key(part) in keys]


def _belongs(check: Change, part: Change) -> bool:
    """Whether a check or call is about the address that the other one binds."""
    named = {word.partition("/")[0] for word in part.command.argv}
    return check.host == part.host and check.command.argv[-1] in named
