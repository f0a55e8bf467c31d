"""The loop of a director in a real shell, with programs that print what is told here."""

import os
import subprocess

from cluster.lvs.command import Command
from cluster.lvs.frame import watch_command
from cluster.remote.frames import FrameReader

BOOT = "53fe3d50-5b9c-4c5f-8dfc-ec78eac47349"


def loop(proc, shell="bash", period=0.2, stats=None, seldom=None, moves=(), sudo=()):
    return watch_command(
        str(proc),
        stats or ("cat", str(proc / "stats")),
        ("cat", str(proc / "addresses")),
        period,
        seldom=seldom or {},
        moves=moves,
        bash=shell,
        sudo=sudo,
    )


class Running:
    """The command under a shell, with its standard input held open."""

    def __init__(self, command: Command):
        self.process = subprocess.Popen(
            ["sh", "-c", command.line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.files = self.process.stdin, self.process.stdout, self.process.stderr
        self.process.stdin.write(command.stdin)
        self.process.stdin.flush()
        self.reader = FrameReader()

    def frames(self, count):
        found = []
        while len(found) < count:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the loop has ended"
            found += self.reader.feed(data)
        return found

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)
