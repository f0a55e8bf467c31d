"""A lab for tests: an instance of its own, so that a running demo is not disturbed."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.lvs.counters import Counters, Key, parse_stats

REPOSITORY = Path(__file__).resolve().parent.parent.parent


CLEAN = r"""
test -e /proc/net/ip_vs && ipvsadm -C
ip -o -4 addr show | awk '$0 ~ /(eth0|lo|tunl0|gre0|gre-csum):[0-9]/ {print $2, $4}' |
while read -r device address; do ip addr del "$address" dev "$device"; done
ip -o -6 addr show | awk '$4 ~ /\/128$/ && $4 != "::1/128" {print $2, $4}' |
while read -r device address; do ip addr del "$address" dev "$device"; done
ip route flush dev lo table main
sysctl -q -w net.ipv6.conf.{all,eth0}.ndisc_notify=0
sysctl -q -w net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.accept_{ra,redirects}=1
modprobe -q -r ip6_tunnel
modprobe -q -r sit
sysctl -q -w net.ipv4.conf.{all,lo}.arp_{ignore,announce}=0
systemctl -q disable --now lvs-real-server 2>/dev/null
rm -f /etc/systemd/system/lvs-real-server.service
ip link del gre-csum 2>/dev/null
ip fou show 2>/dev/null | while read -r _ port _; do ip fou del port "$port"; done
modprobe -q -r ipip ip_gre fou
sysctl -q -w net.ipv4.ip_forward=0 net.ipv4.conf.{all,eth0}.send_redirects=1
test -e /proc/net/ip_tables_names && iptables-legacy -t nat -F POSTROUTING
test -e /proc/sys/net/ipv4/vs && sysctl -q -w net.ipv4.vs.conntrack=0 \
 net.ipv4.vs.conn_reuse_mode=1
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
        """Run a shell command on a host as root; a failure fails the test."""
        return self.must("ssh", host, command)

    def power(self, host: str, switch: str) -> None:
        self.must("power", host, switch)

    def stats(self, conns: int) -> dict[Key, Counters]:
        """Return what lb01 has counted, once it has *conns* connections in all.

        The kernel adds up the counters of its processors every 2 s.
        """
        end = time.monotonic() + 10
        while True:
            stats = parse_stats(self.ssh("lb01", "ipvsadm -Ln --stats --exact"))
            counted = sum(one.conns for (_, server), one in stats.items() if not server)
            if counted >= conns or time.monotonic() > end:
                assert counted == conns, stats
                return stats
            time.sleep(0.5)

    def stats_at_rest(self) -> dict[Key, Counters]:
        """Return what lb01 has counted of everything that is over by now."""
        time.sleep(2.5)  # the kernel adds up every 2 s
        return parse_stats(self.ssh("lb01", "ipvsadm -Ln --stats --exact"))

    def clean(self) -> None:
        """Take off the hosts what a test that failed may have left on them."""
        for name in ("lb01", "lb02", "web1", "web2"):
            self.ssh(name, CLEAN)

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
