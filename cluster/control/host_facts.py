"""Get to know a host: fetch its key, test our rights, find what it is and lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from cluster.control.observe import (
    FactRefused,
    marked_families,
    needed_on,
    observe,
    remember,
    replaces_source,
    taking_gue,
)
from cluster.control.targets import Connect
from cluster.control.trouble import clear_trouble, record_trouble
from cluster.lvs import host_facts, host_setup
from cluster.lvs.command import Command
from cluster.models import Cluster, Host
from cluster.remote.paramiko_shell import fetch_host_key
from cluster.remote.shell import HostKey, HostKeyChanged, RemoteError, Shell

FRESH = timedelta(minutes=30)


def fetch_key(host: Host) -> None:
    """Ask the host for its key, without logging in, and keep it as *offered*."""
    try:
        offered = fetch_host_key(host.ssh_address, host.ssh_port)
    except RemoteError as error:
        record_trouble(host, error)
        return
    if host.host_key and offered.line != host.host_key:
        pinned = HostKey.parse(host.host_key)
        record_trouble(host, HostKeyChanged(host.name, "", pinned, offered))
        return
    if not host.host_key:
        clear_trouble(host)
        Host.objects.filter(pk=host.pk).update(offered_key=offered.line)


def look(host: Host, connect: Connect) -> None:
    """Log in and write down what the host has, may and is; or why not.

    1. What a plan needs (``observe``) is kept first: forms wait for it.
    2. System, programs, devices.
    3. Rights: sudo is asked about each rule, nothing of it is carried out.
    """
    try:
        with connect(host) as shell:
            try:
                rules, gue = replaces_source(host), bool(taking_gue([host]))
                found = observe(
                    host,
                    shell,
                    firewall=rules,
                    gue=gue,
                    families=marked_families(host),
                    needed=needed_on([host]).get(host.pk, ()),
                )
                remember([(host, found)])
            except FactRefused as error:
                # Rights or programs are missing: go on, to find out which.
                record_trouble(host, error)
            _keep(host, describe(host, shell))
    except RemoteError as error:
        record_trouble(host, error)


def describe(host: Host, shell: Shell) -> dict[str, Any]:
    """Return what the host is, which of our commands it allows, and what it lacks."""
    files = host_facts.parse_files(_answer(shell, host_facts.FILES))
    system = host_facts.parse_os_release(files.get(host_facts.OS_RELEASE, ""))
    kernel = host_facts.kernel_release(files.get(host_facts.KERNEL, ""))
    loaded = host_facts.parse_loaded(files.get(host_facts.MODULES, ""))
    on_disk = _modules_on_disk(shell, kernel)
    programs = host_facts.parse_programs(_answer(shell, host_facts.FOUND_PROGRAMS))
    sudo = host_facts.parse_version(_answer(shell, host_facts.SUDO_VERSION))
    rights = [_right(shell, c) for c in host_setup.sample_commands(host.role)]
    lacks = host_setup.lacks(host.role, system, programs, {*loaded, *on_disk}, sudo)
    links = host_facts.parse_links(_answer(shell, host_facts.LINKS))
    route = _answer(shell, host_facts.DEFAULT_ROUTE)
    return {
        "os": host_facts.as_json(system),
        "kernel": kernel,
        "sudo": sudo,
        **_versions(host, shell, programs),
        "modules": {"loaded": loaded, "available": on_disk},
        "links": host_facts.as_json(links),
        "default_route": host_facts.parse_default_route(route),
        "ip_forward": files.get(host_facts.IP_FORWARD, "") == "1",
        "rights": rights,
        "missing": [
            {"sentence": lack.sentence.as_json(), "install": lack.install}
            for lack in lacks
        ],
    }


def _versions(
    host: Host, shell: Shell, programs: tuple[str, ...]
) -> dict[str, str | None]:
    """Return the versions, None for a program that is not there."""
    ask = {"keepalived": host_facts.KEEPALIVED_VERSION}
    if host.is_director:
        ask["ipvsadm"] = host_facts.IPVSADM_VERSION
    return {
        name: host_facts.parse_version(_answer(shell, command))
        if name in programs
        else None
        for name, command in ask.items()
    }


def _modules_on_disk(shell: Shell, kernel: str) -> tuple[str, ...]:
    if not kernel:
        return ()
    answer = _answer(shell, host_facts.modules_on_disk(kernel))
    return host_facts.parse_on_disk(answer)


def _right(shell: Shell, command: Command) -> dict[str, Any]:
    output = shell.run(host_setup.may_i(command))
    return {"command": command.line, "allowed": output.ok}


def _answer(shell: Shell, command: Command) -> str:
    """Return what the command printed, whatever its exit status: ``ls`` and ``grep``
    answer and complain at the same time, keepalived prints its version as an error."""
    output = shell.run(replace(command, reads=True))
    return output.text or output.stderr.decode("utf-8", "replace")


def _keep(host: Host, found: dict[str, Any]) -> None:
    """Add what was found to the row; the state in it may be newer than *host*."""
    now = timezone.now()
    with transaction.atomic():
        row = Host.objects.select_for_update().get(pk=host.pk)
        row.facts = {**row.facts, **found}
        row.facts_at = row.seen_at = now
        row.save(update_fields=["facts", "facts_at", "seen_at"])
        if row.is_director:
            # The first director that we know to work is the active one.
            first = Cluster.objects.filter(pk=row.cluster_id, director=None)
            first.update(director=row)
    host.facts, host.facts_at, host.seen_at = row.facts, now, now


def due() -> list[int]:
    """Return the hosts that should be looked at: new ones, and old news."""
    old = Q(facts_at=None) | Q(facts_at__lt=timezone.now() - FRESH)
    return list(Host.objects.trusted().filter(old).values_list("pk", flat=True))
