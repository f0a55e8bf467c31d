"""One host: its power switch and its disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from labhost import process, registers
from labhost.instance import Instance
from labhost.network import inside, make_tap
from labhost.seed import forget_host_key, seed_folder, write_seed
from labhost.shell import hang_up
from labhost.table import Host
from labhost.trouble import Trouble

MEMORY = 192  # megabytes, of which a quiet host touches about 75


def record(instance: Instance, host: Host) -> Path:
    return instance.folder(host) / "process.json"


def is_on(instance: Instance, host: Host) -> bool:
    return process.running(record(instance, host)) is not None


def power_on(instance: Instance, host: Host, image: Path) -> None:
    """Starts the kernel; the disk is made from the image when there is none yet."""
    folder = instance.folder(host)
    folder.mkdir(parents=True, exist_ok=True)
    power_off(instance, host)  # what a killed kernel may have left of its family
    shutil.rmtree(folder / "uml", ignore_errors=True)  # a killed kernel's umid folder
    made_from = image_of_disk(instance, host)
    if made_from is None:
        _new_disk(instance, host, image)
    elif not made_from.exists():
        raise Trouble(
            f"The disk of {host.name} needs {made_from}, which is gone: "
            f"lab/reset {host.name} gives it a fresh disk."
        )
    write_seed(instance, host)
    forget_host_key(instance, host)
    make_tap(instance, host)
    kernel = [*registers.prefix(), "linux.uml", *_kernel_words(instance, host)]
    process.start(
        [*inside(instance), *kernel],
        record=record(instance, host),
        log=folder / "console.log",
        cwd=folder,
        env={**os.environ, "TMPDIR": _memory_folder()},
    )


def _kernel_words(instance: Instance, host: Host) -> list[str]:
    image = (instance.folder(host) / "image").readlink()
    return [
        f"umid={host.name}",
        "uml_dir=uml/",  # relative: a socket's full path may be too long
        f"mem={MEMORY}M",
        f"ubd0=disk.cow,{image}",
        "root=/dev/ubda",
        "rw",
        f"hostfs={seed_folder(instance, host)}",
        f"lab.host={host.name}",
        f"lab.role={host.role}",
        f"lab.address={host.subnet.with_prefix(host.address)}",
        f"lab.router={host.subnet.router}",
        *_kernel_words6(host),
        f"vec0:transport=tap,ifname={host.tap},depth=64,gro=0,mac={host.mac}",
        "con=null",
        "con0=null,fd:1",
        "systemd.unified_cgroup_hierarchy=1",
        "systemd.show_status=1",
        "systemd.log_target=console",
    ]


def _kernel_words6(host: Host) -> list[str]:
    if not host.address6:
        return []
    return [
        f"lab.address6={host.subnet.with_prefix(host.address6)}",
        f"lab.router6={host.subnet.router6}",
    ]


def image_of_disk(instance: Instance, host: Host) -> Path | None:
    """The image that the host's disk was made from: a disk is only the difference."""
    folder = instance.folder(host)
    if (folder / "disk.cow").exists() and (folder / "image").is_symlink():
        return (folder / "image").readlink()
    return None


def _new_disk(instance: Instance, host: Host, image: Path) -> None:
    """The kernel makes the disk itself; here only what it shall be made from."""
    folder = instance.folder(host)
    for name in ("disk.cow", "image"):
        (folder / name).unlink(missing_ok=True)
    (folder / "image").symlink_to(image)


def _memory_folder() -> str:
    """Where the kernel keeps the host's memory: the fastest place that is roomy."""
    in_memory, on_disk = "/dev/shm", "/var/tmp"  # noqa: S108 (the kernel unlinks it)
    shm = os.statvfs(in_memory)
    roomy = shm.f_bavail * shm.f_frsize > 8 * MEMORY * 2**20
    return in_memory if roomy else on_disk


def power_off(instance: Instance, host: Host) -> None:
    """A power cut: nothing is saved that the host had not written to its disk."""
    path = record(instance, host)
    if known := process.recorded(path):
        hang_up(instance, host)
        known.kill()
        path.unlink()


def erase(instance: Instance, host: Host) -> None:
    power_off(instance, host)
    folder = instance.folder(host)
    for name in ("disk.cow", "image"):
        (folder / name).unlink(missing_ok=True)
    forget_host_key(instance, host)
