"""A lab for tests: an instance of its own, so that a running demo is not disturbed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cluster.lvs.counters import Counters, Key, parse_stats

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(REPOSITORY / "lab"))  # as its commands have it

from labhost.instance import Instance  # noqa: E402
from labhost.shell import shared_words  # noqa: E402
from labhost.table import read_table  # noqa: E402

# It is run before each test: a process that is not started is time saved, and systemd
# takes a second to forget a unit.
CLEAN = r"""
put() { for name in "${@:2}"; do echo "$1" >"/proc/sys/net/$name"; done; }
unload() { for name; do
 [[ $modules == *$'\n'"$name "* ]] && modprobe -q -r "$name"; done; }
modules=$'\n'$(</proc/modules)
test -e /proc/net/ip_vs && { ipvsadm -C
 for role in master backup; do ipvsadm --stop-daemon $role 2>/dev/null; done; }
ip -o -4 addr show | awk '$0 ~ /(eth0|lo|tunl0|gre0|gre-csum):[0-9]/ {print $2, $4}' |
while read -r device address; do ip addr del "$address" dev "$device"; done
ip -o -6 addr show | awk '$4 ~ /\/128$/ && $4 != "::1/128" {print $2, $4}' |
while read -r device address; do ip addr del "$address" dev "$device"; done
ip route flush dev lo table main
put 0 ipv6/conf/{all,eth0}/ndisc_notify ipv6/conf/all/forwarding
put 1 ipv6/conf/eth0/accept_{ra,redirects}
unload ip6_tunnel sit
put 0 ipv4/conf/{all,lo}/arp_{ignore,announce}
unit=/etc/systemd/system/lvs-real-server.service
test -e $unit && { systemctl -q disable --now lvs-real-server; rm -f $unit; }
test -e /sys/class/net/gre-csum && ip link del gre-csum
[[ $modules == *$'\n'"fou "* ]] && ip fou show | while read -r _ port _; do
 ip fou del port "$port"; done
unload ipip ip_gre fou
put 0 ipv4/ip_forward
put 1 ipv4/conf/{all,eth0}/send_redirects
test -e /proc/net/ip_tables_names && iptables-legacy -t nat -F POSTROUTING
for family in "" 6; do
 names=/proc/net/ip${family}_tables_names
 [[ -e $names && $(<$names) == *mangle* ]] &&
  ip${family}tables-legacy -t mangle -F PREROUTING
done
test -e /etc/nginx/sites-enabled/marks && rm -f /etc/nginx/sites-enabled/marks
# Connections, templates and counters of deleted real servers outlive their service, and
# every sysctl and timeout: they go with the module.
for pause in 0 .5 .5 1 1 2 2 3; do
 test -e /proc/net/ip_vs || break
 sleep $pause
 for module in $(grep -oE '^(xt_ipvs|ip_vs_[a-z]+)' /proc/modules) ip_vs; do
  modprobe -q -r "$module"; done
done
test -e /proc/net/ip_vs && { grep ^ip_vs /proc/modules >&2; exit 1; }
# The timer of a run that was kept lasts, and the next test has a run of this number, too.
for timer in /run/systemd/transient/piranha-return@*.timer; do
 test -e "$timer" && systemctl stop "${timer##*/}"
done
rm -f /etc/piranha-lvs/*
true
"""


@dataclass(frozen=True)
class Lab:
    """One instance, driven by the commands that people use."""

    name: str
    ports: int
    only: str = ""  # some of the hosts, such as "lb01,web1"
    data: Path = REPOSITORY / "var"

    @property
    def state(self) -> Path:
        return self.data / f"lab-{self.name}"

    @property
    def facts(self) -> dict[str, Any]:
        """What hosts.json says; the file is there while the lab is up."""
        facts = json.loads((self.state / "hosts.json").read_text())
        assert isinstance(facts, dict)
        return facts

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.facts["hosts"]}

    @property
    def up(self) -> bool:
        return (self.state / "hosts.json").exists()

    def run(
        self, command: str, *words: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the commands under lab/; its exit code is for the caller."""
        environment = {
            "PIRANHA_DATA": str(self.data),
            "PIRANHA_LAB_NAME": self.name,
            "PIRANHA_LAB_PORTS": str(self.ports),
            "PIRANHA_LAB_HOSTS": self.only,
        }
        return subprocess.run(
            [sys.executable, f"lab/{command}", *words],
            cwd=REPOSITORY,
            env=os.environ | environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def must(self, command: str, *words: str) -> str:
        done = self.run(command, *words)
        assert done.returncode == 0, (
            f"lab/{command} {' '.join(words)} ended with {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
        return done.stdout

    def start(self) -> None:
        self.must("up", "--no-traffic")

    def stop(self) -> None:
        self.must("stop")

    def ssh(self, host: str, command: str) -> str:
        """Run a shell command on a host as root; a failure fails the test.

        With the words that lab/ssh would use, but without its process: a run of the
        tests has hundreds of these, and each would load Python again.
        """
        done = subprocess.run(
            [*self._words[host], command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, (
            f"{command} on {host} ended with {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
        return done.stdout

    @cached_property
    def _words(self) -> dict[str, list[str]]:
        hosts = read_table()
        instance = Instance(self.name, self.state.resolve(), self.ports, hosts)
        return {name: shared_words(instance, host) for name, host in hosts.items()}

    def on_all(self, hosts: Iterable[str], command: str) -> dict[str, str]:
        """Run a shell command on several hosts side by side; return what each said."""
        names = list(hosts)
        with ThreadPoolExecutor(len(names)) as pool:
            said = pool.map(lambda name: self.ssh(name, command), names)
            return dict(zip(names, said, strict=True))

    def power(self, host: str, switch: str) -> None:
        self.must("power", host, switch)

    def stats(self, conns: int) -> dict[Key, Counters]:
        """Return what lb01 has counted, once it has *conns* connections in all.

        Packets that come after the last handshake may be missing: see stats_at_rest.
        The kernel adds up the counters of its processors every 2 s.
        """
        end = time.monotonic() + 30
        while True:
            stats = parse_stats(self.ssh("lb01", "ipvsadm -Ln --stats --exact"))
            counted = sum(one.conns for (_, server), one in stats.items() if not server)
            if counted >= conns or time.monotonic() > end:
                assert counted == conns, stats
                return stats
            time.sleep(0.5)

    def stats_at_rest(self) -> dict[Key, Counters]:
        """Return what lb01 has counted of everything that is over by now.

        The kernel adds up every 2 s of its own clock, so it is the host that waits.
        """
        return parse_stats(self.ssh("lb01", "sleep 2.5; ipvsadm -Ln --stats --exact"))

    def clean(self) -> None:
        """Take off the hosts what a test that failed may have left on them; switch on
        those that it left off."""
        hosts = ("lb01", "lb02", "web1", "web2")
        try:
            self.on_all(hosts, CLEAN)
        except AssertionError:  # one of them is off
            for host in hosts:
                self.power(host, "on")
            self.on_all(hosts, CLEAN)

    def boot_id(self, host: str) -> str:
        return self.ssh(host, "cat /proc/sys/kernel/random/boot_id").strip()


def listening() -> list[tuple[str, int]]:
    """List address (hexadecimal) and port of each TCP listener of this machine."""
    rows = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            place, state = line.split()[1], line.split()[3]
            if state == "0A":
                address, _, port = place.partition(":")
                rows.append((address, int(port, 16)))
    return rows
