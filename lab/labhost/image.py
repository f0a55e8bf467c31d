"""The disk image that every host boots from: built once, kept in a cache folder.

Two stages, each named by a hash of what goes into it: the Debian packages (a minute,
needs a mirror) and the disk (seconds). A change under lab/image renews the disk only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labhost.table import LAB
from labhost.trouble import Impossible, Trouble, last_line

SUITE = "bookworm"
MODULES = Path("/usr/lib/uml/modules")
SOURCE = LAB / "image"
UNUSED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")

Say = Callable[[str], None]


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PIRANHA_LAB_CACHE") or Path(home) / "piranha-lab")


@contextmanager
def alone() -> Iterator[None]:
    """Two labs that are booted for the first time must not install or build at once."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def image(say: Say) -> Path:
    """The image for what lab/image says now, built when it is not in the cache."""
    cache = cache_folder()
    packages = cache / f"packages-{_hash(*_package_words())}.tar"
    disks = f"disk-{_hash(packages.name, *_disk_words())}-*.ext4"
    with alone():
        if built := sorted(cache.glob(disks)):
            return built[-1]
        if os.geteuid() != 0:
            _check_subordinate_ids()
        if not packages.exists():
            _timed(say, "fetching the Debian packages", lambda: _fetch(packages))
        # never the same name twice: a host's disk is the difference to one image
        disk = cache / disks.replace("*", str(int(time.time())))
        _timed(say, "making the disk image", lambda: _make_disk(packages, disk))
    return disk


def _timed(say: Say, what: str, work: Callable[[], None]) -> None:
    say(f"image: {what} (once)")
    began = time.monotonic()
    work()
    say(f"image: {what} took {time.monotonic() - began:.0f} s")


def _package_words() -> list[str]:
    packages = (SOURCE / "packages.txt").read_text().split()
    return [SUITE, *packages, *UNUSED]


def _disk_words() -> list[str]:
    files = sorted(path for path in SOURCE.rglob("*") if path.is_file())
    words = [release.name for release in sorted(MODULES.iterdir())]
    for path in files:
        words += [str(path.relative_to(SOURCE)), path.read_text()]
    return words


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]


def _check_subordinate_ids() -> None:
    """Without root the files of the image belong to the user's subordinate ids."""
    command = ["unshare", "--map-root-user", "--map-auto", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Impossible(
            "Building the lab's image without root needs subordinate ids for this "
            f"user in /etc/subuid and /etc/subgid ({last_line(done.stderr)})."
        )


def _fetch(packages: Path) -> None:
    words = (SOURCE / "packages.txt").read_text().split()
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        f"--include={','.join(words)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in UNUSED),
        SUITE,
        "-",
        *_apt_sources(),
    ]
    with tempfile.TemporaryDirectory(dir=packages.parent) as folder:
        fresh, log = Path(folder) / "packages.tar", packages.parent / "packages.log"
        with fresh.open("wb") as tar, log.open("wb") as output:
            done = subprocess.run(command, stdout=tar, stderr=output, check=False)
        if done.returncode:
            raise Trouble(f"mmdebstrap failed; the end of {log}:\n{_tail(log)}")
        fresh.replace(packages)


def _apt_sources() -> list[str]:
    """The sources of this machine where it is the same Debian: they work from here."""
    release = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    apt = Path("/etc/apt")
    parts = apt / "sources.list.d"
    found = [*apt.glob("sources.list"), *parts.glob("*.list"), *parts.glob("*.sources")]
    same = release.get("VERSION_CODENAME") == SUITE and release.get("ID") == "debian"
    debian = [str(path) for path in found if "debian" in path.read_text()]
    # On another system than Debian: none, and mmdebstrap takes its own default.
    return debian if same else []


def _make_disk(packages: Path, disk: Path) -> None:
    prefix = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto"]
    with tempfile.TemporaryDirectory(dir=disk.parent) as folder:
        fresh = Path(folder) / "disk.ext4"
        make = [str(SOURCE / "make-disk"), str(packages), str(MODULES), str(fresh)]
        done = subprocess.run(
            [*prefix, *make], stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise Trouble(f"lab/image/make-disk failed:\n{done.stderr}")
        fresh.chmod(0o444)
        shutil.move(fresh, disk)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
