"""The cluster of the notes as rows, people who look at it, and what they queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from cluster import tasks, throttle
from cluster.lvs.host import HostState
from cluster.models import Cluster, Host, RealServer, User, Vip, VirtualService
from tests.build import WEB1, WEB2, director, real_server
from tests.hosts import make_cluster, make_credential, make_host


@dataclass
class Lab:
    """Rows of lb01, web1 and web2 with the facts that they gave."""

    cluster: Cluster
    hosts: dict[str, Host] = field(default_factory=dict)

    def add_host(self, name: str, role: str, address: str, state: HostState) -> Host:
        host = make_host(
            name,
            cluster=self.cluster,
            role=role,
            address=address,
            credential=self.hosts["lb01"].credential
            if self.hosts
            else make_credential(),
            facts={"state": state.as_json()},
        )
        self.hosts[name] = host
        return host

    def add_service(
        self,
        vip: str = "10.0.1.31",
        port: int = 80,
        servers: tuple[str, ...] = ("web1", "web2"),
        **fields: Any,
    ) -> VirtualService:
        fields.setdefault("scheduler", "rr")
        service = VirtualService.objects.create(
            cluster=self.cluster, address=vip, port=port, **fields
        )
        Vip.number_for(self.cluster, vip)
        for name in servers:
            host = self.hosts[name]
            RealServer.objects.create(
                service=service, host=host, address=host.address, port=port
            )
        return service

    def keep_revision(self) -> None:
        """Make what is wanted now the newest revision."""
        self.cluster.keep_revision(self.cluster.wish().as_json(), None)

    def observe(self, name: str, state: HostState) -> None:
        host = self.hosts[name]
        host.facts = {"state": state.as_json()}
        host.save()


@pytest.fixture
def lab(db: None) -> Lab:
    lab = Lab(make_cluster("lab"))
    lb01 = lab.add_host("lb01", Host.Role.DIRECTOR, "10.0.1.3", director())
    lab.add_host("web1", Host.Role.REAL_SERVER, WEB1, real_server(WEB1))
    lab.add_host("web2", Host.Role.REAL_SERVER, WEB2, real_server(WEB2))
    lab.cluster.director = lb01
    lab.cluster.save()
    return lab


@pytest.fixture
def li(db: None) -> User:
    return User.objects.create(username="li.wei", role=User.Role.OPERATOR)


@pytest.fixture
def operator(li: User) -> Client:
    client = Client()
    client.force_login(li)
    return client


@pytest.fixture
def administrator(db: None) -> Client:
    client = Client()
    user = User.objects.create(username="ada", role=User.Role.ADMINISTRATOR)
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    client = Client()
    user = User.objects.create(username="bo", role=User.Role.VIEWER)
    client.force_login(user)
    return client


@dataclass
class Clock:
    """What throttling reads; it stands, at the beginning of a window."""

    now: float = 1000.0 * throttle.WINDOW

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


QUEUED = (
    "plan_run",
    "apply_run",
    "advance_drain",
    "check_address",
    "fetch_host_key",
    "look_at_host",
    "observe_cluster",
)
Rung = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def queued(
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> Callable[[], AbstractContextManager[Rung]]:
    """``with queued() as rung:`` collects (task, arguments) that a commit queues."""

    @contextmanager
    def collecting() -> Iterator[Rung]:
        rung: Rung = []
        for name in QUEUED:

            def ring(*args: Any, name: str = name) -> None:
                rung.append((name, args))

            monkeypatch.setattr(getattr(tasks, name), "delay", ring)
        with django_capture_on_commit_callbacks(execute=True):
            yield rung

    return collecting
