"""Fetch once from every director over warm ControlMaster connections: a shell's loop.

python -m bench.contenders.masters FOLDER COUNT PORT
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.contender import memory, obey
from bench.directors import Directors

AT_ONCE = 8


def main(directors: Directors) -> None:
    before, frames = memory(), 0
    sockets = directors.folder / "masters"
    sockets.mkdir()
    masters = []
    for number in range(directors.count):
        words = directors.ssh(number, "-M", "-N", "-S", str(sockets / str(number)))
        masters.append(subprocess.Popen(words, stdin=subprocess.DEVNULL))
        if number % AT_ONCE == 0:
            _wait_for(sockets / str(number))
    for number in range(directors.count):
        _wait_for(sockets / str(number))
    # {} is the number: of the socket, and of the files to print.
    fetch = ["ssh", "-F", "none", "-T", "-S", f"{sockets}/{{}}", "director"]
    loop = ["xargs", "-P", str(AT_ONCE), "-I{}", *fetch, directors.fetching("{}")]
    names = b"".join(b"%d\n" % number for number in range(directors.count))

    def sweep(_seconds: float) -> None:
        nonlocal frames
        done = subprocess.run(loop, input=names, stdout=subprocess.PIPE, check=True)
        frames += done.stdout.count(b"IP Virtual Server") // 2

    obey({"memory": memory() - before}, sweep, lambda: {"frames": frames})
    for master in masters:
        master.kill()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > end:
            raise SystemExit(f"no master at {path}")
        time.sleep(0.02)


if __name__ == "__main__":
    _folder, _count, _port = sys.argv[1:]
    _directors = Directors(Path(_folder), int(_count))
    _directors.port = int(_port)
    main(_directors)
