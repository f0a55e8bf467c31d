"""How gunicorn serves the pages. See https://docs.gunicorn.org/en/stable/settings.html"""

import environ
from django.conf import settings

wsgi_app = "piranha_web.wsgi:application"
worker_class = "gthread"
# One process is enough for a team and saves 28 MB; more use more cores.
workers = environ.Env().int("PIRANHA_WEB_WORKERS", default=1)
threads = 16
# The application is loaded before the fork: a worker that died is back at once.
preload_app = True
timeout = 60
graceful_timeout = 5
keepalive = 5
# Nobody but us controls it, and that by signals.
control_socket_disable = True
forwarded_allow_ips = ",".join(settings.TRUSTED_PROXIES)
logconfig_dict = settings.LOGGING
