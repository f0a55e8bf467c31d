"""Django for measures: its real settings, on an empty database in a temporary folder."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def set_up() -> Path:
    """Return the data directory; call it before the first import of a model."""
    data = Path(tempfile.mkdtemp(prefix="piranha-bench-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    os.environ["PIRANHA_DATA"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "piranha_web.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return data
