"""One step of a plan: a command for a host, said in words, with its undo.

Builders below make every command that writes to a host; ``privileges.py`` allows
exactly these and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from cluster.lvs import words
from cluster.lvs.command import DEADLINE, Command
from cluster.lvs.host import FOU, LOOPBACK, BoundAddress, Route, Tunnel
from cluster.lvs.marks import MarkRule
from cluster.lvs.source_nat import SourceNat
from cluster.lvs.sysctls import Purpose
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _


class Phase(IntEnum):
    """Order of a plan across hosts; see the top of ``plan.py`` for the reasons."""

    ARM = 0
    CHECK = 1
    PREPARE = 2
    TABLE = 3
    BIND = 4
    ANNOUNCE = 5
    CUT = 6
    RELEASE = 7
    WITHDRAW = 8
    PERSIST = 9


class Mark(Enum):
    """What a step does, for its sign on the page: + ~ - or ?"""

    ADD = "add"
    EDIT = "edit"
    DELETE = "delete"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Change:
    """One command for one host, with the words for it and the command that undoes it.

    *undo* is None when there is nothing to undo; *undo_note* says why, or what else
    a person should know about going back. *refusal* is what a failure means in words.
    """

    host: str
    phase: Phase
    mark: Mark
    sentences: tuple[Sentence, ...]
    command: Command
    undo: Command | None = None
    undo_note: Sentence | None = None
    refusal: Sentence | None = None

    @property
    def writes(self) -> bool:
        """Whether the host is different afterwards; checks and calls leave it alone."""
        return self.undo is not None

    def as_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "phase": int(self.phase),
            "mark": self.mark.value,
            "sentences": [sentence.as_json() for sentence in self.sentences],
            "command": command_json(self.command),
            "undo": command_json(self.undo) if self.undo else None,
            "undo_note": self.undo_note.as_json() if self.undo_note else None,
            "refusal": self.refusal.as_json() if self.refusal else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Change:
        return cls(
            host=data["host"],
            phase=Phase(data["phase"]),
            mark=Mark(data["mark"]),
            sentences=tuple(words.from_json(item) for item in data["sentences"]),
            command=command_from_json(data["command"]),
            undo=command_from_json(data["undo"]) if data["undo"] else None,
            undo_note=_sentence(data["undo_note"]),
            refusal=_sentence(data["refusal"]),
        )


def _sentence(data: dict[str, Any] | None) -> Sentence | None:
    return words.from_json(data) if data else None


def command_json(command: Command) -> dict[str, Any]:
    return {
        "argv": list(command.argv),
        "stdin": command.stdin.decode(),
        "root": command.root,
        "deadline": command.deadline,
    }


def command_from_json(data: dict[str, Any]) -> Command:
    argv, stdin = tuple(data["argv"]), data["stdin"].encode()
    return Command(argv, stdin, root=data["root"], deadline=data["deadline"])


# -- builders -------------------------------------------------------------------------

# The modules that we may load, and what for.
MODULES = {
    "ipip": _("which brings tunl0"),
    "ip_gre": _("which brings gre0"),
    "ip6_tunnel": _("which brings ip6tnl0"),
    "sit": _("which brings sit0"),
    FOU: _("which takes packets out of UDP"),
}
NOTHING_TO_UNDO = _("nothing to undo")


def bind_address(host: str, phase: Phase, bound: BoundAddress) -> Change:
    if phase is Phase.PREPARE:
        text = _("Bind {vip} to {device}, so that {host} accepts packets for it",
                 vip=bound.address, device=bound.device, host=host)  # fmt: skip
    else:
        text = _("Bind {vip} to {device}", vip=bound.address, device=bound.device)
    add, delete = _address_command("add", bound), _address_command("del", bound)
    return Change(host, phase, Mark.ADD, (text,), add, undo=delete)


def release_address(host: str, phase: Phase, bound: BoundAddress) -> Change:
    text = _("Take {vip} off {device}", vip=bound.address, device=bound.device)
    delete, add = _address_command("del", bound), _address_command("add", bound)
    return Change(host, phase, Mark.DELETE, (text,), delete, undo=add)


def _address_command(verb: str, bound: BoundAddress) -> Command:
    # The label stands in "del" too: the kernel then refuses to delete an address
    # that does not carry it, which protects the host's own. IPv6 has no labels: there
    # it is the prefix length, 128, that the kernel compares (inet6_addr_del).
    argv = ("ip", "addr", verb, str(bound.interface), "dev", bound.device)
    if bound.interface.version == 6:
        # preferred_lft 0: the host does not choose it as the source of its own calls.
        # nodad on lo: nobody could have it twice there. On the LAN the kernel looks for
        # a duplicate itself, and only then announces the address (addrconf_dad_work).
        words = ("preferred_lft", "0") if verb == "add" else ()
        quick = ("nodad",) if words and bound.device == LOOPBACK else ()
        return Command((*argv, *quick, *words), root=True)
    return Command((*argv, "label", bound.label), root=True)


def add_route(host: str, route: Route) -> Change:
    text = _("Route {destination} to lo", destination=route.destination)
    add, delete = _route_command("add", route), _route_command("del", route)
    return Change(host, Phase.PREPARE, Mark.ADD, (text,), add, undo=delete)


def delete_route(host: str, route: Route) -> Change:
    text = _("Delete the route of {destination} to lo", destination=route.destination)
    delete, add = _route_command("del", route), _route_command("add", route)
    return Change(host, Phase.WITHDRAW, Mark.DELETE, (text,), delete, undo=add)


def _route_command(verb: str, route: Route) -> Command:
    argv = ("ip", "route", verb, route.destination, "dev", route.device)
    return Command(argv, root=True)


def set_sysctls(
    host: str,
    purpose: Purpose,
    values: dict[str, str],
    before: dict[str, str],
    *,
    last: bool,
) -> Change:
    """Set sysctls of one purpose; *last*: nothing needs them any more, and the values
    from before come back."""
    text = purpose.end(host) if last else purpose.reason(host)
    if purpose is Purpose.IPVS:
        pairs = [f"{key.rpartition('.')[2]} {value}" for key, value in values.items()]
        text = _("{what}: {values}", what=text, values=listed(pairs))
    return Change(
        host,
        Phase.WITHDRAW if last else Phase.PREPARE,
        Mark.EDIT,
        (text,),
        _sysctl_command(values),
        undo=_sysctl_command({key: before[key] for key in values}),
    )


def _sysctl_command(values: dict[str, str]) -> Command:
    pairs = tuple(f"{key}={value}" for key, value in values.items())
    return Command(("sysctl", "-q", "-w", *pairs), root=True)


def load_module(host: str, module: str) -> Change:
    """Load a module that brings a device, or takes packets out of others."""
    load, unload = _modprobe(module), _modprobe("-r", module)
    text = _("Load the module {module}, {purpose}",
             module=module, purpose=MODULES[module])  # fmt: skip
    refusal = _(
        "The kernel of {host} has no module {module}: choose another type of tunnel, or"
        " install the modules that its distribution keeps in a package of their own.",
        host=host,
        module=module,
    )
    return Change(
        host, Phase.PREPARE, Mark.ADD, (text,), load, undo=unload, refusal=refusal
    )


def unload_module(host: str, module: str) -> Change:
    """Unload it again: it was not there before, and nothing else uses it."""
    load, unload = _modprobe(module), _modprobe("-r", module)
    text = _("Unload the module {module}", module=module)
    return Change(host, Phase.WITHDRAW, Mark.DELETE, (text,), unload, undo=load)


def _modprobe(*words: str) -> Command:
    return Command(("modprobe", *words), root=True)


def add_device(host: str, tunnel: Tunnel) -> Change:
    """Make a GRE device that takes packets with a checksum, from whatever peer."""
    add, delete = _device_commands(tunnel)
    text = _("Make {device}, which takes GRE packets with a checksum",
             device=tunnel.name)  # fmt: skip
    return Change(host, Phase.PREPARE, Mark.ADD, (text,), add, undo=delete)


def delete_device(host: str, tunnel: Tunnel) -> Change:
    add, delete = _device_commands(tunnel)
    text = _("Delete {device}", device=tunnel.name)
    return Change(host, Phase.WITHDRAW, Mark.DELETE, (text,), delete, undo=add)


def _device_commands(tunnel: Tunnel) -> tuple[Command, Command]:
    made = ("type", "gre", "local", tunnel.local, "icsum")
    add = Command(("ip", "link", "add", tunnel.name, *made), root=True)
    return add, Command(("ip", "link", "del", tunnel.name), root=True)


def add_gue(host: str, port: int) -> Change:
    add, delete = _gue_commands(port)
    text = _("Take packets out of GUE on UDP port {port}", port=port)
    return Change(host, Phase.PREPARE, Mark.ADD, (text,), add, undo=delete)


def delete_gue(host: str, port: int) -> Change:
    add, delete = _gue_commands(port)
    text = _("Take no packets out of GUE on UDP port {port}", port=port)
    return Change(host, Phase.WITHDRAW, Mark.DELETE, (text,), delete, undo=add)


def _gue_commands(port: int) -> tuple[Command, Command]:
    add = Command(("ip", "fou", "add", "port", str(port), "gue"), root=True)
    return add, Command(("ip", "fou", "del", "port", str(port)), root=True)


def switch_device(host: str, device: str, *, up: bool) -> Change:
    on, off = _link_command(device, "up"), _link_command(device, "down")
    if up:
        text = _("Switch {device} on", device=device)
        return Change(host, Phase.PREPARE, Mark.EDIT, (text,), on, undo=off)
    text = _("Switch {device} off", device=device)
    return Change(host, Phase.WITHDRAW, Mark.EDIT, (text,), off, undo=on)


def _link_command(device: str, state: str) -> Command:
    return Command(("ip", "link", "set", device, state), root=True)


def add_source_nat(host: str, tool: str, rule: SourceNat) -> Change:
    text = _(
        "Replace the client's address by {source} for {at}: real servers do not see"
        " who asks",
        source=rule.sources,
        at=rule.at,
    )
    add, delete = _source_nat(tool, "-A", rule), _source_nat(tool, "-D", rule)
    return Change(host, Phase.PREPARE, Mark.ADD, (text,), add, undo=delete)


def delete_source_nat(host: str, tool: str, rule: SourceNat) -> Change:
    text = _("Replace the client's address for {at} no longer", at=rule.at)
    delete, add = _source_nat(tool, "-D", rule), _source_nat(tool, "-A", rule)
    return Change(host, Phase.WITHDRAW, Mark.DELETE, (text,), delete, undo=add)


def _source_nat(tool: str, verb: str, rule: SourceNat) -> Command:
    # -w: wait for the lock of another iptables instead of failing at once.
    return Command((tool, "-w", "5", "-t", "nat", verb, *rule.words), root=True)


def add_mark(host: str, tool: str, rule: MarkRule) -> Change:
    text = _("Mark packets to {packets} with {mark}",
             packets=rule.packets, mark=rule.mark)  # fmt: skip
    add, delete = _mark(tool, "-A", rule), _mark(tool, "-D", rule)
    return Change(host, Phase.TABLE, Mark.ADD, (text,), add, undo=delete)


def delete_mark(host: str, tool: str, rule: MarkRule) -> Change:
    text = _("Mark packets to {packets} no longer", packets=rule.packets)
    delete, add = _mark(tool, "-D", rule), _mark(tool, "-A", rule)
    return Change(host, Phase.WITHDRAW, Mark.DELETE, (text,), delete, undo=add)


def _mark(tool: str, verb: str, rule: MarkRule) -> Command:
    return Command((tool, "-w", "5", "-t", "mangle", verb, *rule.words), root=True)


# Four times what the slowest kernel that was measured takes (User-Mode Linux, 1.3 ms).
SECONDS_A_RULE = 0.005
# Sentences of one change; beyond that a person reads its rules, or how many they are.
MOST_SAID = 500


@dataclass(slots=True)
class Rules:
    """Rules that change a table, collected with their inverse in opposite order."""

    lines: list[str] = field(default_factory=list)
    inverses: list[list[str]] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)
    unsaid: int = 0

    def say(self, *sentences: Sentence) -> None:
        room = MOST_SAID - len(self.sentences)
        self.sentences += sentences[:room]
        self.unsaid += len(sentences[room:])

    @property
    def said(self) -> list[Sentence]:
        if not self.unsaid:
            return self.sentences
        more = _("and {count} more: see the rules", count=self.unsaid)
        return [*self.sentences, more]

    def add(self, line: str, inverse: list[str]) -> None:
        self.lines.append(line)
        self.inverses.append(inverse)

    @property
    def inverse(self) -> list[str]:
        return [line for lines in reversed(self.inverses) for line in lines]


def change_table(host: str, phase: Phase, mark: Mark, rules: Rules) -> Change:
    """One ``ipvsadm -R`` for all rules of a phase. Its exit status means little: a
    rule that the kernel refuses leaves it 0, so the table is always read back."""
    return Change(
        host,
        phase,
        mark,
        tuple(rules.said),
        _restore_command(rules.lines),
        undo=_restore_command(rules.inverse),
    )


def _restore_command(lines: list[str]) -> Command:
    text = "".join(line + "\n" for line in lines)
    deadline = DEADLINE + SECONDS_A_RULE * len(lines)
    return Command(("ipvsadm", "-R"), text.encode(), root=True, deadline=deadline)
