"""A dashboard with one busy director: its database, its processes, its visitors.

The processes are started as the supervisor starts them, each by itself, so that the
CPU of one can be told from that of another.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from bench.result import CannotRun
from cluster.lvs.kernel_table import KernelServer, KernelService, row_key
from cluster.lvs.rates import Rates

if TYPE_CHECKING:
    from cluster.models import Host
    from cluster.watch.sample import Sample

STREAMS_OF_A_PERSON = 4
SLUG = "busy"
SERVERS = 5
VIP = "10.0.1.31"


@contextmanager
def site(services: int) -> Iterator[Site]:
    """Set Django up, start valkey, web and events, and stop them at the end."""
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-live"))
        from piranha_web.supervisor import programs

        sockets = [programs.listen("127.0.0.1", 0) for _ in range(2)]
        ports = [one.getsockname()[1] for one in sockets]
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "bench.live_settings",
            "PIRANHA_DATA": data,
            "PIRANHA_PORT": str(ports[0]),
            "PIRANHA_EVENTS_PORT": str(ports[1]),
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        pids = _processes(stack, sockets)
        _wait_for(ports)
        yield Site(pids, ports[0], ports[1], _director(services), services)


def _processes(stack: ExitStack, sockets: Sequence[socket.socket]) -> dict[str, int]:
    """Start valkey, web and events; return their process ids."""
    from django.conf import settings

    from piranha_web.supervisor import programs
    from piranha_web.supervisor.child import Child, environment

    programs.data_directories()
    pids = {}
    for program in (
        programs.valkey(settings.DATA, settings.VALKEY_SOCKET),
        programs.web(sockets[0]),
        programs.events(sockets[1]),
    ):
        child = Child(program, environment())
        child.start()
        stack.callback(child.finish, 10)
        stack.callback(child.terminate)
        assert child.process
        pids[program.name] = child.process.pid
    return pids


def _wait_for(ports: Sequence[int]) -> None:
    import redis

    from cluster.watch import store

    asked = [partial(socket.create_connection, ("127.0.0.1", port)) for port in ports]
    deadline = time.monotonic() + 30
    questions: list[Callable[[], object]] = [store.client().ping, *asked]
    for ask in questions:
        while True:
            with suppress(OSError, redis.RedisError):
                ask()
                break
            if time.monotonic() > deadline:
                raise CannotRun("the dashboard does not come up")
            time.sleep(0.1)


def _director(services: int) -> Host:
    """Write the rows: every service with five real servers, all applied."""
    from cluster.models import Host, RealServer, VirtualService
    from tests.hosts import make_cluster, make_credential, make_host

    cluster = make_cluster(SLUG)
    key = make_credential()
    director = make_host(
        "lb01", cluster=cluster, role=Host.Role.DIRECTOR, credential=key
    )
    cluster.director = director
    cluster.save()
    hosts = [
        make_host(f"web{n + 1}", cluster=cluster, address=_rip(n), credential=key)
        for n in range(SERVERS)
    ]
    for number in range(services):
        row = VirtualService.objects.create(
            cluster=cluster, address=VIP, port=1000 + number, scheduler="wlc"
        )
        RealServer.objects.bulk_create(
            RealServer(service=row, host=host, address=host.address, port=row.port)
            for host in hosts
        )
    cluster.keep_revision(cluster.wish().as_json(), None)
    return director


def _rip(number: int) -> str:
    return f"10.0.1.{101 + number}"


class Site:
    """The running dashboard; *pids* by the names of ``serve --only``."""

    def __init__(
        self, pids: dict[str, int], port: int, events: int, lb01: Host, services: int
    ) -> None:
        from cluster.watch.sparks import Sparks

        self.pids, self.port, self.events, self.director = pids, port, events, lb01
        self.services = services
        self._chance = random.Random(5)  # noqa: S311 - numbers of a table, no secrets
        self._sparks = Sparks()
        # As it is after five minutes: later, only numbers are new.
        for seconds in range(300, 0, -10):
            self._sparks.add(self._sample(0, time.time() - seconds))

    def cookies(self, pages: int) -> list[str]:
        """Log people in, as few as may have so many pages; return one cookie a page."""
        from django.conf import settings
        from django.test import Client

        from cluster.models import User

        found = []
        for number in range(-(-pages // STREAMS_OF_A_PERSON)):
            user, _ = User.objects.get_or_create(
                username=f"person{number}", role=User.Role.ADMINISTRATOR
            )
            client = Client()
            client.force_login(user)
            value = client.cookies[settings.SESSION_COOKIE_NAME].value
            found += [f"{settings.SESSION_COOKIE_NAME}={value}"] * STREAMS_OF_A_PERSON
        return found[:pages]

    def publish(self, tick: int) -> float:
        """Put a sample into the live cache, as a watcher does; return when it began.

        All rows are busy. The number of active connections tells the tick.
        """
        from cluster.watch import store
        from cluster.watch.store import News

        began = time.time()
        sample = self._sample(tick, began)
        points = self._sparks.add(sample)
        cluster = self.director.cluster_id or 0
        store.publish([News(self.director.pk, cluster, sample, points)])
        return began

    def _sample(self, tick: int, at: float) -> Sample:
        from cluster.watch.sample import TOTAL
        from tests.watch.build import sample_of

        rates = {TOTAL: self._rates(100)}
        services = []
        for number in range(self.services):
            key = f"TCP {VIP}:{1000 + number}"
            rates[key] = self._rates(50)
            servers = []
            for n in range(SERVERS):
                where = f"{_rip(n)}:{1000 + number}"
                rates[row_key(key, where)] = self._rates(10)
                first = not number and not n
                active = tick if first else 0
                idle = self._chance.randint(100, 200)
                servers.append(KernelServer(where, "Route", 1, active, idle))
            services.append(KernelService(key, "wlc", False, tuple(servers)))
        addresses = (self.director.address, VIP)
        return sample_of(at, services, rates=rates, boot_id="boot", addresses=addresses)

    def _rates(self, most: float) -> Rates:
        conns = self._chance.uniform(0.5, 1) * most
        return Rates(conns, conns * 6, 0.0, conns * 1440, 0.0)
