"""One worker: ``python -m piranha_web.worker QUEUE [NAME]``.

What ``celery worker`` does, without its command line: that alone takes 9 MB, most of it
for a prompt that nobody sees (click-repl, prompt-toolkit).
"""

import socket
import sys

from piranha_web.celery import app

THREADS = 8


def main(queue: str, name: str = "") -> int:
    """Work until told to stop; return the exit status. *name* is of this worker only."""
    worker = app.Worker(
        hostname=f"{name or queue}@{socket.gethostname()}",
        queues=[queue],
        pool_cls="threads",
        concurrency=THREADS,
        loglevel="INFO",
        quiet=True,
        # Workers find their work in the database, they have nothing to tell each other.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
