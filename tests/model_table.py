"""A table as a kernel changes it by rules, and as ipvsadm lists it."""

import re
from dataclasses import replace
from ipaddress import ip_address

from cluster.lvs import rules
from cluster.lvs.settings import SyncDaemon
from cluster.lvs.table import Table


def listed(table: Table) -> str:
    """Return what ``ipvsadm -Sn`` says: no thresholds and no local addresses."""
    text = re.sub(r"^-P .*\n", "", rules.render(table), flags=re.MULTILINE)
    return re.sub(r" -[xy] \d+", "", text)


def thresholds(table: Table) -> str:
    lines = [
        "IP Virtual Server version 1.2.1 (size=4096)",
        "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ",
        "  -> RemoteAddress:Port",
    ]
    for service in table.services:
        lines.append(
            f"{str(service.at).replace(' ', '  ', 1)} {service.scheduler.value}"
        )
        lines += [
            f"  -> {s.endpoint:<28} {s.upper:<10} {s.lower:<10} {0:<10} {0:<10}"
            for s in service.servers
        ]
    return "".join(line + "\n" for line in lines)


def tunnel_shown(tunnel):
    """A device as ``ip -d -j addr show`` lists it."""
    return {
        "ifname": tunnel.name,
        "flags": ["NOARP", *(["UP"] if tunnel.up else [])],
        "linkinfo": {
            "info_kind": {"ipip": "ipip", "ip_gre": "gre"}[tunnel.module],
            "info_data": {"remote": "any", "local": tunnel.local or "any"},
        },
    }


def daemon_line(daemon):
    """As ipvsadm 1.31 prints it."""
    return (
        f"{daemon.role.value} sync daemon (mcast={daemon.interface},"
        f" syncid={daemon.syncid}, maxlen={daemon.maxlen}, group={daemon.group},"
        f" port={daemon.port}, ttl={daemon.ttl})\n"
    )


def daemon_started(role, options):
    """A daemon with what the kernel chooses itself."""
    given = dict(zip(options[::2], options[1::2], strict=True))
    return SyncDaemon(
        role,
        given["--mcast-interface"],
        int(given.get("--syncid", 0)),
        int(given.get("--sync-maxlen", 1472)),
        given.get("--mcast-group", "224.0.0.81"),
        int(given.get("--mcast-port", 8848)),
        int(given.get("--mcast-ttl", 1)),
    )


def apply_rule(before: Table, line: str) -> Table | None:
    """Return the table after one rule of ``ipvsadm -R``, None when it is refused."""
    verb, rest = line.split(" ", 1)
    if verb in ("-d", "-D"):
        return _deleted(before, verb, rest)
    if verb in ("-P", "-Q"):
        return _local_changed(before, verb, rest)
    add = {"-E": "-A", "-e": "-a"}.get(verb, verb)
    head = "" if add == "-A" else "-A " + " ".join(rest.split(" -r ")[:1]) + " -s rr\n"
    parsed = rules.parse(f"{head}{add} {rest}\n")
    assert not parsed.unknown, parsed.unknown
    new = parsed.services[0]
    old = before.by_address.get(new.at)
    if add == "-A":
        if (old is None) == (verb == "-E"):
            return None
        kept = (old.servers, old.laddrs) if old else ((), ())
        return _with(before, replace(new, servers=kept[0], laddrs=kept[1]))
    if old is None:
        return None
    (one,) = new.servers
    present = old.server(one.address, one.port)
    if (present is None) == (verb == "-e"):
        return None
    others = [s for s in old.servers if s != present]
    return _with(before, replace(old, servers=(*others, one)))


def _local_changed(before, verb, rest):
    switches, _, local = rest.partition(" -z ")
    at = rules.parse(f"-A {switches} -s rr\n").services[0].at
    old, address = before.by_address.get(at), ip_address(local)
    if old is None or (address in old.laddrs) == (verb == "-P"):
        return None
    others = [one for one in old.laddrs if one != address]
    return _with(
        before,
        replace(old, laddrs=(*others, address) if verb == "-P" else tuple(others)),
    )


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
