"""A worker of the queue ``watch`` as the supervisor starts it, with directors of ours.

    python -m bench.contenders.worker FOLDER COUNT PORT

PIRANHA_DATA names database and live cache. It writes down ``frame DIRECTOR NUMBER TIME``
for each frame that came and ``cached SECONDS`` for each that was in the live cache so long
after the director had sent it, into FOLDER/worker-PID.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.directors import Directors


def main(directors: Directors) -> None:
    from cluster.watch import store, stream, watcher
    from piranha_web import worker

    log = (directors.folder / f"worker-{os.getpid()}").open("w")
    writing = threading.Lock()
    take, publish = stream.DirectorStream._take, store.publish  # noqa: SLF001

    def noted_take(self: Any, frame: Any) -> None:
        take(self, frame)
        with writing:  # a text file is for one thread at a time
            log.write(f"frame {self.host.pk} {frame.sequence} {time.time():.3f}\n")

    def noted_publish(batch: Any) -> None:
        publish(batch)
        now = time.time()
        lines = [f"cached {now - one.sample.sent_at:.4f}\n" for one in batch]
        with writing:
            log.writelines(lines)
            log.flush()

    stream.DirectorStream._take = noted_take  # type: ignore[method-assign] # noqa: SLF001
    store.publish = noted_publish
    watcher.Watcher = partial(  # type: ignore[misc,assignment]
        watcher.Watcher, lambda host: directors.command(int(host.name[2:]))
    )
    worker.main("watch", str(os.getpid()))


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "piranha_web.settings"
    django.setup()
    _folder, _count, _port = sys.argv[1:]
    _directors = Directors(Path(_folder), int(_count))
    _directors.port = int(_port)
    main(_directors)
