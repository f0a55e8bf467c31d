"""Receive the frames of directors, by our streams or by a process ``ssh`` for each.

python -m bench.contenders.receiving streams|ssh FOLDER COUNT PORT
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.contender import memory, obey, wait
from bench.directors import Directors
from cluster.remote.frames import MARK, Frame
from cluster.remote.stream import Stream, open_stream

AT_ONCE = 8


class Count:
    """Frames and bytes so far."""

    def __init__(self) -> None:
        self.frames = self.octets = 0

    def numbers(self) -> dict[str, float]:
        return {"frames": self.frames, "bytes": self.octets}


def _ended(reason: object) -> None:
    if reason is not None:
        print(reason, file=sys.stderr)


def streams(directors: Directors) -> None:
    count, before = Count(), memory()

    def on_frame(frame: Frame) -> None:
        count.frames += 1
        count.octets += len(frame.body)

    def start(number: int) -> Stream:
        target, command = directors.target(number), directors.command(number)
        return open_stream(target, command, on_frame, _ended, timeout=60)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        kept = list(pool.map(start, range(directors.count)))
    time.sleep(3)
    obey({"memory": memory() - before}, wait, count.numbers)
    for stream in kept:
        stream.close()


def processes(directors: Directors) -> None:
    count, before = Count(), memory()
    waiting = selectors.DefaultSelector()

    def start(number: int) -> subprocess.Popen[bytes]:
        command = directors.command(number)
        words = [*directors.ssh(number), command.line]
        pipe = subprocess.PIPE
        child = subprocess.Popen(words, stdin=pipe, stdout=pipe, bufsize=0)
        assert child.stdin
        assert child.stdout
        child.stdin.write(command.stdin)
        if not child.stdout.read(1):
            raise RuntimeError("ssh has ended")
        return child

    def read() -> None:
        while True:
            for key, _events in waiting.select():
                data = os.read(key.fd, 65536)
                count.frames += data.count(MARK)
                count.octets += len(data)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        children = list(pool.map(start, range(directors.count)))
    for child in children:
        assert child.stdout
        waiting.register(child.stdout, selectors.EVENT_READ)
    threading.Thread(target=read, daemon=True).start()
    time.sleep(3)
    obey({"memory": memory() - before}, wait, count.numbers)
    for child in children:
        child.kill()


if __name__ == "__main__":
    _kind, _folder, _count, _port = sys.argv[1:]
    _directors = Directors(Path(_folder), int(_count))
    _directors.port = int(_port)
    {"streams": streams, "ssh": processes}[_kind](_directors)
