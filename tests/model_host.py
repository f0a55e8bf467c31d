"""A host that lives in memory: it understands our commands and nothing else.

``ModelHost`` is the kernel model of the property tests and the far side of the tests
of runs. It behaves as the lab's hosts were seen to: ``ip addr add`` of an address that
exists fails with status 2, ``ipvsadm -R`` ends with 0 though rules were refused.
"""

import json
from dataclasses import replace
from ipaddress import ip_interface

from cluster.lvs import arming, marks, script, source_nat
from cluster.lvs.boot_place import BOOT_FILE, UNITS, digest, units
from cluster.lvs.command import Command
from cluster.lvs.host import (
    BROUGHT,
    TUNNELS,
    BoundAddress,
    HostState,
    Route,
    Tunnel,
)
from cluster.lvs.patch import patched
from cluster.lvs.settings import SyncRole, Timeouts
from cluster.remote.shell import Output
from tests import model_table


def output(text="", status=0, complaint=""):
    return Output(status, text.encode(), complaint.encode(), 0.01, truncated=False)


class ModelHost:
    """Call it with a Command; *writes* counts what changed it, in order."""

    def __init__(self, state: HostState) -> None:
        self.state = state
        self.booted_with = state
        self.patched = state.fullnat  # its ipvsadm and its kernel know FULLNAT
        self.writes: list[str] = []
        self.taken: set[str] = set()  # addresses that somebody else on the LAN has
        self.refused: set[str] = set()  # rules that this kernel will not take
        self.armed: dict[str, str] = {}  # ways back, by the name of their file
        # What a real server has: (templates, active) by place, "10.0.1.6:80".
        self.connections: dict[str, tuple[int, int]] = {}
        self.templates_expire = "0"
        # As ``ss -Hltun`` prints them; None: the host has no ss.
        self.sockets: str | None = "tcp LISTEN 0 511 *:80 *:*\n"

    def reboot(self) -> None:
        """Forget what no file brings back: VIPs, routes, sysctls, the table."""
        own = tuple(b for b in self.state.addresses if ":" not in b.label)
        boot = self.state.boot
        self.state = HostState(
            self.state.boot_id + "+",
            own,
            (),
            self.booted_with.sysctls,
            boot=boot,
            settings=self.booted_with.settings,
            fullnat=self.booted_with.fullnat,
        )

    def __call__(self, command: Command) -> Output:
        program = command.argv[0].rpartition("/")[2].partition("-")[0]
        answer = getattr(self, f"_{program}")
        return answer(command.argv[1:], command.stdin.decode())

    # -- questions --------------------------------------------------------------------

    def _cat(self, words, stdin):
        if words == ("/proc/sys/net/ipv4/vs/expire_quiescent_template",):
            return output(self.templates_expire + "\n")
        if words == (BOOT_FILE,):
            missing = "" if self.state.boot.digest else "No such file or directory"
            return output(self.state.boot.text, 1 if missing else 0, missing)
        return output(self.state.boot_id + "\n")

    def _grep(self, words, stdin):
        lines = [
            f"/proc/sys/{key.replace('.', '/')}:{value}\n"
            for key, value in self.state.sysctls
        ]
        return output("".join(lines))

    def _ss(self, words, stdin):
        assert words == ("-Hltun",)
        if self.sockets is None:
            return output(status=127, complaint="sh: 1: ss: not found")
        return output(self.sockets)

    def _arping(self, words, stdin):
        taken = words[0] == "-D" and words[-1] in self.taken
        return output("[52:54:00:00:00:99]" if taken else "", 1 if taken else 0)

    # -- what outlasts a reboot ---------------------------------------------------------

    def _find(self, words, stdin):
        boot, text = self.state.boot, ""
        if boot.ready:
            text = "ours\n" + "".join(
                f"{digest(unit)}  {UNITS}/{name}\n" for name, unit in units().items()
            )
        text += "".join(f"returns {name}\n" for name in boot.returns)
        text += f"{boot.digest}  {BOOT_FILE}\n" if boot.digest else ""
        return output(text, 1)

    def _sh(self, words, stdin):
        _c, _script, _sh, path, expected, *timer = words
        boot = self.state.boot
        assert boot.ready
        text = patched(boot.text, stdin)
        if timer:
            assert expected == digest(stdin)
            return self._arm(path, stdin, *timer)
        assert path == BOOT_FILE
        if expected == boot.digest:
            return output()
        if expected != digest(text):
            return output(status=1)
        boot = replace(boot, digest=expected, text=text)
        return self._write(f"write {path} {expected}", boot=boot)

    def _arm(self, path, text, unit, seconds):
        if f"{unit}.timer" in self.state.boot.returns:
            return output(status=1, complaint=f"Unit {unit}.timer already exists.")
        self.armed[path.rpartition("/")[2]] = text
        returns = (*self.state.boot.returns, path.rpartition("/")[2], f"{unit}.timer")
        boot = replace(self.state.boot, returns=returns)
        return self._write(f"arm {unit} {seconds}", boot=boot)

    def _taken(self, name):
        left = tuple(n for n in self.state.boot.returns if n != name)
        return replace(self.state.boot, returns=left)

    def lapse(self):
        """Let every timer end: it undoes its run if its file is still there."""
        for timer in [n for n in self.state.boot.returns if n.endswith(".timer")]:
            name = timer.replace("piranha-return@", "return-").replace(".timer", ".sh")
            self.state = replace(self.state, boot=self._taken(timer))
            if name not in self.state.boot.returns:
                continue
            self.state = replace(self.state, boot=self._taken(name))
            for command in script.read(self.armed[name].encode(), arming.FIXED):
                self(command)

    def _rm(self, words, stdin):
        name = words[0].rpartition("/")[2]
        if name.startswith("return-"):
            if name not in self.state.boot.returns:
                return output(status=1, complaint="No such file or directory")
            return self._write(f"rm {name}", boot=self._taken(name))
        assert words == (BOOT_FILE,)
        if not self.state.boot.digest:
            return output(status=1, complaint="No such file or directory")
        boot = replace(self.state.boot, digest="", text="")
        return self._write(f"rm {BOOT_FILE}", boot=boot)

    # -- ip ---------------------------------------------------------------------------

    def _ip(self, words, stdin):
        match words:
            case ("-j", "addr", "show") | ("-d", "-j", "addr", "show"):
                links = [self._link(b) for b in self.state.addresses]
                links += [model_table.tunnel_shown(t) for t in self.state.tunnels]
                return output(json.dumps(links))
            case ("-j", "route", "show"):
                routes = [
                    {"dst": r.destination.removesuffix("/32"), "dev": "lo"}
                    for r in self.state.routes
                ]
                routes += [
                    {"dst": g.destination, "gateway": g.via, "dev": "eth0"}
                    for g in self.state.gateways
                ]
                return output(json.dumps(routes))
            case ("link", *rest):
                return self._ip_link(tuple(rest))
            case ("fou", *rest) | ("-j", "fou", *rest):
                return self._fou(tuple(rest))
            case ("addr", verb, interface, "dev", device, "label", label):
                wanted = BoundAddress(device, ip_interface(interface), label)
                return self._change(verb, "addresses", wanted)
            case ("route", verb, destination, "dev", device):
                return self._change(verb, "routes", Route(destination, device))
        raise AssertionError(words)

    def _ip_link(self, words):
        match words:
            case ("set", name, word):
                if not self.state.tunnel(name):
                    return output(status=1, complaint="Cannot find device")
                tunnels = (
                    replace(t, up=word == "up") if t.name == name else t
                    for t in self.state.tunnels
                )
                return self._write(f"link {name} {word}", tunnels=tuple(tunnels))
            case ("add", name, "type", "gre", "local", local, "icsum"):
                assert self.state.tunnel("gre0"), "no module ip_gre"
                assert not self.state.tunnel(name)
                new = Tunnel(name, up=False, module="ip_gre", local=local)
                return self._devices(f"link add {name}", (*self.state.tunnels, new))
            case ("del", name):
                kept = [t for t in self.state.tunnels if t.name != name]
                assert len(kept) < len(self.state.tunnels)
                return self._devices(f"link del {name}", kept)
        raise AssertionError(words)

    def _fou(self, words):
        if self.state.gue is None:
            return output(status=1, complaint="RTNETLINK answers: No such file")
        if words == ("show",):
            rows = [{"port": p, "gue": None, "family": "inet"} for p in self.state.gue]
            return output(json.dumps(rows))
        port = int(words[2])
        assert (port in self.state.gue) == (words[0] == "del")
        assert words[3:] == (("gue",) if words[0] == "add" else ())
        ports = {*self.state.gue} ^ {port}
        return self._write(f"fou {words[0]} {port}", gue=tuple(sorted(ports)))

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

    def _ip6tables(self, words, stdin):
        assert words[:4] == ("-w", "5", "-t", "mangle")
        return self._mangle(words[4:], 6)

    def _mangle(self, words, family):
        verb, *rest = words
        if verb == "-S":
            mine = [r for r in self.state.marks if r.family == family]
            strange = [
                f"-A PREROUTING -i eth1 -j MARK --set-xmark 0x{mark:x}/0xffffffff"
                for mark in self.state.other_marks
            ]
            lines = [f"-A {' '.join(r.words)}" for r in mine]
            return output("\n".join(["-P PREROUTING ACCEPT", *lines, *strange, ""]))
        rule = marks.read(rest)
        assert rule.family == family
        if verb == "-D" and rule not in self.state.marks:
            return output(status=1, complaint="Bad rule (does a matching rule exist?)")
        kept = tuple(r for r in self.state.marks if r != rule)
        rules = (*self.state.marks, rule) if verb == "-A" else kept
        return self._write(f"mark {verb} {rule.packets} {rule.mark}", marks=rules)

    def _iptables(self, words, stdin):
        if words[:4] == ("-w", "5", "-t", "mangle"):
            return self._mangle(words[4:], 4)
        assert words[:4] == ("-w", "5", "-t", "nat")
        verb, rule = words[4], words[4:]
        if verb == "-S":
            lines = [f"-A {' '.join(r.words)}" for r in self.state.source_nat]
            # As the lab's hosts list it.
            text = "\n".join(["-P POSTROUTING ACCEPT", *lines])
            return output(text.replace("masq", "MASQ").replace("/32", ""))
        rule = source_nat.read(words[5:])
        if verb == "-D" and rule not in self.state.source_nat:
            return output(status=1, complaint="Bad rule (does a matching rule exist?)")
        kept = [r for r in self.state.source_nat if r != rule]
        rules = (*self.state.source_nat, rule) if verb == "-A" else tuple(kept)
        return self._write(f"{verb} {rule}", source_nat=rules)

    def _modprobe(self, words, stdin):
        if words[0] == "-n":
            return output(status=1)  # a kernel without NAT by nftables
        module, unload = words[-1], words[0] == "-r"
        if module == "fou":
            assert not (unload and self.state.gue), "in use"
            return self._write(f"modprobe {words}", gue=None if unload else ())
        present = [t for t in self.state.tunnels if t.module == module]
        others = [t for t in self.state.tunnels if t.module != module]
        new = [Tunnel(name, up=False, module=module) for name in BROUGHT[module]]
        kept = [] if unload else present or new
        return self._devices(" ".join(["modprobe", *words]), (*others, *kept))

    def _devices(self, what, tunnels):
        """Devices come and go with sysctls of their own, with the default's value."""
        now = dict(self.state.sysctls)
        base = "net.ipv4.conf"
        had = {t.name for t in self.state.tunnels}
        has = {t.name for t in tunnels}
        for name in has - had:
            if name in TUNNELS:
                for key in ("arp_ignore", "arp_announce", "rp_filter"):
                    value = now.get(f"{base}.default.{key}", "0")
                    now[f"{base}.{name}.{key}"] = value
        gone = {key for key in now for name in had - has if f".{name}." in key}
        values = tuple((k, v) for k, v in now.items() if k not in gone)
        return self._write(what, tunnels=tuple(tunnels), sysctls=values)

    # -- sysctl and ipvsadm -----------------------------------------------------------

    def _sysctl(self, words, stdin):
        assert words[:2] == ("-q", "-w")
        new = dict(word.split("=") for word in words[2:])
        assert new.keys() <= dict(self.state.sysctls).keys(), "no such file"
        forward = new.get("net.ipv4.ip_forward")
        if forward and forward != dict(self.state.sysctls)["net.ipv4.ip_forward"]:
            # As inet_forward_change() does, before the rest of the words is read.
            along = "net.ipv4.conf.all.accept_redirects"
            new = {along: "1" if forward == "0" else "0"} | new
        values = tuple((dict(self.state.sysctls) | new).items())
        return self._write("sysctl " + " ".join(words[2:]), sysctls=values)

    def _ipvsadm(self, words, stdin):
        if words == ("-Sn",):
            return output(model_table.listed(self.state.table))
        if words == ("-Ln", "--thresholds"):
            return output(model_table.thresholds(self.state.table))
        if words == ("-Ln", "--persistent-conn"):
            return output(self._connections())
        if words[:1] in (("-G",), ("--help",)):
            return self._patched(words)
        if words[:1] != ("-R",):
            return self._setting(words)
        complaints = ""
        for line in stdin.splitlines():
            if line in self.refused or not self._rule(line):
                complaints += f"refused: {line}\n"
        return output(complaint=complaints)

    def _patched(self, words):
        """What a patched ipvsadm says of itself, and of local addresses of a service."""
        option, *switches = words
        if option == "--help":
            more = "  --fullnat -b\n  --add-laddr -P\n  --del-laddr -Q\n"
            return output("Usage:\n" + (more if self.patched else ""))
        assert self.patched
        (one,) = (s for s in self.state.table.services if [*s.at.switches] == switches)
        lines = ["VIP:VPORT TOTAL SNAT_IP CONFLICTS CONNS"]
        lines.append(f"{one.at.place:<20} {len(one.laddrs):<8} ")
        lines += [f"{'':<29} {local!s:<20} {0:<10} {0:<10}" for local in one.laddrs]
        return output("".join(line + "\n" for line in lines))

    def _connections(self):
        lines = []
        for service in self.state.table.services:
            lines.append(f"{service.at} {service.scheduler.value}\n")
            for one in service.servers:
                held, active = self.connections.get(one.endpoint, (0, 0))
                lines.append(f"  -> {one.endpoint} {one.weight} {held} {active} 7\n")
        return "".join(lines)

    def _setting(self, words):
        now = self.state.settings
        numbers = (now.timeouts.tcp, now.timeouts.tcp_fin, now.timeouts.udp)
        match words:
            case ("-Ln", "--timeout"):
                return output("Timeout (tcp tcpfin udp): {} {} {}\n".format(*numbers))
            case ("-Ln", "--daemon"):
                return output("".join(map(model_table.daemon_line, now.daemons)))
            case ("--set", *new):
                pairs = zip(map(int, new), numbers, strict=True)
                after = Timeouts(*(given or old for given, old in pairs))
                return self._set(" ".join(words), replace(now, timeouts=after))
            case ("--start-daemon", role, *options):
                if now.daemon(SyncRole(role)):
                    return output(status=255, complaint="Daemon has already run")
                daemon = model_table.daemon_started(SyncRole(role), options)
                both = (*now.daemons, daemon)
                return self._set(" ".join(words), replace(now, daemons=both))
            case ("--stop-daemon", role):
                if not now.daemon(SyncRole(role)):
                    return output(status=255, complaint="No daemon is running")
                left = tuple(d for d in now.daemons if d.role.value != role)
                return self._set(" ".join(words), replace(now, daemons=left))
        raise AssertionError(words)

    def _set(self, what, settings):
        return self._write(what, settings=settings)

    def _rule(self, line):
        """Do what the kernel does with one rule; False when it refuses."""
        after = model_table.apply_rule(self.state.table, line)
        patched = line[:2] in ("-P", "-Q") or (line[:2] in "-a-e" and " -b " in line)
        if after is None or (patched and not self.patched):
            return False
        self._write(line, table=after)
        return True
