"""A whole dashboard in a directory of its own, and a person who uses it over HTTP."""

import http.cookiejar
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from piranha_web.supervisor import ledger
from tests.lab.running import REPOSITORY, Lab

PASSWORD = "correct horse battery staple"
FINAL = ("converged", "returned", "partial", "stale", "refused", "cancelled")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(true: Callable[[], object], seconds: float, what: str) -> float:
    """Wait and return for how long; fails the test when it takes too long."""
    started = time.monotonic()
    while not true():
        waited = time.monotonic() - started
        assert waited < seconds, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
    return time.monotonic() - started


class Dashboard:
    """``manage.py demo`` with the hosts of a lab; *row* reads its database."""

    def __init__(self, data: Path, lab: Lab) -> None:
        self.data, self.lab = data, lab
        self.port, events_port = free_port(), free_port()
        (data / "lab").symlink_to(lab.state)
        self.options = [f"--port={self.port}", f"--events-port={events_port}"]
        self.log = data / "serve.log"
        self.supervisor = self._start()
        try:
            wait_until(lambda: "/setup/" in self.log.read_text(), 180, "the link")
        except AssertionError:
            self.stop()  # nobody else will
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "demo", *self.options],
                cwd=REPOSITORY,
                env=os.environ
                | {
                    "DJANGO_SETTINGS_MODULE": "piranha_web.settings",
                    "PIRANHA_DATA": str(self.data),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_for_facts(self) -> None:
        known = "SELECT COUNT(*) FROM cluster_host WHERE facts LIKE '%boot_id%'"
        wait_until(lambda: self.rows(known)[0][0] == 5, 180, "facts of every host")

    @property
    def link(self) -> str:
        found = re.search(r"http://\S+/setup/\S+", self.log.read_text())
        assert found
        return found[0]

    def kill(self, name: str) -> None:
        """SIGKILL one of its processes, by the id that the supervisor wrote down."""
        if name == "supervisor":
            self.supervisor.kill()
            self.supervisor.wait()
            return
        pid = next(
            e.pid for e in ledger.read(self.data / "serve.json") if e.name == name
        )
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self.supervisor.poll() is not None:
            # It was killed: its orphans end as the next one would end them.
            ledger.stop(ledger.read(self.data / "serve.json"), patience=60)
            return
        self.supervisor.terminate()
        self.supervisor.wait(90)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        file = f"file:{self.data / 'db.sqlite3'}?mode=ro"
        database = sqlite3.connect(file, uri=True, timeout=20)
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()

    def run_state(self, run: int) -> str:
        return str(self.rows("SELECT state FROM cluster_run WHERE id = ?", run)[0][0])

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=REPOSITORY,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "piranha_web.settings",
                "PIRANHA_DATA": str(self.data),
            },
            capture_output=True,
            text=True,
            check=False,
        )


class Person:
    """Follows links and sends forms as a browser without scripts does."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.base = f"http://127.0.0.1:{dashboard.port}"
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(jar)
        names = {"username": "li.wei", "password1": PASSWORD, "password2": PASSWORD}
        self.send(dashboard.link.removeprefix(self.base), names)

    def open(self, path: str) -> tuple[str, str]:
        """Return the page and the path that it was finally found at."""
        with self.browser.open(self.base + path, timeout=90) as answer:
            return answer.read().decode(), answer.url.removeprefix(self.base)

    def send(self, path: str, fields: dict[str, str], form: str = "") -> str:
        """Fill in the form at *form* (the same path) and send it; return where to."""
        page, _ = self.open(form or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token, page[:500]
        data = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token[1]})
        request = urllib.request.Request(self.base + path, data.encode())
        request.add_header("Referer", self.base + path)
        with self.browser.open(request, timeout=90) as answer:
            return str(answer.url.removeprefix(self.base))

    def new_service(self, vip: str, hosts: list[int]) -> int:
        """Save a service and ask for its review; return the number of the run."""
        fields = {
            "protocol": "tcp",
            "address": vip,
            "port": "80",
            "scheduler": "rr",
            "enabled": "on",
            "servers-TOTAL_FORMS": str(len(hosts)),
            "servers-INITIAL_FORMS": "0",
            "servers-MIN_NUM_FORMS": "0",
            "servers-MAX_NUM_FORMS": "1000",
            "next": "review",
        }
        for n, host in enumerate(hosts):
            fields |= {f"servers-{n}-host": str(host), f"servers-{n}-weight": "1"}
        return self._run(self.send("/clusters/lab/services/new/", fields))

    def delete_service(self, pk: int, vip: str) -> int:
        path = f"/clusters/lab/services/{pk}/delete/"
        self.send(path, {"confirm": vip}, form="/clusters/lab/services/")
        services = "/clusters/lab/services/"
        return self._run(self.send("/clusters/lab/review/", {}, form=services))

    def _run(self, path: str) -> int:
        found = re.fullmatch(r"/runs/(\d+)/", path)
        assert found, path
        return int(found[1])

    def confirm(self, run: int, plan_hash: str) -> None:
        fields = {"plan_hash": plan_hash, "confirm": "lab"}
        self.send(f"/runs/{run}/confirm/", fields, form=f"/runs/{run}/")
