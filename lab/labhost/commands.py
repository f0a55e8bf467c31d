"""The commands lab/up, lab/stop, lab/ssh, lab/power, lab/reset and lab/traffic."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from labhost import machine, network, process, seed, traffic
from labhost.doors import open_doors
from labhost.image import image
from labhost.instance import Instance, read_instance
from labhost.needs import meet_needs
from labhost.ready import wait_for, write_hosts_json
from labhost.shell import as_root, hang_up, shared_words
from labhost.table import LAB, Host
from labhost.trouble import Trouble

ABOUT_INSTANCES = (
    "PIRANHA_LAB_NAME chooses a lab beside the default one (state in var/lab-NAME), "
    "PIRANHA_LAB_PORTS the base of its SSH ports (default 2200), PIRANHA_LAB_HOSTS "
    "some of its hosts, such as lb01,web1."
)
Command = Callable[[list[str]], int]


def say(line: str) -> None:
    print(line, flush=True)


def told(command: Command) -> Callable[[], int]:
    """Trouble ends a command with one sentence and its exit code, not a traceback."""

    @wraps(command)
    def run() -> int:
        try:
            return command(sys.argv[1:])
        except Trouble as trouble:
            print(f"lab: {trouble}", file=sys.stderr)
            return trouble.exit_code
        except KeyboardInterrupt:
            print("lab: interrupted; `make lab-stop` ends what runs", file=sys.stderr)
            return 130

    return run


def parser(about: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(description=about, epilog=ABOUT_INSTANCES)


@told
def up(arguments: list[str]) -> int:
    words = parser("Boots the lab's hosts; those that run already are left alone.")
    words.add_argument(
        "--no-traffic", action="store_true", help="no traffic from the client host"
    )
    options = words.parse_args(arguments)
    began = time.monotonic()
    instance = read_instance()
    meet_needs(say)
    with instance.locked():
        _boot(instance, image(say))
        if not options.no_traffic:
            _start_traffic(instance)
    took = time.monotonic() - began
    say(
        f"The lab is up after {took:.0f} s; {instance.hosts_json} says how to reach it."
    )
    return 0


def _boot(instance: Instance, newest: Path) -> None:
    instance.remember()
    seed.make_keys(instance)
    if open_doors(instance):
        say(f"network  up, SSH on 127.0.0.1 from port {instance.ports}")
    off = [h for h in instance.wanted if not machine.is_on(instance, h)]
    for host in instance.hosts.values():
        if host in off:
            _power_on(instance, host, newest)
        elif not machine.is_on(instance, host):
            say(f"{host.name:8} stays off; lab/power {host.name} on boots it")
        elif seed.write_seed(instance, host):
            as_root(instance, host, "lab-seed")
            say(f"{host.name:8} runs; took over new keys, rights or names")
        else:
            say(f"{host.name:8} runs")
    wait_for(instance, off, say)
    write_hosts_json(instance)


def _power_on(instance: Instance, host: Host, newest: Path) -> None:
    if machine.image_of_disk(instance, host) not in (None, newest):
        say(f"{host.name:8} has a disk from an older image; lab/reset renews it")
    machine.power_on(instance, host, newest)


def _start_traffic(instance: Instance) -> None:
    if not process.running(traffic.record(instance)):
        process.start(
            [sys.executable, "-m", "labhost.traffic"],
            record=traffic.record(instance),
            log=instance.state / "traffic.log",
            cwd=LAB,
        )


@told
def stop(arguments: list[str]) -> int:
    parser("Stops the lab; disks and keys are kept.").parse_args(arguments)
    instance = read_instance()
    with instance.locked():
        instance.hosts_json.unlink(missing_ok=True)
        traffic.stop(instance)
        for host in instance.hosts.values():
            hang_up(instance, host)
        records = [*network.host_records(instance), network.gate_record(instance)]
        for path in records:
            if known := process.recorded(path):
                known.kill()
                path.unlink()
    say("The lab is stopped.")
    return 0


@told
def ssh(arguments: list[str]) -> int:
    words = parser("Runs a command on a host as root, or opens a shell there.")
    words.add_argument("host")
    words.add_argument("command", nargs=argparse.REMAINDER)
    options = words.parse_args(arguments)
    instance = read_instance()
    host = instance.host(options.host)
    if not machine.is_on(instance, host):
        raise Trouble(f"{host.name} is off (lab/power {host.name} on, or make lab).")
    terminal = ["-t"] if not options.command and sys.stdin.isatty() else []
    command = [*shared_words(instance, host, *terminal), *options.command]
    os.execvp(command[0], command)  # noqa: S606 (the words go to ssh as they are)


@told
def power(arguments: list[str]) -> int:
    words = parser("Switches a host; waits until it is done.")
    words.add_argument("host")
    words.add_argument(
        "switch",
        choices=["off", "on", "reset"],
        help="off: a power cut; on: boots from the disk as it is; reset: both",
    )
    options = words.parse_args(arguments)
    instance = read_instance()
    host = instance.host(options.host)
    with instance.locked():
        network.inside(instance)  # a lab that does not run is Trouble
        if options.switch != "on":
            machine.power_off(instance, host)
            say(f"{host.name:8} off")
        if options.switch != "off" and not machine.is_on(instance, host):
            _power_on(instance, host, image(say))
            wait_for(instance, [host], say)
        write_hosts_json(instance)
    return 0


@told
def reset(arguments: list[str]) -> int:
    words = parser("Gives hosts a fresh disk, with new host keys; boots what ran.")
    words.add_argument("host", nargs="*", help="all hosts when none is named")
    options = words.parse_args(arguments)
    instance = read_instance()
    hosts = [instance.host(name) for name in options.host or instance.hosts]
    with instance.locked():
        ran = [host for host in hosts if machine.is_on(instance, host)]
        for host in hosts:
            machine.erase(instance, host)
            say(f"{host.name:8} has a fresh disk")
        if ran:
            newest = image(say)
            for host in ran:
                machine.power_on(instance, host, newest)
            wait_for(instance, ran, say)
            write_hosts_json(instance)
    return 0


@told
def switch_traffic(arguments: list[str]) -> int:
    words = parser("Traffic from the client to whatever virtual services exist.")
    words.add_argument("switch", choices=["on", "off"])
    options = words.parse_args(arguments)
    instance = read_instance()
    with instance.locked():
        traffic.stop(instance)
        if options.switch == "on":
            network.inside(instance)  # a lab that does not run is Trouble
            _start_traffic(instance)
    return 0
