"""Run a command with a PostgreSQL cluster and a Redis server of its own.

    python -m tests.services pytest tests

Both live in a temporary directory, are reached by Unix sockets only and end with
the command. DATABASE_URL and REDIS_URL tell the command where they are.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis

_POSTGRES_DIRECTORIES = "/usr/lib/postgresql/*/bin"


def main(command: list[str]) -> int:
    """Return the exit status of the command."""
    with tempfile.TemporaryDirectory(prefix="piranha-services-") as place:
        directory = Path(place)
        # PostgreSQL's own user must pass through.
        directory.chmod(0o755)
        with postgresql(directory) as database, redis_server(directory) as broker:
            environment = {"DATABASE_URL": database, "REDIS_URL": broker}
            print(f"services: {environment}", flush=True)
            return subprocess.run(
                command, env=os.environ | environment, check=False
            ).returncode


@contextlib.contextmanager
def postgresql(directory: Path) -> Iterator[str]:
    """Run a new PostgreSQL cluster and yield its URL."""
    programs = _postgresql_programs()
    home, sockets = directory / "postgresql", directory / "postgresql-socket"
    for path in (home, sockets):
        path.mkdir(mode=0o700)
    user = _unprivileged()
    if user:
        for path in (home, sockets):
            shutil.chown(path, user)
    become = ["runuser", "-u", user, "--"] if user else []
    make = [*become, programs / "initdb", "-D", home, "-U", "piranha", "-A", "trust"]
    make += ["--no-sync", "-E", "UTF8", "--locale", "C"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd="/")
    options = f"-c listen_addresses= -c unix_socket_directories={sockets} -c fsync=off"
    control = [*become, programs / "pg_ctl", "-D", home, "-w", "-s"]
    log = home / "log"
    subprocess.run([*control, "start", "-l", log, "-o", options], check=True, cwd="/")
    try:
        yield f"postgres://piranha@/postgres?host={sockets}"
    finally:
        subprocess.run([*control, "stop", "-m", "fast"], check=True, cwd="/")


def _postgresql_programs() -> Path:
    found = sorted(Path("/").glob(_POSTGRES_DIRECTORIES.removeprefix("/")))
    if not found:
        raise SystemExit("PostgreSQL is missing. Run: make setup-test")
    return found[-1]


def _unprivileged() -> str:
    """Return whom PostgreSQL must run as: it refuses to run as root."""
    if os.getuid() != 0:
        return ""
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextlib.contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """Run a new Redis server and yield its URL."""
    program = shutil.which("redis-server")
    if not program:
        raise SystemExit("redis-server is missing. Run: make setup-test")
    socket = directory / "redis.sock"
    options = ["--port", "0", "--unixsocket", socket, "--dir", directory]
    quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning"]
    with open_redis([program, *options, *quiet], socket):
        yield f"unix://{socket}?db=0"


@contextlib.contextmanager
def open_redis(words: list[str | Path], socket: Path) -> Iterator[None]:
    """Run a server that speaks Redis until the end of the block."""
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not _answers(socket):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{words[0]} does not answer")
            time.sleep(0.02)
        yield
    finally:
        server.terminate()
        server.wait(10)


def _answers(socket: Path) -> bool:
    with redis.Redis(unix_socket_path=str(socket)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
