"""The settings of a cluster in its file: ``settings`` with timeouts, daemons, sysctls.

See ``wish_file.py``. A key that is left out is not set: hosts keep what they have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from cluster.lvs import settings_check
from cluster.lvs.file_reader import Path, Reader
from cluster.lvs.ipvs_sysctls import BY_NAME, CPUS, NAMES, THRESHOLD
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole, Timeouts
from cluster.lvs.validate import PORTS, Wrong
from cluster.lvs.words import say as _

KEYS = ("inner_vip", "timeouts", "sync_daemons", "sysctls")
TIMEOUT_KEYS = ("tcp", "tcp_fin", "udp")
DAEMON_KEYS = (
    "director",
    "role",
    "interface",
    "syncid",
    "maxlen",
    "group",
    "port",
    "ttl",
)
MOST_DAEMONS = 100
_TEXTS = (THRESHOLD, CPUS)


def document(settings: Settings) -> dict[str, Any]:
    """Return what is set, in one fixed order."""
    found: dict[str, Any] = {}
    if settings.inner_vip:
        found["inner_vip"] = settings.inner_vip
    if settings.timeouts:
        found["timeouts"] = settings.timeouts.as_json()
    if settings.daemons:
        found["sync_daemons"] = [
            {"director": director} | _without_defaults(daemon)
            for director, daemon in settings.daemons
        ]
    if settings.sysctls:
        found["sysctls"] = {
            name: value if name in _TEXTS else int(value)
            for name, value in settings.sysctls
        }
    return found


def _without_defaults(daemon: SyncDaemon) -> dict[str, Any]:
    data = asdict(daemon) | {"role": daemon.role.value}
    return {key: value for key, value in data.items() if value not in (None, "")}


def read(reader: Reader, top: dict[str, Any], directors: Sequence[str]) -> Settings:
    """Return the settings; what is wrong stands in *reader*."""
    if "settings" not in top:
        return Settings()
    path: Path = ("settings",)
    row = reader.mapping(top["settings"], path, KEYS, (), _("the settings"))
    inner = reader.address(row, path, "inner_vip")
    return Settings(
        _timeouts(reader, row, path),
        _sysctls(reader, row, path),
        _daemons(reader, row, path, directors),
        str(inner or ""),
    )


def _timeouts(reader: Reader, row: dict[str, Any], path: Path) -> Timeouts:
    if "timeouts" not in row:
        return Timeouts()
    path = (*path, "timeouts")
    data = reader.mapping(row["timeouts"], path, TIMEOUT_KEYS, (), _("the timeouts"))
    numbers = (
        reader.number(data, path, key, settings_check.SECONDS) for key in TIMEOUT_KEYS
    )
    return Timeouts(*numbers)


def _sysctls(
    reader: Reader, row: dict[str, Any], path: Path
) -> tuple[tuple[str, str], ...]:
    if "sysctls" not in row:
        return ()
    path = (*path, "sysctls")
    data = reader.mapping(row["sysctls"], path, NAMES, (), _("the sysctls"))
    found = []
    for name in data:
        value = _sysctl(reader, data, path, name)
        if value is not None:
            found.append((name, value))
    return tuple(found)


def _sysctl(reader: Reader, data: dict[str, Any], path: Path, name: str) -> str | None:
    one = BY_NAME[name]
    if one.limits is None:
        text = reader.text(data, path, name)
    else:
        number = reader.number(data, path, name, one.limits)
        text = "" if number is None else str(number)
    return _judged(
        reader, (*path, name), text, lambda word: settings_check.read_sysctl(one, word)
    )


def _daemons(
    reader: Reader, row: dict[str, Any], path: Path, directors: Sequence[str]
) -> tuple[tuple[str, SyncDaemon], ...]:
    found: dict[tuple[str, SyncRole], SyncDaemon] = {}
    items = reader.items(row, path, "sync_daemons", MOST_DAEMONS)
    for n, item in enumerate(items):
        place = (*path, "sync_daemons", n)
        needed = ("director", "role", "interface")
        data = reader.mapping(item, place, DAEMON_KEYS, needed, _("a sync daemon"))
        director = reader.text(data, place, "director")
        if director and director not in directors:
            text = _("This cluster has no director “{name}”.", name=director)
            reader.refuse_word((*place, "director"), director, directors, text)
        daemon = _one(reader, data, place)
        if (director, daemon.role) in found:
            text = _("{director} has a {role} already.",
                     director=director, role=daemon.role.value)  # fmt: skip
            reader.refuse(place, text)
        found[director, daemon.role] = daemon
    return tuple((director, daemon) for (director, _role), daemon in found.items())


def _one(reader: Reader, data: dict[str, Any], path: Path) -> SyncDaemon:
    role = reader.choice(data, path, "role", tuple(SyncRole), SyncRole.MASTER)

    def word(key: str, judge: Callable[[str], str]) -> str:
        text = reader.text(data, path, key)
        return _judged(reader, (*path, key), text, judge) or ""

    return SyncDaemon(
        role,
        word("interface", settings_check.read_device),
        reader.number(data, path, "syncid", settings_check.SYNC_IDS, 0) or 0,
        reader.number(data, path, "maxlen", settings_check.LENGTHS[role]),
        word("group", settings_check.read_group),
        reader.number(data, path, "port", PORTS),
        reader.number(data, path, "ttl", settings_check.TTLS),
    )


def _judged(
    reader: Reader, path: Path, text: str, judge: Callable[[str], str]
) -> str | None:
    if not text:
        return None
    try:
        return judge(text)
    except Wrong as wrong:
        reader.refuse(path, wrong.sentence)
        return None
