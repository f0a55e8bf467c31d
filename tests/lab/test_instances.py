"""Several labs side by side: what one leaves behind, and where none can be had."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.lab.running import REPOSITORY, Lab, listening

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture
def small(lab: Lab, tmp_path: Path) -> Lab:
    """Another instance beside the running one, with one host, not started."""
    return Lab("small", lab.ports + 200, only="web1", data=tmp_path)


def own_processes(namespace: Path) -> list[int]:
    """Processes that are in this network namespace now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "net").readlink() == namespace:
                found.append(int(process.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


def links() -> set[str]:
    """The machine's own; what state they are in is not the lab's doing."""
    return {link.name for link in Path("/sys/class/net").iterdir()}


def test_stop_leaves_nothing_behind(lab: Lab, small: Lab) -> None:
    links_before = links()
    small.start()
    try:
        key = small.hosts["web1"]["host_key"]
        gate = re.search(r'"pid": (\d+)', (small.state / "gate.json").read_text())
        assert gate
        namespace = Path(f"/proc/{gate[1]}/ns/net").readlink()
        assert namespace != Path("/proc/self/ns/net").readlink()
        assert len(own_processes(namespace)) >= 2
        assert ("0100007F", small.ports + 6) in listening()
        assert links() == links_before, "the machine's own network was touched"
        small.must("reset")
        assert small.hosts["web1"]["host_key"] != key
    finally:
        small.stop()
    assert own_processes(namespace) == []
    assert links() == links_before
    assert small.ports + 6 not in {port for _, port in listening()}
    assert not small.up
    assert not list(small.state.glob("**/process.json"))
    assert lab.ssh("web1", "hostname") == "web1\n"


def test_a_gate_that_died_comes_back_to_the_same_hosts(small: Lab) -> None:
    small.start()
    try:
        before = small.boot_id("web1")
        gate = re.search(r'"pid": (\d+)', (small.state / "gate.json").read_text())
        assert gate
        os.kill(int(gate[1]), 9)
        small.start()
        assert small.boot_id("web1") == before
    finally:
        small.stop()


def test_a_taken_port_is_named_and_nothing_is_started(lab: Lab, small: Lab) -> None:
    taken = str(lab.ports)
    done = small.run("up", PIRANHA_LAB_PORTS=taken)
    assert done.returncode == 1
    assert f"Port {lab.ports + 6} for web1 cannot be used" in done.stderr
    assert not list(small.state.glob("**/process.json"))
    assert not (small.state / "gate.json").exists()


def test_without_a_tun_device_it_says_so_and_makes_nothing(small: Lab) -> None:
    hide = "mount -t tmpfs none /dev/net && exec lab/up"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", hide],
        cwd=REPOSITORY,
        env=os.environ | {"PIRANHA_DATA": str(small.data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "/dev/net/tun" in done.stderr
    assert not list(small.data.iterdir())


def test_without_the_package_and_without_apt_it_says_so(small: Lab) -> None:
    empty = small.data / "bin"
    empty.mkdir()
    done = small.run("up", PATH=str(empty))
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "user-mode-linux" in done.stderr
    assert list(small.data.iterdir()) == [empty]


def test_it_works_as_an_ordinary_user(lab: Lab) -> None:
    """Boot a host as somebody who is not root: in a user namespace."""
    folder = Path(tempfile.mkdtemp(prefix="piranha-lab-", dir="/var/tmp"))
    image = subprocess.run(
        [sys.executable, "-c", "from labhost.image import image; print(image(id))"],
        cwd=REPOSITORY / "lab",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    cache = folder / "cache"
    cache.mkdir()
    subprocess.run(["cp", "--sparse=always", image, cache], check=True)
    for name in ("lab", "cluster"):
        shutil.copytree(REPOSITORY / name, folder / name, symlinks=True)
    become: list[str] = []
    if os.geteuid() == 0:
        # Where root alone may open the device, nobody gets one of their own.
        tun = "mknod -m 666 /dev/net/tun c 10 200"
        openly = f'mount -t tmpfs none /dev/net && {tun} && exec "$@"'
        become = ["unshare", "--mount", "sh", "-c", openly, "sh"]
        become += ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        subprocess.run(["chown", "-R", "65534:65534", folder], check=True)
    variables = {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "PIRANHA_LAB_CACHE": str(cache),
        "PIRANHA_LAB_HOSTS": "web1",
        "PIRANHA_LAB_PORTS": str(lab.ports + 400),
    }

    def run(*words: str) -> str:
        return subprocess.run(
            [*become, "/usr/bin/env", "-i", *map("=".join, variables.items()), *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    try:
        up = run("lab/up", "--no-traffic")
        assert f"web1     answers on 127.0.0.1:{lab.ports + 406} " in up
        assert run("lab/ssh", "web1", "id -un; curl -s localhost") == "root\nweb1\n"
        run("lab/power", "web1", "reset")
    finally:
        run("lab/stop")
        shutil.rmtree(folder)
