"""A host that lives in memory: it understands our commands and nothing else.

``ModelHost`` is the kernel model of the property tests and the far side of the tests
of runs. It behaves as the lab's hosts were seen to: ``ip addr add`` of an address that
exists fails with status 2, ``ipvsadm -R`` ends with 0 though rules were refused.
"""

import json
from dataclasses import replace
from ipaddress import ip_interface

from cluster.lvs import rules
from cluster.lvs.command import Command
from cluster.lvs.host import BoundAddress, HostState, Route
from cluster.lvs.table import Table
from cluster.remote.shell import Output


def output(text="", status=0, complaint=""):
    return Output(status, text.encode(), complaint.encode(), 0.01, truncated=False)


class ModelHost:
    """Call it with a Command; *writes* counts what changed it, in order."""

    def __init__(self, state: HostState) -> None:
        self.state = state
        self.writes: list[str] = []
        self.taken: set[str] = set()  # addresses that somebody else on the LAN has
        self.refused: set[str] = set()  # rules that this kernel will not take

    def reboot(self) -> None:
        """Forget what no file brings back: VIPs, routes, sysctls, the table."""
        own = tuple(b for b in self.state.addresses if ":" not in b.label)
        quiet = tuple((key, "0") for key, _ in self.state.sysctls)
        self.state = HostState(self.state.boot_id + "+", own, (), quiet)

    def __call__(self, command: Command) -> Output:
        answer = getattr(self, f"_{command.argv[0]}")
        return answer(command.argv[1:], command.stdin.decode())

    # -- questions --------------------------------------------------------------------

    def _cat(self, words, stdin):
        return output(self.state.boot_id + "\n")

    def _grep(self, words, stdin):
        lines = [
            f"/proc/sys/{key.replace('.', '/')}:{value}\n"
            for key, value in self.state.sysctls
        ]
        return output("".join(lines))

    def _arping(self, words, stdin):
        taken = words[0] == "-D" and words[-1] in self.taken
        return output("[52:54:00:00:00:99]" if taken else "", 1 if taken else 0)

    # -- ip ---------------------------------------------------------------------------

    def _ip(self, words, stdin):
        match words:
            case ("-j", "addr", "show"):
                return output(json.dumps([self._link(b) for b in self.state.addresses]))
            case ("-j", "route", "show", "dev", "lo"):
                routes = [r.destination.removesuffix("/32") for r in self.state.routes]
                return output(json.dumps([{"dst": dst} for dst in routes]))
            case ("addr", verb, interface, "dev", device, "label", label):
                wanted = BoundAddress(device, ip_interface(interface), label)
                return self._change(verb, "addresses", wanted)
            case ("route", verb, destination, "dev", device):
                return self._change(verb, "routes", Route(destination, device))
        raise AssertionError(words)

    def _link(self, bound):
        info = {
            "family": "inet",
            "local": str(bound.address),
            "prefixlen": bound.interface.network.prefixlen,
            "scope": "global",
            "label": bound.label,
        }
        return {"ifname": bound.device, "addr_info": [info]}

    def _change(self, verb, name, item):
        items = getattr(self.state, name)
        if (item in items) == (verb == "add"):
            return output(status=2, complaint="RTNETLINK answers: it is so already")
        left = (*items, item) if verb == "add" else [i for i in items if i != item]
        return self._write(f"{verb} {item}", **{name: tuple(left)})

    def _write(self, what, **changed):
        self.state = replace(self.state, **changed)
        self.writes.append(what)
        return output()

    # -- sysctl and ipvsadm -----------------------------------------------------------

    def _sysctl(self, words, stdin):
        assert words[:2] == ("-q", "-w")
        new = dict(word.split("=") for word in words[2:])
        values = tuple((dict(self.state.sysctls) | new).items())
        return self._write("sysctl " + " ".join(words[2:]), sysctls=values)

    def _ipvsadm(self, words, stdin):
        if words == ("-Sn",):
            return output(rules.render(self.state.table))
        if words == ("-Ln", "--thresholds"):
            return output("")
        assert words == ("-R",), words
        complaints = ""
        for line in stdin.splitlines():
            if line in self.refused or not self._rule(line):
                complaints += f"refused: {line}\n"
        return output(complaint=complaints)

    def _rule(self, line):
        """Do what the kernel does with one rule; False when it refuses."""
        after = apply_rule(self.state.table, line)
        if after is None:
            return False
        self._write(line, table=after)
        return True


def apply_rule(before: Table, line: str) -> Table | None:
    """Return the table after one rule of ``ipvsadm -R``, None when it is refused."""
    verb, rest = line.split(" ", 1)
    if verb in ("-d", "-D"):
        return _deleted(before, verb, rest)
    add = {"-E": "-A", "-e": "-a"}.get(verb, verb)
    head = "" if add == "-A" else "-A " + " ".join(rest.split(" -r ")[:1]) + " -s rr\n"
    parsed = rules.parse(f"{head}{add} {rest}\n")
    assert not parsed.unknown, parsed.unknown
    new = parsed.services[0]
    old = before.by_address.get(new.at)
    if add == "-A":
        if (old is None) == (verb == "-E"):
            return None
        return _with(before, replace(new, servers=old.servers if old else ()))
    if old is None:
        return None
    (one,) = new.servers
    present = old.server(one.address, one.port)
    if (present is None) == (verb == "-e"):
        return None
    others = [s for s in old.servers if s != present]
    return _with(before, replace(old, servers=(*others, one)))


def _deleted(before, verb, rest):
    service_words, _, endpoint = rest.partition(" -r ")
    key = rules.parse(f"-A {service_words} -s rr\n").services[0].at
    old = before.by_address.get(key)
    if old is None:
        return None
    if verb == "-D":
        return Table(tuple(s for s in before.services if s.at != key))
    left = tuple(s for s in old.servers if s.endpoint != endpoint)
    return None if left == old.servers else _with(before, replace(old, servers=left))


def _with(before, service):
    others = [s for s in before.services if s.at != service.at]
    return Table((*others, service))
