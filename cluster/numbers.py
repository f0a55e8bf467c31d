"""Numbers and times as people read them. Unknown (``None``) is a dash, never 0."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.utils.formats import get_format, number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

DASH = "\N{EN DASH}"
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@lru_cache(maxsize=8)
def _style(language: str | None) -> tuple[str, str, str] | None:
    """Return the separators of decimals and thousands, and the words of a rate.

    A live table writes thousands of numbers a tick, and Django asks for the language
    several times for each. None where digits do not stand in groups of three.
    """
    if get_format("NUMBER_GROUPING") not in (0, 3):
        return None
    decimal, thousands = (
        get_format("DECIMAL_SEPARATOR"),
        get_format("THOUSAND_SEPARATOR"),
    )
    return decimal, thousands, _("%(number)s/s")


def count(value: float | None) -> str:
    """Return ``1,284``."""
    if value is None:
        return DASH
    return _grouped(round(value))


def rate(value: float | None) -> str:
    """Return ``828/s``, ``0.4/s`` or, from 100,000 on, ``1.3 M/s``."""
    if value is None:
        return DASH
    if abs(value) < 100_000:
        return _per_second(_short(value))
    return _per_second(_scaled(value, ""))


def bytes_rate(value: float | None) -> str:
    """Return ``2.6 MB/s``: decimal units, as network people count."""
    if value is None:
        return DASH
    return _per_second(_scaled(value, "B"))


def byte_count(value: float | None) -> str:
    """Return ``2.6 MB``."""
    return DASH if value is None else _scaled(value, "B")


def duration(value: timedelta | float | None) -> str:
    """Return the two largest units: ``2 min 14 s``, ``3 d 4 h``, ``0.4 s``."""
    if value is None:
        return DASH
    total = value.total_seconds() if isinstance(value, timedelta) else float(value)
    total = max(total, 0.0)
    if total < 10 and total != int(total):
        return _("%(number)s s") % {"number": _tenths(total)}
    minutes, seconds = divmod(int(total), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = (
        (days, _("%(number)s d")),
        (hours, _("%(number)s h")),
        (minutes, _("%(number)s min")),
        (seconds, _("%(number)s s")),
    )
    first = next((i for i, (number, _unit) in enumerate(parts) if number), 3)
    shown = [
        unit % {"number": number} for number, unit in parts[first : first + 2] if number
    ]
    return " ".join(shown) or _("%(number)s s") % {"number": 0}


def since(
    value: datetime | timedelta | float | None, now: datetime | None = None
) -> str:
    """Return ``2 min 14 s ago`` for a moment, or for an age in seconds."""
    if value is None:
        return DASH
    if isinstance(value, datetime):
        value = (now or datetime.now(UTC)) - value
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 1:
        return _("just now")
    return _("%(duration)s ago") % {"duration": duration(int(seconds))}


def _tenths(value: float) -> str:
    style = _style(get_language())
    if style is None:
        # number_format cuts decimals off: 0.99 would become 0.9.
        return number_format(round(value, 1), 1)
    return f"{round(value, 1):.1f}".replace(".", style[0])


def _grouped(value: int) -> str:
    style = _style(get_language())
    if style is None:
        return number_format(value, force_grouping=True)
    return f"{value:,}".replace(",", style[1])


def _per_second(number: str) -> str:
    style = _style(get_language())
    words = _("%(number)s/s") if style is None else style[2]
    return words % {"number": number}


def _short(value: float) -> str:
    """Return one decimal under 10 (when it says something), else a whole number."""
    if abs(value) < 10 and round(value, 1) != round(value):
        return _tenths(value)
    return _grouped(round(value))


def _scaled(value: float, unit: str) -> str:
    for size, prefix in _STEPS:
        # 999.96 k would be shown as "1000.0 kB": the next unit takes over before.
        if abs(value) >= size * 0.99995:
            number = value / size
            shown = (
                _tenths(number) if abs(number) < 100 else number_format(round(number))
            )
            return f"{shown} {prefix}{unit}"
    return f"{_short(value)} {unit}".strip()
