"""The Watcher as a part of Celery workers of the queue ``watch``, see piranha_web.celery.

Imported before Django is set up, so the watcher itself is imported when it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import bootsteps

if TYPE_CHECKING:
    from cluster.watch.watcher import Watcher

QUEUE = "watch"


class WatchStep(bootsteps.StartStopStep):
    """Start the watcher with the worker, and stop it before the worker's threads."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.watcher: Watcher | None = None

    def include_if(self, parent: Any) -> bool:
        return QUEUE in parent.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        from cluster.watch.watcher import Watcher

        self.watcher = Watcher()
        self.watcher.start()

    def stop(self, parent: Any) -> None:
        if self.watcher is not None:
            self.watcher.stop()

    terminate = stop
