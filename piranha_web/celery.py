"""Celery: the only thing that moves work between processes and machines.

The broker is a doorbell. What is due and how far it got is in the database, so
a lost or doubled message does no harm (docs/architecture.md, section 1).
"""

import os
import warnings
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piranha_web.settings")

TICK_SECONDS = 5.0

# It warns of pickle in a worker of root. We accept JSON only, see below.
warnings.filterwarnings("ignore", message="You're running the worker with superuser")

app = Celery("piranha_web")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        # Longer than any task: a message is given to a second worker after this.
        "visibility_timeout": 600,
        # Look for messages of dead workers every 5 s, not every 100 s.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "health_check_interval": 10,
        "socket_connect_timeout": 5,
        "socket_timeout": 30,
    },
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_queues=[Queue("apply"), Queue("watch")],
    task_default_queue="apply",
    task_create_missing_queues=False,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    timezone="UTC",
    enable_utc=True,
    # One fixed tick: no schedule file that a killed beat could leave damaged.
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule={
        "tick": {
            "task": "cluster.tasks.tick",
            "schedule": TICK_SECONDS,
            "options": {"expires": TICK_SECONDS},
        }
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Leave logging as the settings made it: a receiver here stops Celery's own."""
