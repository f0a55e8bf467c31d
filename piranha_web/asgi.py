"""The live streams under /events/, for one ASGI process."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piranha_web.settings")

application = get_asgi_application()
