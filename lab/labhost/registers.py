"""Processors with more registers than the kernel of the hosts knows: those with AMX.

A kernel of User-Mode Linux that has a fixed size for them, such as 6.1 of Debian 12, dies
there at once ("ptrace set fp regs failed, errno = 14"). A library of a page, built here
with the C compiler, helps: registers.c.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from labhost.image import cache_folder
from labhost.trouble import Trouble, last_line

SOURCE = Path(__file__).with_name("registers.c")
FLAG = "amx_tile"


def too_many(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the kernel cannot keep the registers of this processor by itself."""
    flags = (
        line.partition(":")[2].split()
        for line in cpuinfo.read_text().splitlines()
        if line.startswith("flags")
    )
    return FLAG in next(flags, [])


def compiler_packages() -> list[str]:
    """Debian packages that are missing to build the library."""
    packages = {"gcc": shutil.which("gcc"), "libc6-dev": _has("elf.h")}
    return [name for name, there in packages.items() if not there]


def _has(header: str) -> bool:
    return Path("/usr/include", header).exists()


def prefix() -> list[str]:
    """The words to start the kernel with on this machine; [] on most."""
    return ["env", f"LD_PRELOAD={_library()}"] if too_many() else []


def _library() -> Path:
    """The library, built when it is not in the cache."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    version = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    library = cache / f"registers-{version}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / library.name
            words = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Trouble(f"{SOURCE} cannot be built: {last_line(done.stderr)}")
            fresh.replace(library)
    return library
