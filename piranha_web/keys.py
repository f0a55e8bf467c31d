"""Keys on disk: made at first use, readable by their owner only."""

import os
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def read_or_make(path: Path, make: Callable[[], str], *, protects: Path) -> str:
    """Return the text of the key file, making it when nothing depends on it yet.

    ``protects`` is the file whose contents are lost without this key. While it
    exists a missing key is an error: a new one would only hide the loss.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    if protects.exists():
        raise ImproperlyConfigured(
            f"The key {path} is missing, but {protects} was written with it. "
            f"Put the key back from your backup (keep keys/ and the database "
            f"together), or move {protects} away to start empty."
        )
    _make(path, make())
    return _read(path)


def _read(path: Path) -> str:
    text = path.read_text(encoding="ascii").strip()
    if not text:
        raise ImproperlyConfigured(f"The key file {path} is empty.")
    if path.stat().st_mode & 0o077:
        raise ImproperlyConfigured(
            f"The key {path} can be read by others. Run: chmod 600 {path}"
        )
    return text


def _make(path: Path, text: str) -> None:
    """Publish a complete key file under its name, unless another process did."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        # link() refuses an existing name: of two first starts only one key stays.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
