"""Django for measures: the settings of the tests, on an empty database of their own."""

from __future__ import annotations

import os
from pathlib import Path


def set_up(data: Path | None = None) -> Path:
    """Return the data directory; call it before the first import of a model.

    Processes that share one name it, and get the settings of the product.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    if data:
        data.mkdir()
        os.environ["DJANGO_SETTINGS_MODULE"] = "piranha_web.settings"
        os.environ["PIRANHA_DATA"] = str(data)
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return Path(settings.DATA)
