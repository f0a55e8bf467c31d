"""Bring the whole dashboard up on this machine and keep it up."""

import http.client
import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from piranha_web.supervisor import ledger, programs
from piranha_web.supervisor.child import environment, say
from piranha_web.supervisor.loop import BROKER_PATIENCE, PATIENCE, Supervisor
from piranha_web.supervisor.programs import Program

# What `manage.py serve --only NAME` accepts.
NAMES = ("valkey", "web", "events", "apply", "watch", "beat")


class CannotServe(Exception):
    """Why the dashboard does not start, as a sentence for people."""


def serve(
    address: str, port: int, events_port: int, announce: Callable[[str], None]
) -> None:
    """Run every process until a signal comes.

    ``announce`` gets the address of the pages once they answer. Raise CannotServe,
    AlreadyServed or NotReady when it cannot start.
    """
    os.umask(0o077)
    book = settings.DATA / "serve.json"
    with ledger.only_one(settings.DATA):
        _stop_orphans(book)
        with (
            closing(_open(address, port)) as web,
            closing(_open(address, events_port)) as events,
        ):
            programs.data_directories()
            _prepare_database()
            _collect_static_files()
            supervisor = Supervisor(
                [
                    programs.web(web),
                    programs.events(events),
                    programs.apply_worker(),
                    programs.watch_worker(),
                    programs.beat(),
                ],
                broker=_embedded_broker(),
                environment=_environment(port, events_port),
                book=book,
            )
            supervisor.run(
                broker_ready=_broker_ready,
                once_up=lambda: _once_up(address, port, announce),
            )


def replace_by(name: str, address: str, port: int, events_port: int) -> None:
    """Become one of the processes; somebody else restarts it (systemd, a container)."""
    os.umask(0o077)
    programs.data_directories()
    program = _only(name, address, port, events_port)
    if program.listener is not None:
        program.listener.set_inheritable(True)
    os.execve(  # noqa: S606 (our own interpreter and words, no shell)
        program.argv[0], program.argv, _environment(port, events_port)
    )


def _only(name: str, address: str, port: int, events_port: int) -> Program:
    if name == "web":
        return programs.web(_open(address, port))
    if name == "events":
        return programs.events(_open(address, events_port))
    if name == "valkey":
        return programs.valkey(settings.DATA, settings.VALKEY_SOCKET)
    makers = {
        "apply": programs.apply_worker,
        "watch": programs.watch_worker,
        "beat": programs.beat,
    }
    return makers[name]()


def _environment(port: int, events_port: int) -> dict[str, str]:
    return environment(
        DJANGO_SETTINGS_MODULE="piranha_web.settings",
        PYTHONPATH=os.pathsep.join(
            filter(None, (str(settings.BASE_DIR), os.environ.get("PYTHONPATH")))
        ),
        PIRANHA_DATA=str(settings.DATA),
        PIRANHA_PORT=str(port),
        PIRANHA_EVENTS_PORT=str(events_port),
    )


def _stop_orphans(book: Path) -> None:
    """Stop what a supervisor left that was killed, the broker after the others."""
    entries = ledger.read(book)
    brokers = [entry for entry in entries if entry.name == "valkey"]
    others = [entry for entry in entries if entry.name != "valkey"]
    found = ledger.stop(others, patience=PATIENCE)
    found += ledger.stop(brokers, patience=BROKER_PATIENCE)
    if found:
        names = ", ".join(f"{entry.name} ({entry.pid})" for entry in found)
        say("serve", f"stopped what a killed supervisor left: {names}")
    book.unlink(missing_ok=True)


def _open(address: str, port: int) -> socket.socket:
    try:
        return programs.listen(address, port)
    except OSError as error:
        raise CannotServe(
            f"Port {port} on {address} cannot be opened: {os.strerror(error.errno or 0)}. "
            f"Another program may be using it; choose other ports with --port and "
            f"--events-port."
        ) from error


def _prepare_database() -> None:
    """Bring an embedded database up to date; another one is its operator's."""
    if settings.EMBEDDED_DATABASE:
        call_command("migrate", interactive=False, verbosity=0)
    else:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CannotServe(
                "The database is not up to date. Run: manage.py migrate "
                "(after a backup), then start again."
            )
    connection.close()


def _collect_static_files() -> None:
    if not settings.DEBUG:
        call_command("collectstatic", interactive=False, verbosity=0)


def _embedded_broker() -> Program | None:
    if not settings.EMBEDDED_REDIS:
        return None
    return programs.valkey(settings.DATA, settings.VALKEY_SOCKET)


def _broker_ready() -> bool:
    try:
        with closing(redis.Redis.from_url(settings.REDIS_URL)) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        # BusyLoadingError, while it reads its file, is a ConnectionError too.
        return False


def _once_up(address: str, port: int, announce: Callable[[str], None]) -> bool:
    """Announce the pages when they answer; False while they do not."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not bound)
    host = wildcard.get(address, address)
    client = http.client.HTTPConnection(host, port, timeout=0.5)
    try:
        with closing(client):
            client.request("GET", "/health")
            client.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    return True
