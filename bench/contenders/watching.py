"""The Watcher itself, with a live cache and a database of its own.

    python -m bench.contenders.watching FOLDER COUNT PORT [DATABASE]

*frames* are those that are in both; their bell has been rung. DATABASE is one that
another worker has made; the cache is then where REDIS_URL says.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

from bench import django
from bench.contender import memory, obey, wait
from bench.directors import Directors, address_of


def main(directors: Directors) -> None:
    django.set_up()
    from django.conf import settings

    from cluster.models import Reading
    from cluster.watch import store
    from piranha_web.supervisor import programs
    from tests.services import open_redis

    programs.data_directories()
    program = programs.valkey(settings.DATA, settings.VALKEY_SOCKET)
    with open_redis(list(program.argv), settings.VALKEY_SOCKET):
        add_hosts(directors)
        watcher = watcher_of(directors)
        published = 0
        publish = store.publish

        def counted(batch: Any) -> None:
            nonlocal published
            publish(batch)
            published += len(batch)

        store.publish = counted
        before = memory()
        watcher.start()
        try:
            settle(directors)
            obey(
                {"memory": memory() - before, "whole": memory()},
                wait,
                lambda: {
                    "frames": Reading.objects.count(),
                    "published": published,
                },
            )
        finally:
            watcher.stop()  # its threads would keep the process alive


def add_hosts(directors: Directors) -> None:
    from cluster.models import Host
    from tests.hosts import make_cluster, make_credential, make_host

    credential = make_credential("directors")
    target = directors.target(0)
    credential.seal(target.private_key.reveal())
    credential.save()
    for number in range(directors.count):
        make_host(
            f"lb{number}",
            cluster=make_cluster(f"cluster{number // 2}"),
            role=Host.Role.DIRECTOR,
            address=f"10.{number // 250}.{number % 250}.1",
            ssh_address=address_of(number),
            ssh_port=directors.port,
            ssh_user=directors.user,
            host_key=directors.host_key.line,
            credential=credential,
        )


def watcher_of(directors: Directors) -> Any:
    from cluster.watch.watcher import Watcher

    return Watcher(lambda host: directors.command(int(host.name[2:])))


def settle(directors: Directors) -> None:
    """Wait until every director has told something."""
    from cluster.models import Reading

    end = time.monotonic() + 120
    readings = Reading.objects.values("director").distinct()
    while readings.count() < directors.count:
        if time.monotonic() > end:
            raise SystemExit(f"only {readings.count()} directors are watched")
        time.sleep(0.5)
    time.sleep(4)


if __name__ == "__main__":
    _folder, _count, _port = sys.argv[1:]
    _directors = Directors(Path(_folder), int(_count))
    _directors.port = int(_port)
    with contextlib.suppress(KeyboardInterrupt):
        main(_directors)
