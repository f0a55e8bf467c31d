"""Celery: the only thing that moves work between processes and machines.

The broker is a doorbell. What is due and how far it got is in the database, so
a lost or doubled message does no harm (docs/architecture.md, section 1).
"""

import os
import warnings
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from cluster.watch.bootstep import WatchStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piranha_web.settings")

# They would import all pages, which no worker shows: 8 MB. ``manage.py`` runs them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

# It warns of pickle in a worker of root. We accept JSON only.
warnings.filterwarnings("ignore", message="You're running the worker with superuser")

app = Celery("piranha_web")
# By name: read at first use, because the settings import this package.
app.config_from_object("piranha_web.celeryconfig")
app.autodiscover_tasks()
app.steps["worker"].add(WatchStep)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Leave logging as the settings made it: a receiver here stops Celery's own."""
