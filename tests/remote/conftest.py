import threading
import time

import pytest

from cluster.remote.paramiko_shell import new_key_pair, open_shell
from tests.remote.odd_server import OddServer
from tests.remote.sshd import Sshd
from tests.remote.valve import Valve


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("sshd"), new_key_pair())
    yield server
    server.stop()


@pytest.fixture
def shell(sshd):
    with open_shell(sshd.target()) as shell:
        yield shell


@pytest.fixture
def valve(sshd):
    valve = Valve(sshd.port)
    yield valve
    valve.stop()


@pytest.fixture
def odd_server():
    servers = []

    def start(behave=None, **options):
        servers.append(OddServer(new_key_pair(), behave, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    """Every test closes what it opens, and then no thread of ours is left."""
    before = set(threading.enumerate())
    yield
    for _ in range(40):
        left = [
            thread
            for thread in set(threading.enumerate()) - before
            if type(thread).__name__ in {"Connection", "Timer"}
        ]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"threads are left: {left}")
