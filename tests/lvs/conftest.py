"""What a director's loop runs against."""

import pytest

from tests.lvs.running_loop import BOOT, Running
from tests.lvs.samples import sample


@pytest.fixture
def proc(tmp_path):
    """A director's files, and programs that print what the real ones printed."""
    (tmp_path / "net").mkdir()
    random = tmp_path / "sys" / "kernel" / "random"
    random.mkdir(parents=True)
    (random / "boot_id").write_text(BOOT + "\n")
    (tmp_path / "net" / "ip_vs").write_text(sample("proc-net-ip_vs"))
    (tmp_path / "net" / "ip_vs_stats").write_text(sample("proc-net-ip_vs_stats"))
    (tmp_path / "stats").write_text(sample("ipvsadm-Ln--stats--exact"))
    (tmp_path / "addresses").write_text(sample("ip-j-addr-show"))
    return tmp_path


@pytest.fixture
def run():
    started = []

    def start(command):
        started.append(Running(command))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()
        for file in running.files:
            file.close()
