"""What tests share: a real broker, an empty cache, an environment for processes."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from piranha_web.supervisor import programs
from tests.services import open_redis


@pytest.fixture(scope="session", autouse=True)
def broker() -> Iterator[str]:
    """Run the embedded broker, unless REDIS_URL names another; yield its URL."""
    running = nullcontext()
    if settings.EMBEDDED_REDIS:
        programs.data_directories()
        program = programs.valkey(settings.DATA, settings.VALKEY_SOCKET)
        running = open_redis(list(program.argv), settings.VALKEY_SOCKET)
    with running:
        yield settings.REDIS_URL


@pytest.fixture(autouse=True)
def _empty_cache(broker: str) -> None:
    """Leave no counted login and no cached fragment to the next test."""
    cache.clear()


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """Return the environment of a real process that uses the test's database."""
    name = str(connection.settings_dict["NAME"])
    if settings.EMBEDDED_DATABASE:
        url = f"sqlite:///{name}"
    else:
        parts = urlsplit(os.environ["DATABASE_URL"])
        url = urlunsplit(parts._replace(path=f"/{name}"))
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "piranha_web.settings",
        "PIRANHA_DATA": str(settings.DATA),
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "PYTHONPATH": str(settings.BASE_DIR),
    }
