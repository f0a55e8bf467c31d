"""What tests share: a real broker, an empty cache, an environment for processes."""

import gc
import os
from collections.abc import Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as hypothesis_settings

from cluster.watch import store
from piranha_web.supervisor import programs
from tests import flushing, long_files
from tests.lab.fixture import lab  # noqa: F401
from tests.services import open_redis

# A busy machine is no fault of the code: pytest-timeout watches over what hangs.
hypothesis_settings.register_profile("any machine", deadline=None)
# For make check; make test tries a hundred of each.
hypothesis_settings.register_profile("quick", deadline=None, max_examples=25)
hypothesis_settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backed",
        action="store_true",
        help="only tests that use the database or the broker, at every third step",
    )
    parser.addoption(
        "--every-step", action="store_true", help="with --backed: at every step"
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("backed"):
        every = config.getoption("every_step")
        taken = {i for i in items if is_backed(i) and (every or is_third_step(i))}
        config.hook.pytest_deselected(items=[i for i in items if i not in taken])
        items[:] = [item for item in items if item in taken]
    if not config.getoption("loadscopereorder"):
        items.sort(key=lambda item: -long_files.seconds(item.path))


def pytest_collection_finish() -> None:
    """Spare Python to search thousands of tests for garbage again and again."""
    gc.collect()
    gc.freeze()


def is_backed(item: pytest.Item) -> bool:
    """Say whether the test asks for the database, directly or through a fixture."""
    names = set(getattr(item, "fixturenames", ()))
    marked = item.get_closest_marker("django_db") is not None
    return marked or bool({"db", "transactional_db", "live_server"} & names)


def is_third_step(item: pytest.Item) -> bool:
    """Say whether the test is tried at step 1, 4, 7, ..., or is not about steps."""
    if item.get_closest_marker("each_step") is None:
        return True
    assert isinstance(item, pytest.Function)
    return int(item.callspec.params["number"]) % 3 == 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when a test was skipped: what can not run here must be said, not hidden."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and session.exitstatus == 0:
        reporter.write_line("A skipped test counts as failed here.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _flush_empties_the_audit_log() -> None:
    flushing.install()


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
    """Leave no counted login, no fragment and no sample to the next test."""
    client = store.client()
    # One question for both databases: most tests leave nothing.
    holding = client.info("keyspace")
    if "db1" in holding:
        cache.clear()
    if f"db{client.connection_pool.connection_kwargs.get('db', 0)}" in holding:
        for key in client.scan_iter(count=1000):
            if key.startswith((b"live:", b"spark:")):
                client.delete(key)


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """Another test has another cluster with the same number, and the same log."""
    from cluster import kept, live_show
    from cluster.views import live_page

    kept.draft_edits.forget()
    live_page.wanted.forget()
    for rows in (live_page.hosts_of, live_page.drains_of, live_show.clusters):
        rows.forget()


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
