"""The part of a plan that changes timeouts and sync daemons, with its commands.

By hand: ``ipvsadm --set 900 120 300`` and ``ipvsadm --start-daemon master
--mcast-interface eth0 --syncid 1``. A 0 in ``--set`` leaves a timeout as it is; a
daemon takes no other parameters while it runs, so it is stopped and started.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from cluster.lvs.change import Change, Mark, Phase
from cluster.lvs.command import Command
from cluster.lvs.host import Footprint, HostState, HostWish
from cluster.lvs.settings import SyncDaemon, SyncRole, Timeouts
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _


def changes(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    yield from _timeouts(host, state, wish, footprint)
    for role in SyncRole:
        yield from _daemon(host, role, state, wish, footprint)


def added(state: HostState, wish: HostWish) -> Footprint:
    """Return what the plan adds: values from before, and daemons from before."""
    missing = wish.settings.timeouts.unlike(state.settings.timeouts)
    daemons = tuple(
        (wanted.role, state.settings.daemon(wanted.role))
        for wanted in wish.settings.daemons
        if not _runs(state, wanted)
    )
    return Footprint(
        timeouts=state.settings.timeouts.only(missing), sync_daemons=daemons
    )


def _runs(state: HostState, wanted: SyncDaemon) -> bool:
    running = state.settings.daemon(wanted.role)
    return running is not None and wanted.is_met_by(running)


def _timeouts(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    now, wanted = state.settings.timeouts, wish.settings.timeouts
    missing = wanted.unlike(now)
    if missing:
        text = _("Set the connection timeouts: {timeouts}", timeouts=described(missing))
        yield set_timeouts(host, Phase.PREPARE, text, missing, now.only(missing))
    leaving = footprint.timeouts.without(wanted).unlike(now)
    if leaving:
        text = _("Set the connection timeouts as before: {timeouts}",
                 timeouts=described(leaving))  # fmt: skip
        yield set_timeouts(host, Phase.WITHDRAW, text, leaving, now.only(leaving))


def set_timeouts(
    host: str, phase: Phase, text: Sentence, values: Timeouts, before: Timeouts
) -> Change:
    return Change(
        host,
        phase,
        Mark.EDIT,
        (text,),
        _set_command(values),
        undo=_set_command(before),
    )


def _set_command(values: Timeouts) -> Command:
    numbers = (str(value or 0) for value in asdict(values).values())
    return Command(("ipvsadm", "--set", *numbers), root=True)


def described(timeouts: Timeouts) -> str:
    """Say ``TCP 900 s, TCP FIN 120 s, UDP 300 s``."""
    names = {"tcp": "TCP", "tcp_fin": "TCP FIN", "udp": "UDP"}
    values = asdict(timeouts).items()
    return listed([f"{names[k]} {v} s" for k, v in values if v is not None])


def _daemon(
    host: str, role: SyncRole, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    now, wanted = state.settings.daemon(role), wish.settings.daemon(role)
    if wanted is not None:
        if now is None:
            yield start_daemon(host, Phase.PREPARE, wanted)
        elif not wanted.is_met_by(now):
            yield stop_daemon(host, Phase.PREPARE, now)
            yield start_daemon(host, Phase.PREPARE, wanted)
        return
    ours = dict(footprint.sync_daemons)
    if role not in ours or ours[role] == now:
        return
    before = ours[role]
    if now is not None:
        yield stop_daemon(host, Phase.WITHDRAW, now)
    if before is not None:
        yield start_daemon(host, Phase.WITHDRAW, before)


def start_daemon(host: str, phase: Phase, daemon: SyncDaemon) -> Change:
    text = _("Start the {role} sync daemon on {interface}, sync ID {syncid}",
             role=daemon.role.value, interface=daemon.interface,
             syncid=daemon.syncid)  # fmt: skip
    start, stop = _start_command(daemon), _stop_command(daemon.role)
    return Change(host, phase, Mark.ADD, (text,), start, undo=stop)


def stop_daemon(host: str, phase: Phase, daemon: SyncDaemon) -> Change:
    """Stop a daemon; *daemon* is what runs now, for the way back."""
    text = _("Stop the {role} sync daemon", role=daemon.role.value)
    start, stop = _start_command(daemon), _stop_command(daemon.role)
    return Change(host, phase, Mark.DELETE, (text,), stop, undo=start)


def _start_command(daemon: SyncDaemon) -> Command:
    options = {
        "--mcast-interface": daemon.interface,
        "--syncid": daemon.syncid,
        "--sync-maxlen": daemon.maxlen,
        "--mcast-group": daemon.group or None,
        "--mcast-port": daemon.port,
        "--mcast-ttl": daemon.ttl,
    }
    given = [(name, str(v)) for name, v in options.items() if v is not None]
    words = (word for pair in given for word in pair)
    return Command(("ipvsadm", "--start-daemon", daemon.role.value, *words), root=True)


def _stop_command(role: SyncRole) -> Command:
    return Command(("ipvsadm", "--stop-daemon", role.value), root=True)
