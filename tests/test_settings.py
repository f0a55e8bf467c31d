"""The settings as a fresh process reads them from its environment."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings as running
from django.test import RequestFactory

from piranha_web import addresses, csp, origins

SHOW = """
import json, sys
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


@pytest.fixture
def read(tmp_path):
    """Return a function that reads settings in a new process with variables set."""

    def read(*names: str, check: bool = True, **variables: str):
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PIRANHA_")
            and name not in {"DATABASE_URL", "REDIS_URL"}
        }
        environment = clean | {
            "DJANGO_SETTINGS_MODULE": "piranha_web.settings",
            "PIRANHA_DATA": str(tmp_path / "data"),
            "PYTHONPATH": str(running.BASE_DIR),
        }
        ended = subprocess.run(
            [sys.executable, "-c", SHOW, *names],
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert ended.returncode == 0, ended.stderr
            return json.loads(ended.stdout)
        return ended

    return read


def test_keys_are_made_once_and_only_their_owner_reads_them(read, tmp_path):
    names = "SECRET_KEY", "ENCRYPTION_KEYS", "AUDIT_KEY"
    first, second = read(*names), read(*names)
    assert first == second
    assert len(first["SECRET_KEY"]) >= 50
    keys = list((tmp_path / "data" / "keys").iterdir())
    assert {key.name for key in keys} == {"secret_key", "encryption_key", "audit_key"}
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert (tmp_path / "data" / "keys").stat().st_mode & 0o777 == 0o700


def test_two_installations_share_no_key(read, tmp_path):
    names = "SECRET_KEY", "ENCRYPTION_KEYS", "AUDIT_KEY"
    one, other = read(*names), read(*names, PIRANHA_DATA=str(tmp_path / "other"))
    assert all(one[name] != other[name] for name in names)


def test_a_lost_key_is_named_and_not_replaced_while_data_depends_on_it(read, tmp_path):
    read("DATA")
    (tmp_path / "data" / "db.sqlite3").touch()
    lost = tmp_path / "data" / "keys" / "encryption_key"
    lost.unlink()
    ended = read("DATA", check=False)
    assert ended.returncode != 0
    assert f"The key {lost} is missing" in ended.stderr
    assert not lost.exists()


def test_a_key_that_others_can_read_is_refused(read, tmp_path):
    read("DATA")
    (tmp_path / "data" / "keys" / "audit_key").chmod(0o644)
    assert "can be read by others" in read("DATA", check=False).stderr


def test_the_first_encryption_key_of_the_environment_is_the_current_one(read):
    keys = read("ENCRYPTION_KEYS", PIRANHA_ENCRYPTION_KEYS="new,old")
    assert keys == {"ENCRYPTION_KEYS": ["b'new'", "b'old'"]}


def test_the_defaults_are_careful(read):
    found = read("DEBUG", "ALLOWED_HOSTS", "PASSWORD_HASHERS", "TRUSTED_PROXIES")
    assert found == {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.Argon2PasswordHasher"],
        "TRUSTED_PROXIES": [],
    }


def test_https_makes_cookies_that_only_this_host_can_set(read):
    names = "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE"
    found = read(*names, "SECURE_HSTS_SECONDS", PIRANHA_HTTPS="1")
    assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert found["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert found["SESSION_COOKIE_SECURE"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31536000


def test_the_deployment_check_of_django_has_nothing_to_say(tmp_path):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "piranha_web.settings",
        "PIRANHA_DATA": str(tmp_path),
        "PIRANHA_HTTPS": "1",
        "PIRANHA_PROXIES": "127.0.0.1",
    }
    words = [sys.executable, "manage.py", "check", "--deploy", "--fail-level"]
    ended = subprocess.run(
        [*words, "WARNING"],
        env=environment,
        cwd=running.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    # HSTS preload is a promise for a whole domain: its owner's to make.
    issues = [line for line in ended.stderr.splitlines() if line.startswith("?:")]
    assert [line for line in issues if "W021" not in line] == []


def test_the_database_of_the_environment_is_used(read):
    found = read("DATABASES", DATABASE_URL="postgres://u:p@db.example:5433/lvs")
    database = found["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"]) == ("db.example", 5433)


@pytest.mark.django_db
def test_sqlite_writes_ahead_and_takes_the_lock_first(read):
    database = read("DATABASES")["DATABASES"]["default"]
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


@pytest.mark.parametrize(
    ("url", "cache", "broker"),
    [
        (
            "unix:///a/b.sock?db=0",
            "unix:///a/b.sock?db=1",
            "redis+socket:///a/b.sock?virtual_host=0",
        ),
        ("redis://h:6379/0", "redis://h:6379/1", "redis://h:6379/0"),
        (
            "rediss://:secret@h:6380/3?ssl_cert_reqs=required",
            "rediss://:secret@h:6380/1?ssl_cert_reqs=required",
            "rediss://:secret@h:6380/3?ssl_cert_reqs=required",
        ),
    ],
    ids=["socket", "tcp", "tls"],
)
def test_each_client_gets_its_spelling_of_the_url(url, cache, broker):
    assert addresses.with_database(url, 1) == cache
    assert addresses.as_broker(url) == broker


def test_a_long_data_path_gets_a_short_socket(tmp_path):
    deep = tmp_path / ("d" * 120)
    assert len(os.fsencode(addresses.valkey_socket(deep))) < 108
    assert addresses.valkey_socket(tmp_path / "x") == tmp_path / "x/valkey/valkey.sock"


@pytest.mark.parametrize(
    ("events_url", "host", "allowed"),
    [
        ("", "localhost:8000", "'self' http://localhost:8001"),
        ("", "[::1]:8000", "'self' http://[::1]:8001"),
        ("/events/", "localhost:8000", "'self'"),
        ("https://live.example/events/", "localhost", "'self' https://live.example"),
        ("", "forged.example", "'self'"),
    ],
)
def test_a_page_may_connect_to_itself_and_to_the_events(
    settings, events_url, host, allowed
):
    settings.EVENTS_URL, settings.EVENTS_PORT = events_url, 8001
    settings.ALLOWED_HOSTS = ["localhost", "[::1]"]
    policy = csp.policy(RequestFactory().get("/", HTTP_HOST=host))
    assert f"connect-src {allowed};" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("http://localhost:8000", True),
        ("http://localhost:8001", True),
        ("http://localhost:9999", False),
        ("https://localhost:8000", False),
        ("http://localhost.example:8000", False),
        ("null", False),
    ],
)
def test_only_pages_of_the_dashboard_may_read_its_events(settings, origin, may):
    settings.WEB_PORT = 8000
    assert origins.may_read_events(origin, "http", "localhost:8001") is may


def test_every_answer_carries_the_headers(client):
    headers = client.get("/no-such-page").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(("name", "folder"), [("", "lab"), ("try", "lab-try")])
def test_the_demo_finds_the_lab_that_was_chosen(read, tmp_path, name, folder):
    found = read("LAB_HOSTS_FILE", PIRANHA_LAB_NAME=name)["LAB_HOSTS_FILE"]
    assert found == str(tmp_path / "data" / folder / "hosts.json")
