"""Settings: everything comes from the environment, every default works at once.

``docs/settings.md`` lists the variables for people. See also
https://docs.djangoproject.com/en/5.2/ref/settings/
"""

import secrets
from pathlib import Path
from typing import Any

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from piranha_web.addresses import as_broker, valkey_socket, with_database
from piranha_web.keys import read_or_make

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(env.str("PIRANHA_DATA", default=str(BASE_DIR / "var"))).absolute()
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

DEBUG = env.bool("PIRANHA_DEBUG", default=False)
HTTPS = env.bool("PIRANHA_HTTPS", default=False)

# --- Keys -------------------------------------------------------------------
_DATABASE_FILE = DATA / "db.sqlite3"
SECRET_KEY = read_or_make(
    DATA / "keys" / "secret_key",
    lambda: secrets.token_urlsafe(64),
    protects=DATA / "nothing-is-lost-without-it",
)
# One key a line, the first is the current one: see manage.py rotate_secrets.
ENCRYPTION_KEYS: list[bytes] = [
    key.encode()
    for key in env.list("PIRANHA_ENCRYPTION_KEYS", default=[])
    or read_or_make(
        DATA / "keys" / "encryption_key",
        lambda: Fernet.generate_key().decode(),
        protects=_DATABASE_FILE,
    ).split()
]
AUDIT_KEY: bytes = (
    env.str("PIRANHA_AUDIT_KEY", default="")
    or read_or_make(
        DATA / "keys" / "audit_key",
        lambda: secrets.token_hex(32),
        protects=_DATABASE_FILE,
    )
).encode()

# --- Addresses --------------------------------------------------------------
ALLOWED_HOSTS = env.list(
    "PIRANHA_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]
)
CSRF_TRUSTED_ORIGINS = env.list("PIRANHA_ORIGINS", default=[])
# Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
TRUSTED_PROXIES: list[str] = env.list("PIRANHA_PROXIES", default=[])
WEB_PORT = env.int("PIRANHA_PORT", default=8000)
EVENTS_PORT = env.int("PIRANHA_EVENTS_PORT", default=8001)
# Behind a proxy that sends /events/ to the events process: PIRANHA_EVENTS_URL=/events/
EVENTS_URL = env.str("PIRANHA_EVENTS_URL", default="")

# --- Application ------------------------------------------------------------
INSTALLED_APPS = [
    "cluster",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "piranha_web.csp.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "piranha_web.urls"
WSGI_APPLICATION = "piranha_web.wsgi.application"
ASGI_APPLICATION = "piranha_web.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cluster.context.shell",
            ],
        },
    }
]
# Fields are drawn by templates/django/forms/.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database ---------------------------------------------------------------
_SQLITE_OPTIONS = {
    # A transaction that will write takes the lock at its start: no deadlock of
    # two readers who both want to write, which no timeout could resolve.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
_database: dict[str, Any] = dict(
    env.db_url("DATABASE_URL", default=f"sqlite:///{_DATABASE_FILE}")
)
EMBEDDED_DATABASE: bool = _database["ENGINE"] == "django.db.backends.sqlite3"
if EMBEDDED_DATABASE:
    _database["OPTIONS"] = _SQLITE_OPTIONS | _database.get("OPTIONS", {})
_database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES = {"default": _database}

# --- Redis: broker, live cache, shared cache --------------------------------
VALKEY_SOCKET = valkey_socket(DATA)
REDIS_URL = env.str("REDIS_URL", default="")
EMBEDDED_REDIS: bool = not REDIS_URL
if EMBEDDED_REDIS:
    REDIS_URL = f"unix://{VALKEY_SOCKET}?db=0"
CELERY_BROKER_URL = as_broker(REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": with_database(REDIS_URL, 1),
        "KEY_PREFIX": "piranha",
    }
}

# --- People -----------------------------------------------------------------
AUTH_USER_MODEL = "cluster.User"
LOGIN_URL = "cluster:login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
_VALIDATORS = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"{_VALIDATORS}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATORS}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_VALIDATORS}.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "__Host-piranha" if HTTPS else "piranha"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "__Host-piranha-csrf" if HTTPS else "piranha-csrf"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True

# --- Headers and limits -----------------------------------------------------
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_SSL_REDIRECT = HTTPS and bool(TRUSTED_PROXIES)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- Static files -----------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
_MANIFEST = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _PLAIN if DEBUG else _MANIFEST},
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Language and time ------------------------------------------------------
USE_I18N = True
LANGUAGE_CODE = "en"
# A language is offered when locale/ has all of it; zh-hans comes next.
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- Drift ------------------------------------------------------------------
# How often a host is read and compared with the newest revision.
OBSERVE_SECONDS = max(10, env.int("PIRANHA_OBSERVE_SECONDS", default=45))

# --- Prometheus -------------------------------------------------------------
# Without a token there is no /metrics.
METRICS_TOKEN = env.str("PIRANHA_METRICS_TOKEN", default="")
if METRICS_TOKEN and len(METRICS_TOKEN) < 16:
    raise ImproperlyConfigured("PIRANHA_METRICS_TOKEN needs 16 characters or more.")

# --- The lab ----------------------------------------------------------------
# The folder is chosen as lab/labhost/instance.py does it.
_lab = "-".join(filter(None, ["lab", env.str("PIRANHA_LAB_NAME", default="")]))
LAB_HOSTS_FILE = DATA / _lab / "hosts.json"

# --- Logs -------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "piranha_web.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.str("PIRANHA_LOG_LEVEL", default="INFO"),
    },
    "loggers": {
        # Django's own handlers would mail the admins and print twice.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # gunicorn and uvicorn come with handlers of their own otherwise.
        "gunicorn.error": {"handlers": [], "propagate": True, "level": "WARNING"},
        "uvicorn": {"handlers": [], "propagate": True, "level": "WARNING"},
        # One line per connection and task is noise at INFO.
        "paramiko": {"level": "CRITICAL"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
