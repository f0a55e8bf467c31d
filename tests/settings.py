"""The product's settings, with a data directory of the test run's own.

Every process of a test run (xdist) gets its own directory, database and broker.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests.services import of_this_worker

_usual_data = os.environ.get("PIRANHA_DATA")
_data = tempfile.mkdtemp(prefix="piranha-test-")
atexit.register(shutil.rmtree, _data, ignore_errors=True)
os.environ["PIRANHA_DATA"] = _data
os.environ.pop("PIRANHA_HTTPS", None)
of_this_worker()

from piranha_web.settings import *  # noqa: E402, F403
from piranha_web.settings import (  # noqa: E402
    BASE_DIR,
    DATA,
    DATABASES,
    EMBEDDED_DATABASE,
    STATIC_ROOT,
    STORAGES,
)

if EMBEDDED_DATABASE:
    # A file, as in production: an in-memory database knows no lock and no WAL.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA / "test.sqlite3")}
# WhiteNoise warns of a directory that is not there; `serve` makes it.
STATIC_ROOT.mkdir()
# Hashing is slow on purpose; test_settings.py looks at the real list.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
# The lab is the machine's, not the test run's.
LAB_HOSTS_FILE = Path(_usual_data or BASE_DIR / "var") / "lab" / "hosts.json"
