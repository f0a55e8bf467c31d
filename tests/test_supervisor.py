"""The supervisor with its real processes: killed, interrupted, orphaned, doubled."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
from django.conf import settings

from piranha_web.supervisor import ledger
from piranha_web.supervisor.child import Child
from piranha_web.supervisor.programs import Program, listen

EVERYONE = {"valkey", "web", "events", "apply", "watch", "beat"}
# Two seconds on an idle machine; one with other tests on both cores needs its time.
BACK_WITHIN = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_connects_before_the_pages_run_does_not_wait_for_acknowledgements(
    address: str,
) -> None:
    with listen(address, 0) as port:
        with socket.create_connection(port.getsockname()[:2]):
            connection, _ = port.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@dataclass
class Dashboard:
    """A supervisor in a directory of its own."""

    data: Path
    port: int
    events_port: int
    process: subprocess.Popen[str]

    @property
    def book(self) -> dict[str, ledger.Entry]:
        return {e.name: e for e in ledger.read(self.data / "serve.json")}

    def answers(self, path: str = "/static/nothing", *, events: bool = False) -> bool:
        port = self.events_port if events else self.port
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            client.request("GET", path)
            client.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            client.close()
        return True

    def broker_answers(self) -> bool:
        path = str(self.data / "valkey" / "valkey.sock")
        try:
            with redis.Redis(unix_socket_path=path) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def up(self) -> bool:
        return self.book.keys() == EVERYONE and self.broker_answers() and self.answers()


def serve(data: Path, *options: str) -> Dashboard:
    ports = free_port(), free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"}
    } | {"PIRANHA_DATA": str(data), "DJANGO_SETTINGS_MODULE": "piranha_web.settings"}
    words = [sys.executable, "manage.py", "serve", *options]
    words += ["--port", str(ports[0]), "--events-port", str(ports[1])]
    process = subprocess.Popen(
        words,
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Dashboard(data, *ports, process)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory) -> Iterator[Dashboard]:
    running = serve(tmp_path_factory.mktemp("dashboard"))
    try:
        assert wait_until(running.up, 60), running.book
        yield running
    finally:
        running.process.terminate()
        running.process.communicate(timeout=40)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EVERYONE))
def test_a_killed_process_is_back(dashboard, name):
    before = dashboard.book[name]
    os.kill(before.pid, signal.SIGKILL)

    def back() -> bool:
        now = dashboard.book.get(name)
        return now is not None and now.pid != before.pid and now.alive

    assert wait_until(back, BACK_WITHIN)
    assert wait_until(dashboard.up, BACK_WITHIN)
    assert dashboard.answers("/events/", events=True)


@pytest.mark.slow
def test_the_pages_refuse_no_connection_while_they_restart(dashboard):
    os.killpg(dashboard.book["web"].pid, signal.SIGKILL)
    assert dashboard.answers()


@pytest.mark.slow
def test_a_second_one_for_the_same_data_is_refused(dashboard):
    second = serve(dashboard.data)
    _, complaint = second.process.communicate(timeout=40)
    assert second.process.returncode == 1
    assert "already running" in complaint


@pytest.mark.slow
def test_a_taken_port_is_refused_with_its_number(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = [sys.executable, "manage.py", "serve", "--port", str(port)]
        environment = os.environ | {
            "PIRANHA_DATA": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "piranha_web.settings",
        }
        ended = subprocess.run(
            words,
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert ended.returncode == 1
    assert f"Port {port} on 127.0.0.1" in ended.stderr


@pytest.mark.slow
def test_children_outlive_a_killed_supervisor_and_the_next_one_stops_them(tmp_path):
    first = serve(tmp_path)
    assert wait_until(first.up, 60)
    orphans = first.book
    first.process.kill()
    first.process.communicate()
    time.sleep(1)
    assert all(orphan.alive for orphan in orphans.values())
    assert first.answers()

    second = serve(tmp_path)
    try:
        assert wait_until(second.up, 60)
        assert not any(orphan.alive for orphan in orphans.values())
    finally:
        children = second.book
        started = time.monotonic()
        second.process.send_signal(signal.SIGINT)
        second.process.communicate(timeout=40)
    assert time.monotonic() - started < 15
    assert not any(child.alive for child in children.values())
    assert not (tmp_path / "serve.json").exists()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_that_only_has_the_number_of_an_orphan_is_left_alone(sleeper):
    entry = ledger.entry("web", sleeper.pid)
    assert entry is not None
    stranger = replace(entry, started=entry.started - 1)
    assert ledger.stop([stranger], patience=0.1) == []
    assert sleeper.poll() is None
    earlier_boot = replace(entry, boot="another")
    assert ledger.stop([earlier_boot], patience=0.1) == []
    assert sleeper.poll() is None


def test_an_orphan_is_stopped(sleeper):
    entry = ledger.entry("web", sleeper.pid)
    assert entry is not None
    assert ledger.stop([entry], patience=5) == [entry]
    assert sleeper.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": "web"}]', "{}"])
def test_a_damaged_ledger_names_nobody(tmp_path, text):
    path = tmp_path / "serve.json"
    path.write_text(text)
    assert ledger.read(path) == []


def test_the_ledger_is_read_as_written(tmp_path):
    path = tmp_path / "serve.json"
    entry = ledger.entry("web", os.getpid())
    ledger.write(path, [entry])
    assert ledger.read(path) == [entry]
    assert json.loads(path.read_text())[0]["pid"] == os.getpid()


def test_what_lived_well_is_started_again_at_once(monkeypatch):
    monkeypatch.setattr("piranha_web.supervisor.child.GOOD_LIFE", 0.0)
    child = Child(Program("brief", ("false",)), dict(os.environ))
    child.start()
    assert wait_until(lambda: not child.running, 5)
    assert child.buried()
    assert child.start_at <= time.monotonic()


def test_what_dies_at_once_is_started_less_and_less_often():
    child = Child(Program("brief", ("false",)), dict(os.environ))
    delays = []
    for _ in range(8):
        child.start()
        assert wait_until(lambda: not child.running, 5)
        assert child.buried()
        delays.append(round(child.start_at - time.monotonic(), 1))
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
