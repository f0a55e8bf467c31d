"""The settings of a director's IPVS: timeouts, sync daemons, sysctls.

None, or a name that is left out, means "not set": then we do not touch it. See
ipvsadm(8) ``--set`` and ``--start-daemon``, and ``ipvs_sysctls.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from cluster.lvs.ipvs_sysctls import BY_NAME
from cluster.lvs.words import gettext_noop


class SyncRole(Enum):
    """Which end of the connection synchronisation a director is; it may be both."""

    MASTER = "master"
    BACKUP = "backup"

    @property
    def label(self) -> str:
        return _ROLES[self]


_ROLES = {
    SyncRole.MASTER: gettext_noop("sends connections (master)"),
    SyncRole.BACKUP: gettext_noop("receives connections (backup)"),
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds after which an idle connection is forgotten, as ``ipvsadm --set``."""

    tcp: int | None = None
    tcp_fin: int | None = None
    udp: int | None = None

    def __bool__(self) -> bool:
        return self != Timeouts()

    def __or__(self, other: Timeouts) -> Timeouts:
        """Return both; where both have a number, that of *self*."""
        mine = {k: v for k, v in asdict(self).items() if v is not None}
        return Timeouts(**asdict(other) | mine)

    def unlike(self, now: Timeouts) -> Timeouts:
        """Return what is set here and is another number there."""
        there = asdict(now)
        return Timeouts(**{k: v for k, v in asdict(self).items() if v != there[k]})

    def only(self, names: Timeouts) -> Timeouts:
        """Return the numbers that are set in *names* as well."""
        chosen = asdict(names)
        return Timeouts(
            **{k: v for k, v in asdict(self).items() if chosen[k] is not None}
        )

    def without(self, names: Timeouts) -> Timeouts:
        """Return the numbers that are not set in *names*."""
        chosen = asdict(names)
        return Timeouts(**{k: v for k, v in asdict(self).items() if chosen[k] is None})

    def as_json(self) -> dict[str, int]:
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """A sync daemon; what is None or "" is left to the kernel when it starts."""

    role: SyncRole
    interface: str
    syncid: int = 0
    maxlen: int | None = None
    group: str = ""
    port: int | None = None
    ttl: int | None = None

    def is_met_by(self, running: SyncDaemon) -> bool:
        """Whether the daemon that runs is as wished."""
        return all(
            wanted in (None, "") or wanted == getattr(running, name)
            for name, wanted in self.as_json().items()
            if name != "role"
        ) and (self.role, self.syncid) == (running.role, running.syncid)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"role": self.role.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SyncDaemon:
        return cls(**data | {"role": SyncRole(data["role"])})


@dataclass(frozen=True, slots=True)
class DirectorSettings:
    """What one director has, or shall have; sysctls go with the others of a host."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    daemons: tuple[SyncDaemon, ...] = ()

    def __bool__(self) -> bool:
        return self != DirectorSettings()

    def __or__(self, other: DirectorSettings) -> DirectorSettings:
        roles = {daemon.role for daemon in self.daemons}
        more = (daemon for daemon in other.daemons if daemon.role not in roles)
        return DirectorSettings(self.timeouts | other.timeouts, (*self.daemons, *more))

    def daemon(self, role: SyncRole) -> SyncDaemon | None:
        return next((one for one in self.daemons if one.role is role), None)

    def as_json(self) -> dict[str, Any]:
        return {
            "timeouts": self.timeouts.as_json(),
            "daemons": [daemon.as_json() for daemon in self.daemons],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DirectorSettings:
        return cls(
            Timeouts(**data.get("timeouts", {})),
            tuple(map(SyncDaemon.from_json, data.get("daemons", ()))),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a cluster wishes for all its directors, and the daemons of each of them.

    *sysctls* maps names below net.ipv4.vs to values. *inner_vip* is an address that
    moves along with the VIPs, for the default route of real servers with NAT.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    sysctls: tuple[tuple[str, str], ...] = ()
    daemons: tuple[tuple[str, SyncDaemon], ...] = ()
    inner_vip: str = ""

    def __post_init__(self) -> None:
        order = {name: n for n, name in enumerate(BY_NAME)}
        ordered = sorted(self.sysctls, key=lambda pair: (order.get(pair[0], 99), pair))
        object.__setattr__(self, "sysctls", tuple(ordered))
        by_name = sorted(self.daemons, key=lambda one: (one[0], one[1].role.value))
        object.__setattr__(self, "daemons", tuple(by_name))

    def __bool__(self) -> bool:
        return self != Settings()

    def of(self, director: str) -> DirectorSettings:
        return DirectorSettings(
            self.timeouts,
            tuple(daemon for name, daemon in self.daemons if name == director),
        )

    def by_key(self) -> tuple[tuple[str, str], ...]:
        """Return the sysctls by their whole key, as a host knows them."""
        return tuple((BY_NAME[name].key, value) for name, value in self.sysctls)

    def of_hosts(self, names: Iterable[str]) -> Settings:
        """Return the settings without daemons of other directors."""
        there = set(names)
        kept = tuple(one for one in self.daemons if one[0] in there)
        return replace(self, daemons=kept)

    @property
    def is_of_every_director(self) -> bool:
        """Whether there is anything beside the inner VIP, which one director has."""
        return bool(replace(self, inner_vip=""))

    def as_json(self) -> dict[str, Any]:
        """Return what is set; {} when nothing is."""
        data = {
            "timeouts": self.timeouts.as_json(),
            "sysctls": dict(self.sysctls),
            "daemons": [[name, daemon.as_json()] for name, daemon in self.daemons],
            "inner_vip": self.inner_vip,
        }
        return {key: value for key, value in data.items() if value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        return cls(
            Timeouts(**data.get("timeouts", {})),
            tuple(data.get("sysctls", {}).items()),
            tuple(
                (name, SyncDaemon.from_json(item))
                for name, item in data.get("daemons", ())
            ),
            data.get("inner_vip", ""),
        )
