"""Ask hosts what they have, one or many at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from cluster.control.targets import Connect
from cluster.control.trouble import clear_trouble, record_trouble
from cluster.lvs import facts, fullnat, listening, marks
from cluster.lvs.command import Command
from cluster.lvs.facts import Fact
from cluster.lvs.host import LOOPBACK, HostState
from cluster.lvs.listening import Needed
from cluster.lvs.marks import MarkRule
from cluster.lvs.settings import DirectorSettings
from cluster.lvs.source_nat import LEGACY, NFT
from cluster.lvs.table import IPAddress, Table
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Cluster, Host, RealServer
from cluster.remote.shell import Output, RemoteError, Shell

T = TypeVar("T")
AT_ONCE = 16
PATIENCE = 4.0  # seconds between two calls of *keep*


class FactRefused(RemoteError):
    """The host answered, but not with the fact that it was asked for."""

    def __init__(self, host: str, fact: Fact[T], output: Output) -> None:
        said = output.stderr.decode("utf-8", "replace").strip()
        command = fact.command.line
        super().__init__(host, f"{host} answers '{command}' with: {said[:300]}")
        self.command, self.said = command, said


class Answerer(Protocol):
    """A shell, or what one has answered already."""

    @property
    def name(self) -> str: ...

    def run(self, command: Command) -> Output: ...


def ask(shell: Answerer, fact: Fact[T]) -> T:
    """Return one fact; raises FactRefused or another RemoteError."""
    output = shell.run(replace(fact.command, reads=True))
    if output.truncated or not (output.ok or fact.partial):
        raise FactRefused(shell.name, fact, output)
    try:
        return fact.parse(output.text)
    except (ValueError, KeyError, TypeError) as error:
        # FactError, or a text of a shape that no version of the program is known for.
        raise FactRefused(shell.name, fact, output) from error


def replaces_source(host: Host) -> bool:
    """Whether rules of the firewall matter. They are asked for only then: listing them
    loads modules that a director without FULLNAT does not need."""
    wanted = host.cluster.services.filter(source_nat=True)
    return host.is_director and bool(host.left_behind.source_nat or wanted.exists())


def marked_families(host: Host) -> list[int]:
    """Return the families whose firewall marks matter; alike, listing loads modules."""
    if not host.is_director:
        return []
    wanted = {row.at.family for row in host.cluster.services.filter(mark__gt=0)}
    return sorted(wanted | {rule.family for rule in host.left_behind.marks})


def taking_gue(hosts: Sequence[Host]) -> set[int]:
    """Return the hosts of which it matters which UDP ports they take GUE out of."""
    wanted = RealServer.objects.filter(host__in=hosts, tunnel_type="gue").order_by()
    left = {host.pk for host in hosts if host.left_behind.gue}
    return left.union(pk for pk in wanted.values_list("host", flat=True) if pk)


def needed_on(hosts: Iterable[Host]) -> dict[int, tuple[Needed, ...]]:
    """Return by host what the newest revision wants to be listened to on it."""
    real_servers: dict[Cluster, dict[int, tuple[IPAddress, ...]]] = {}
    for host in hosts:
        if host.role == Host.Role.REAL_SERVER:
            real_servers.setdefault(host.cluster, {})[host.pk] = host.addresses
    found: dict[int, tuple[Needed, ...]] = {}
    for cluster, addresses in real_servers.items():
        if wish := cluster.applied():
            found |= listening.needed(wish.table, addresses)
    return found


class Answers:
    """What a host answered to many questions at once; any other is asked when due."""

    def __init__(self, shell: Shell, commands: Sequence[Command]) -> None:
        self._shell = shell
        outputs = shell.run_all(commands)
        self._known = dict(zip(commands, outputs, strict=True))

    @property
    def name(self) -> str:
        return self._shell.name

    def run(self, command: Command) -> Output:
        known = self._known.get(command)
        return known if known is not None else self._shell.run(command)


Unheard: TypeAlias = tuple[tuple[Needed, Sentence], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a host has, and what of its services nobody listens to; None: not known."""

    state: HostState
    unheard: Unheard | None = None


# The table first: ipvsadm loads ip_vs, and with it come sysctls.
_OF_DIRECTORS = (facts.RULES, facts.THRESHOLDS, facts.TIMEOUTS, facts.DAEMONS)
_OF_ALL = (facts.LINKS, facts.ROUTES, facts.BOOT_ID, facts.SYSCTLS)


def observe(
    host: Host,
    shell: Shell,
    *,
    firewall: bool = False,
    gue: bool = False,
    families: Iterable[int] = (),
    needed: Collection[Needed] = (),
) -> Found:
    """Return everything that a plan needs to know of this host.

    *families* are those whose firewall marks matter. Those of services that somebody
    made by hand are looked at where the host lets us. *needed* is what services want to
    be listened to on it.
    """
    questions = (*(_OF_DIRECTORS if host.is_director else ()), *_OF_ALL)
    commands = [fact.command for fact in questions]
    commands += [fullnat.HELP] if firewall else []
    if needed:
        commands.append(facts.LISTENING.command)
    answers = Answers(shell, [*commands, facts.boot(host.ssh_user).command])
    state = _observe(host, answers, gue=gue)
    used = fullnat.is_used(state.table)
    patched = (firewall or used) and ask(answers, facts.FULLNAT)
    if patched or used:
        table = _with_local(shell, state.table)
        state = replace(state, fullnat=patched, table=table)
    mine = set(families)
    others = {s.at.family for s in state.table.services if s.at.mark} - mine
    tool = _firewall(answers) if firewall or mine or others else ""
    marked = [
        _marks(answers, marks.tool_for(family, tool), is_needed=family in mine)
        for family in sorted(mine | others)
    ]
    state = replace(
        state,
        firewall=tool,
        source_nat=ask(answers, facts.SOURCE_NAT[tool]) if firewall else (),
        marks=tuple(rule for rules, _others in marked for rule in rules),
        other_marks=tuple({mark for _rules, others in marked for mark in others}),
    )
    return Found(state, _unheard(host, answers, needed) if needed else None)


def _unheard(host: Host, shell: Answerer, needed: Iterable[Needed]) -> Unheard | None:
    try:
        sockets = ask(shell, facts.LISTENING)
    except FactRefused:
        return None  # no ss, or one that we do not know: no reason to plan nothing
    return listening.unheard(needed, sockets, host.name)


def _observe(host: Host, shell: Answers, *, gue: bool) -> HostState:
    table = _table(shell) if host.is_director else Table()
    settings = _settings(shell) if host.is_director else DirectorSettings()
    addresses, tunnels = ask(shell, facts.LINKS)
    routes, gateways = ask(shell, facts.ROUTES)
    if any(b.interface.version == 6 and b.device != LOOPBACK for b in addresses):
        gateways += ask(shell, facts.GATEWAYS6)
    return HostState(
        boot_id=ask(shell, facts.BOOT_ID),
        addresses=addresses,
        routes=routes,
        sysctls=ask(shell, facts.SYSCTLS),
        table=table,
        tunnels=tunnels,
        gateways=gateways,
        gue=_gue(shell) if gue else None,
        settings=settings,
        boot=ask(shell, facts.boot(host.ssh_user)),
    )


def _with_local(shell: Shell, table: Table) -> Table:
    """Add the local addresses, which a patched ipvsadm lists one service at a time."""
    asked = fullnat.questions(table)
    answers = Answers(shell, [*asked.values()])
    local = {
        at: ask(answers, Fact(command, fullnat.parse_local))
        for at, command in asked.items()
    }
    return fullnat.with_local(table, local)


def _marks(
    shell: Answerer, tool: str, *, is_needed: bool
) -> tuple[tuple[MarkRule, ...], tuple[int, ...]]:
    try:
        return ask(shell, facts.MARKS[tool])
    except FactRefused:
        # Rights that were given to us before there were firewall marks here.
        if is_needed:
            raise
        return (), ()


def _gue(shell: Answerer) -> tuple[int, ...] | None:
    """Return the ports of GUE; None when the module is not there."""
    output = shell.run(facts.GUE.command)
    return facts.GUE.parse(output.text) if output.ok else None


def _firewall(shell: Answerer) -> str:
    """Return the program whose rules the kernel takes."""
    return NFT if shell.run(facts.NFT_WORKS).ok else LEGACY


def _table(shell: Answerer) -> Table:
    limits = ask(shell, facts.THRESHOLDS)
    return facts.with_thresholds(ask(shell, facts.RULES), limits)


def _settings(shell: Answerer) -> DirectorSettings:
    return DirectorSettings(ask(shell, facts.TIMEOUTS), ask(shell, facts.DAEMONS))


@dataclass(slots=True)
class Observation:
    """What several hosts said, and why others said nothing."""

    states: dict[str, HostState] = field(default_factory=dict)
    troubles: dict[str, Sentence] = field(default_factory=dict)


def side_by_side(
    hosts: Sequence[Host],
    connect: Connect,
    keep: Callable[[], None],
    look: Callable[[Host, Shell], T],
) -> list[tuple[Host, T | RemoteError]]:
    """Let *look* ask each of these hosts; there is at least one."""

    def looked(host: Host) -> T | RemoteError:
        try:
            with connect(host) as shell:
                return look(host, shell)
        except RemoteError as error:
            return error
        finally:
            # connect() reads the credential, so this thread may have a connection.
            connection.close()

    # Threads only talk to hosts; rows are written by the thread that reads them.
    with ThreadPoolExecutor(min(AT_ONCE, len(hosts))) as pool:
        answers = [pool.submit(looked, host) for host in hosts]
        while wait(answers, PATIENCE).not_done:
            keep()
        return [(h, a.result()) for h, a in zip(hosts, answers, strict=True)]


def observe_all(
    hosts: Sequence[Host], connect: Connect, keep: Callable[[], None]
) -> Observation:
    """Ask all hosts side by side; a host that fails does not hold up the others.

    A host may take its time (each of its answers has a deadline of its own), so
    *keep* is called every few seconds, to renew the lease of whoever waits.
    """

    seen = Observation()
    if not hosts:
        return seen
    rewriting = {host.pk for host in hosts if replaces_source(host)}
    marking = {host.pk: marked_families(host) for host in hosts}
    with_gue = taking_gue(hosts)
    needed = needed_on(hosts)

    def look(host: Host, shell: Shell) -> Found:
        return observe(
            host,
            shell,
            firewall=host.pk in rewriting,
            gue=host.pk in with_gue,
            families=marking[host.pk],
            needed=needed.get(host.pk, ()),
        )

    told = side_by_side(hosts, connect, keep, look)
    remember([(host, found) for host, found in told if isinstance(found, Found)])
    for host, found in told:
        if isinstance(found, Found):
            seen.states[host.name] = found.state
        else:
            seen.troubles[host.name] = record_trouble(host, found)
    return seen


def remember(told: Sequence[tuple[Host, Found]]) -> None:
    """Keep what hosts said, for pages and forms; a host may be older than its row."""
    pks = [host.pk for host, _found in told]
    states = {host.pk: found.state.as_json() for host, found in told}
    with transaction.atomic():
        locked = Host.objects.select_for_update().order_by("pk").filter(pk__in=pks)
        rows, now = {row.pk: row for row in locked}, timezone.now()
        locked.update(seen_at=now)
        for host, found in told:
            row = rows.get(host.pk)
            if row is None:
                continue  # removed meanwhile
            facts = {
                **row.facts,
                "state": states[row.pk],
                "listening": _since(row, found.unheard),
            }
            # It is seldom news, and a large table is a large row.
            if facts != row.facts:
                row.facts = facts
                row.save(update_fields=["facts"])
            if row.trouble is not None:
                clear_trouble(row)
            host.facts, host.seen_at = facts, now
            host.trouble, host.trouble_at = None, None


def _since(row: Host, unheard: Unheard | None) -> dict[str, Any] | None:
    """Return what nobody listens to, as JSON, with the moment when it was seen first."""
    if unheard is None:
        return None
    old = (row.facts.get("listening") or {}).get("missing", ())
    since = {line["key"]: line["since"] for line in old}
    now = timezone.now().isoformat()
    return {
        "missing": [
            {
                "key": one.key,
                "service": one.service,
                "server": one.server.endpoint,
                "protocol": one.protocol.label,
                "port": one.port,
                "told": told.as_json(),
                "since": since.get(one.key, now),
            }
            for one, told in unheard
        ]
    }


def leave_footprints(hosts: Iterable[Host], states: dict[str, HostState]) -> None:
    """Reduce what we think is ours to what is really there, where we could look."""
    for host in hosts:
        if host.name in states:
            host.keep_footprint(host.left_behind.still_on(states[host.name]))


def unreadable(lines: Sequence[str]) -> Sentence:
    return _("The table has lines that are not understood: {lines}",
             lines="; ".join(lines[:3]))  # fmt: skip
