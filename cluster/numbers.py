"""Numbers and times as people read them. Unknown (``None``) is a dash, never 0."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.utils.formats import get_format, number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

DASH = "\N{EN DASH}"
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Style:
    """How a language writes numbers.

    A live table writes thousands of them a tick, and Django asks for the language
    several times for each: take ``here()`` once.
    """

    def __init__(self) -> None:
        self.decimal = get_format("DECIMAL_SEPARATOR")
        self.thousands = get_format("THOUSAND_SEPARATOR")
        self.per_second = _("%(number)s/s").partition("%(number)s")
        # Where digits stand in other groups than three, Django has to write them.
        self.in_threes = get_format("NUMBER_GROUPING") in (0, 3)

    def count(self, value: float | None) -> str:
        return DASH if value is None else self.grouped(round(value))

    def rate(self, value: float | None) -> str:
        if value is None:
            return DASH
        small = abs(value) < 100_000
        return self._a_second(self.short(value) if small else self.scaled(value, ""))

    def bytes_rate(self, value: float | None) -> str:
        return DASH if value is None else self._a_second(self.scaled(value, "B"))

    def tenths(self, value: float) -> str:
        if not self.in_threes:
            # number_format cuts decimals off: 0.99 would become 0.9.
            return number_format(round(value, 1), 1)
        return f"{value:.1f}".replace(".", self.decimal)

    def grouped(self, value: int) -> str:
        if -1000 < value < 1000:
            return str(value)
        if not self.in_threes:
            return number_format(value, force_grouping=True)
        return f"{value:,}".replace(",", self.thousands)

    def short(self, value: float) -> str:
        """Return one decimal under 10 (when it says something), else a whole number."""
        whole = round(value)
        if abs(value) < 10 and round(value, 1) != whole:
            return self.tenths(value)
        return self.grouped(whole)

    def scaled(self, value: float, unit: str) -> str:
        for size, prefix in _STEPS:
            # 999.96 k would be shown as "1000.0 kB": the next unit takes over before.
            if abs(value) >= size * 0.99995:
                number = value / size
                small = abs(number) < 100
                shown = self.tenths(number) if small else number_format(round(number))
                return f"{shown} {prefix}{unit}"
        return f"{self.short(value)} {unit}".strip()

    def _a_second(self, number: str) -> str:
        before, _number, after = self.per_second
        return f"{before}{number}{after}"


@lru_cache(maxsize=8)
def _style(_language: str | None) -> Style:
    return Style()


def here() -> Style:
    """Return the style of the language that is active."""
    return _style(get_language())


def count(value: float | None) -> str:
    """Return ``1,284``."""
    return here().count(value)


def rate(value: float | None) -> str:
    """Return ``828/s``, ``0.4/s`` or, from 100,000 on, ``1.3 M/s``."""
    return here().rate(value)


def bytes_rate(value: float | None) -> str:
    """Return ``2.6 MB/s``: decimal units, as network people count."""
    return here().bytes_rate(value)


def byte_count(value: float | None) -> str:
    """Return ``2.6 MB``."""
    return DASH if value is None else here().scaled(value, "B")


def duration(value: timedelta | float | None) -> str:
    """Return the two largest units: ``2 min 14 s``, ``3 d 4 h``, ``0.4 s``."""
    if value is None:
        return DASH
    total = value.total_seconds() if isinstance(value, timedelta) else float(value)
    total = max(total, 0.0)
    if total < 10 and total != int(total):
        return _("%(number)s s") % {"number": here().tenths(total)}
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
