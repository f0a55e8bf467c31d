"""Where Redis is: one URL in the spellings that each client wants."""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

# sun_path in <sys/un.h> has 108 bytes with the closing NUL.
_LONGEST_SOCKET_PATH = 107


def valkey_socket(data: Path) -> Path:
    """Return the path of the embedded server's socket.

    A socket name is limited to 107 bytes; a data directory with a longer path
    gets one in a private directory named after it.
    """
    wish = data / "valkey" / "valkey.sock"
    if len(os.fsencode(wish)) <= _LONGEST_SOCKET_PATH:
        return wish
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"piranha-{os.getuid()}-{digest}", "valkey.sock")


def with_database(url: str, number: int) -> str:
    """Return the same server's URL with another database number."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = {**dict(parse_qsl(parts.query)), "db": str(number)}
        return f"unix://{parts.path}?{urlencode(query)}"
    return urlunsplit(parts._replace(path=f"/{number}"))


def as_broker(url: str) -> str:
    """Return the URL as Celery spells it: ``unix://`` is ``redis+socket://`` there."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = dict(parse_qsl(parts.query))
    query["virtual_host"] = query.pop("db", "0")
    return f"redis+socket://{parts.path}?{urlencode(query)}"
