"""Apply 1,000 services x 10 real servers to the kernel of a lab director.

Ours: a confirmed run to its end, as a worker does it: look again, send, read every rule
back, compare. Against it, on the same director and in the same round:

- loop: one ipvsadm process per rule, started by the shell of the director itself;
- calls: one ipvsadm process per rule, each a command on one open SSH connection;
- ansible: a task ``raw`` per rule, pipelined over one connection, start not counted.

They do a part of the rules, and their time is scaled to all of them; they run as root
without sudo, and none of them reads anything back.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench import ansible, django, lab
from bench.result import Result, at_least, at_most
from bench.rounds import ratios, seconds, side_by_side
from cluster.lvs.command import Command
from cluster.lvs.rules import render
from cluster.remote.paramiko_shell import open_shell
from tests.lab.running import CLEAN, Lab

if TYPE_CHECKING:
    from tests.lab.site import Site

SERVICES = 1000
RULES = SERVICES * 11
ROUNDS = 3
# Name, how many rules it does, and how many times slower it shall be.
LEAST = (("loop", 220, 25), ("calls", 110, 25), ("ansible", 33, 50))


def measure() -> Iterator[Result]:
    ansible.program()
    hosts = lab.booted()
    django.set_up()
    from bench import large
    from tests.lab.site import Site

    site = Site(hosts)
    large.want_services(site.cluster, SERVICES, on_a_vip=SERVICES)
    rules = render(site.cluster.wish().table).splitlines()
    parts = {name: part for name, part, _least in LEAST}
    times = side_by_side(
        {
            "ours": lambda: _whole_run(site),
            "loop": lambda: _shell_loop(hosts, rules[: parts["loop"]]),
            "calls": lambda: _calls(hosts, rules[: parts["calls"]]),
            "ansible": lambda: _ansible(hosts, rules[: parts["ansible"]]),
        },
        ROUNDS,
    )
    steps = site.cluster.runs.latest("pk").steps.count()
    details = {"seconds": times, "rules": parts, "steps": steps}
    for name, part, least in LEAST:
        scaled = [time / part * RULES for time in times[name]]
        values, note = ratios(scaled, times["ours"]), f"scaled from {part} rules"
        yield Result(name, values, at_least(least), "times slower", note, details)
    yield Result("ours", [steps], at_most(6), "commands")


def _whole_run(site: Site) -> float:
    """Return the seconds from confirmation to the proven end, on a clean host."""
    site.lab.ssh("lb01", CLEAN)
    site.cluster.hosts.update(footprint={})
    run = site.plan()
    assert run.state == "planned", str(run.account_sentences[:3])
    took = seconds(lambda: site.carry_out(run))
    assert run.state == "converged", str(run.account_sentences[:3])
    listed = site.lab.ssh("lb01", "ipvsadm -Sn | wc -l")
    assert int(listed) == RULES, listed
    return took


def _shell_loop(hosts: Lab, rules: list[str]) -> float:
    hosts.ssh("lb01", CLEAN)
    loop = f"while read -r rule; do ipvsadm $rule; done <<'END'\n{_lines(rules)}END\n"
    return seconds(lambda: hosts.ssh("lb01", loop))


def _calls(hosts: Lab, rules: list[str]) -> float:
    hosts.ssh("lb01", CLEAN)
    with open_shell(lab.login(hosts)) as shell:
        shell.run(Command(("true",)))

        def call() -> None:
            for rule in rules:
                output = shell.run(Command(("ipvsadm", *rule.split())))
                assert output.ok, output

        return seconds(call)


def _ansible(hosts: Lab, rules: list[str]) -> float:
    """Return the seconds of all rules but the first: start and login are left out."""
    facts = hosts.hosts["lb01"]
    login = {
        "ansible_host": "127.0.0.1",
        "ansible_port": facts["ssh_port"],
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(hosts.state / "root_ed25519"),
    }
    inventory = {"all": {"hosts": {"lb01": login}}}

    def play(folder: Path, part: list[str]) -> float:
        task = {"ansible.builtin.raw": "ipvsadm {{ item }}", "loop": part}
        book = [{"hosts": "lb01", "gather_facts": False, "tasks": [task]}]
        (folder / "inventory.yaml").write_text(json.dumps(inventory))
        (folder / "play.yaml").write_text(json.dumps(book))
        hosts.ssh("lb01", CLEAN)
        words = [str(ansible.program()), "-i", "inventory.yaml", "play.yaml"]
        return seconds(
            lambda: subprocess.run(
                words,
                cwd=folder,
                env=os.environ | ansible.QUICK | {"HOME": str(folder)},
                stdout=subprocess.DEVNULL,
                check=True,
            )
        )

    with tempfile.TemporaryDirectory() as name:
        first = play(Path(name), rules[:1])
        whole = play(Path(name), rules)
    return (whole - first) * len(rules) / (len(rules) - 1)


def _lines(rules: list[str]) -> str:
    return "".join(rule + "\n" for rule in rules)
