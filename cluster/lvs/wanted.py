"""What rows and files hold of a cluster, and what a file is refused with.

``wish.ClusterWish`` is what the core compares; here stands the rest, too: names and
notes for people, and what is switched off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cluster.lvs.file_reader import Problem
from cluster.lvs.settings import Settings
from cluster.lvs.table import IPAddress, VirtualService

Document: TypeAlias = dict[str, Any]
ServerKey: TypeAlias = tuple[IPAddress, int]


@dataclass(frozen=True, slots=True)
class WantedService:
    """A service as rows and files hold it: what the core compares, and the rest.

    *value* has every real server, *off* names those that are switched off.
    """

    value: VirtualService
    name: str = ""
    enabled: bool = True
    off: frozenset[ServerKey] = frozenset()
    owner: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class WantedCluster:
    """Everything that a file says; *director* is empty when it says nothing."""

    cluster: str
    director: str = ""
    services: tuple[WantedService, ...] = ()
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        ordered = sorted(self.services, key=lambda one: one.value.at.sort_key)
        object.__setattr__(self, "services", tuple(ordered))


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a file may use: of this cluster and of its hosts."""

    cluster: str
    directors: tuple[str, ...] = ()
    real_servers: Mapping[str, tuple[IPAddress, ...]] = field(default_factory=dict)


class Refused(ValueError):
    """The file is not taken; *problems* has all of it, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))
