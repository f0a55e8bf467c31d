"""How Celery works here. See https://docs.celeryq.dev/en/stable/userguide/configuration.html"""

from django.conf import settings
from kombu import Queue

TICK_SECONDS = 5.0

broker_url = settings.CELERY_BROKER_URL
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {
    # Longer than any task: a message is given to a second worker after this.
    "visibility_timeout": 600,
    # Look for messages of dead workers every 5 s, not every 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "health_check_interval": 10,
    "socket_connect_timeout": 5,
    "socket_timeout": 30,
}

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"

# A message leaves the broker when its task has ended, not when it was fetched.
task_acks_late = True
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
task_ignore_result = True

task_queues = [Queue("apply"), Queue("watch")]
task_default_queue = "apply"
task_create_missing_queues = False
# What may wait: a slow host that is read must not hold up a run.
task_routes = {"cluster.tasks.observe_cluster": {"queue": "watch"}}

worker_send_task_events = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False

timezone = "UTC"
enable_utc = True
# One fixed tick: no schedule file that a killed beat could leave damaged.
beat_scheduler = "celery.beat:Scheduler"
beat_schedule = {
    "tick": {
        "task": "cluster.tasks.tick",
        "schedule": TICK_SECONDS,
        # A tick that waited is worth nothing: the next one sees the same rows.
        "options": {"expires": TICK_SECONDS},
    }
}
