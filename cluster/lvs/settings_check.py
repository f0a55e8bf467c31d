"""Settings among their surroundings: why a value, or all of them together, is refused.

Single values are read here for the form and for the file; what does not go together
is told once for all, by ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from cluster.lvs.host import HostState
from cluster.lvs.ipvs_sysctls import THRESHOLD, IpvsSysctl, lacking
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole
from cluster.lvs.table import Table
from cluster.lvs.validate import Wrong, read_number
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

# 0 in ``ipvsadm --set`` means "leave it", so that nobody can wish for it.
SECONDS = (1, 2_678_400)
SYNC_IDS = (0, 255)
# The kernel quietly takes 1024 for less on a backup (ip_vs_sync.c, start_sync_thread).
LENGTHS = {SyncRole.MASTER: (1, 65507), SyncRole.BACKUP: (1024, 65507)}
TTLS = (1, 255)
MOST_CPUS = 64  # letters of a list of processors
_CPUS = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")
_DEVICE = re.compile(r"[a-z][a-z0-9._-]{0,14}")


# -- single values --------------------------------------------------------------------


def read_sysctl(one: IpvsSysctl, text: str) -> str:
    """Return the value as the kernel shows it; raises Wrong."""
    if one.name == THRESHOLD:
        return _threshold(text)
    if one.limits is None:
        return _processors(text)
    number = read_number(text, *one.limits)
    if one.choices and str(number) not in dict(one.choices):
        possible = listed([value for value, _label in one.choices])
        raise Wrong(_("Possible are: {words}.", words=possible))
    return str(number)


def _threshold(text: str) -> str:
    words = text.split()
    if len(words) != 2:
        raise Wrong(_("Write two numbers: threshold and period, such as 3 50."))
    threshold, period = (read_number(word, 0, 65535) for word in words)
    if period and threshold > period:
        raise Wrong(
            _("The threshold {threshold} is above the period, {period}.",
              threshold=threshold, period=period)
        )  # fmt: skip
    return f"{threshold} {period}"


def _processors(text: str) -> str:
    text = text.strip()
    if len(text) > MOST_CPUS or not _CPUS.fullmatch(text):
        raise Wrong(_("Write numbers of processors, such as 0-3,5."))
    return text


def read_device(text: str) -> str:
    """Return the name of a network device; raises Wrong."""
    text = text.strip()
    if not _DEVICE.fullmatch(text):
        raise Wrong(_("Write the name of a network device, such as eth0."))
    return text


def read_group(text: str) -> str:
    """Return a multicast address in its usual spelling; raises Wrong."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        address = None
    if address is None or not address.is_multicast:
        raise Wrong(_("Write a multicast address, such as 224.0.0.81."))
    return str(address)


# -- all of them together -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Around:
    """What settings meet: the directors that were looked at, and the services."""

    directors: Mapping[str, HostState]
    table: Table


def check(settings: Settings, around: Around) -> Iterator[tuple[str, Sentence]]:
    """Yield (place, why): a name of a sysctl, or ``lb01 master`` for a daemon."""
    wanted = dict(settings.sysctls)
    replaced = [s.at for s in around.table.services if s.source_nat]
    if wanted.get("conntrack") == "0" and replaced:
        yield (
            "conntrack",
            _("{at} is forwarded by FULLNAT, which needs conntrack.", at=replaced[0]),
        )
    for name, state in around.directors.items():
        missing = lacking(wanted, dict(state.sysctls))
        for one in missing:
            yield one.name, lacks(name, one)
    for director, daemon in settings.daemons:
        place = f"{director} {daemon.role.value}"
        for why in _daemon(daemon, around.directors.get(director)):
            yield place, why
        for at in mixed_family(around.table)[:1]:
            yield place, sync_and_mixed(at)


def lacks(director: str, one: IpvsSysctl) -> Sentence:
    if one.since:
        return _("The kernel of {director} has no {name}: it came with Linux {since}.",
                 director=director, name=one.name, since=one.since)  # fmt: skip
    return _("The kernel of {director} has no {name}.",
             director=director, name=one.name)  # fmt: skip


def _daemon(daemon: SyncDaemon, state: HostState | None) -> Iterator[Sentence]:
    low, high = LENGTHS[daemon.role]
    if daemon.maxlen is not None and not low <= daemon.maxlen <= high:
        yield _("A {role} takes messages of {low} to {high} bytes.",
                role=daemon.role.value, low=low, high=high)  # fmt: skip
    devices = sorted({bound.device for bound in state.addresses}) if state else []
    if devices and daemon.interface not in devices:
        yield _("{interface} has no address here: {devices} have one.",
                interface=daemon.interface, devices=listed(devices))  # fmt: skip


def mixed_family(table: Table) -> list[str]:
    """Return services with a real server of the other address family.

    The sync daemon cannot carry their connections, and the kernel refuses one where
    the other is (ip_vs_ctl.c, EINVAL).
    """
    return [
        str(service.at)
        for service in table.services
        if any(s.address.version != service.at.family for s in service.servers)
    ]


def sync_and_mixed(at: str) -> Sentence:
    return _(
        "{at} has a real server of the other address family: with such a service the"
        " kernel runs no sync daemon.",
        at=at,
    )


def unheard(settings: Settings) -> list[Sentence]:
    """Say whose messages nobody receives: no error, but hardly what was meant."""
    found = []
    for director, daemon in settings.daemons:
        if daemon.role is SyncRole.MASTER and not _hears(director, daemon, settings):
            found.append(
                _("No other director receives what {director} sends with sync ID"
                  " {syncid}.", director=director, syncid=daemon.syncid)
            )  # fmt: skip
    return found


def _hears(sender: str, sent: SyncDaemon, settings: Settings) -> bool:
    def way(daemon: SyncDaemon) -> tuple[object, ...]:
        return daemon.syncid, daemon.group or "224.0.0.81", daemon.port or 8848

    others: Iterable[SyncDaemon] = (
        daemon
        for name, daemon in settings.daemons
        if name != sender and daemon.role is SyncRole.BACKUP
    )
    return any(way(daemon) == way(sent) for daemon in others)
