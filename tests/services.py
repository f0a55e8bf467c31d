"""Run a command with a PostgreSQL cluster and Redis servers of its own.

    python -m tests.services pytest -n 2 tests

They live in a temporary directory, are reached by Unix sockets only and end with the
command. DATABASE_URL and REDIS_URL tell the command where they are. The tests empty
Redis, so each process of pytest-xdist takes one of its own (``of_this_worker``).
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

WORKERS = ("gw0", "gw1", "gw2", "gw3")
_POSTGRES_DIRECTORIES = "/usr/lib/postgresql/*/bin"


def main(command: list[str]) -> int:
    """Return the exit status of the command."""
    with tempfile.TemporaryDirectory(prefix="piranha-services-") as place:
        directory = Path(place)
        # PostgreSQL's own user must pass through.
        directory.chmod(0o755)
        with contextlib.ExitStack() as running:
            environment = {"DATABASE_URL": running.enter_context(postgresql(directory))}
            for name in ("REDIS_URL", *map(_name, WORKERS)):
                broker = redis_server(directory / name)
                environment[name] = running.enter_context(broker)
            print(f"services: {environment}", flush=True)
            return subprocess.run(
                command, env=os.environ | environment, check=False
            ).returncode


def _name(worker: str) -> str:
    return f"REDIS_URL_{worker.upper()}"


def of_this_worker() -> None:
    """Take the broker that is this process's own for REDIS_URL, if there is one."""
    own = os.environ.get(_name(os.environ.get("PYTEST_XDIST_WORKER", "")))
    if own:
        os.environ["REDIS_URL"] = own


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
    become: list[str | Path] = ["runuser", "-u", user, "--"] if user else []
    make: list[str | Path] = [
        *become,
        programs / "initdb",
        "-D",
        home,
        "-U",
        "piranha",
        "-A",
        "trust",
    ]
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
    directory.mkdir()
    socket = directory / "redis.sock"
    options: list[str | Path] = ["--port", "0", "--unixsocket", socket]
    options += ["--dir", directory]
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
