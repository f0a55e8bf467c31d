"""Template names for icons, states and numbers; the rules are in plain modules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cluster import numbers
from cluster.lvs.command import Command
from cluster.sparkline import Sparkline
from cluster.sparkline import sparkline as draw
from cluster.states import state_of

register = template.Library()
MOST_LINES = 40  # of the input of a command on a page

for function in (
    numbers.count,
    numbers.rate,
    numbers.bytes_rate,
    numbers.byte_count,
    numbers.duration,
    numbers.since,
):
    register.filter(function.__name__, function)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of the sprite; it is decoration, the word stands beside it."""
    return _icon(name, css)


# A live table draws the same few icons and states hundreds of times a tick.
@lru_cache(maxsize=512)
def _icon(name: str, css: str) -> SafeString:
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        f"icon {css}".strip(),
        static("icons.svg"),
        name,
    )


@register.simple_tag
def state(value: object, count: str = "", css: str = "") -> SafeString:
    """Draw a state as shape + word + colour; ``count`` is text such as ``3/4``."""
    shown = state_of(value)
    css = f"state tone-{shown.tone} {css}".strip()
    return _state(css, str(shown.meaning), shown.icon, str(shown.word), count)


@lru_cache(maxsize=512)
def _state(css: str, meaning: str, icon_name: str, word: str, count: str) -> SafeString:
    return format_html(
        '<span class="{}" title="{}">{}{}{}</span>',
        css,
        meaning,
        _icon(icon_name, ""),
        word,
        f" {count}" if count else "",
    )


@register.filter
def tone(value: object) -> str:
    """Return the tone of a state (``up``, ``bad`` ...) for a class name."""
    return state_of(value).tone


@register.filter
def state_icon(value: object) -> str:
    """Return the icon name of a state, where there is no room for the word."""
    return state_of(value).icon


@register.filter
def state_word(value: object) -> str:
    return str(state_of(value).word)


@register.filter
def as_shell(command: Command) -> str:
    """Return the exact command as a person would type it, input included."""
    if not command.stdin:
        return command.line
    text = command.stdin.decode("utf-8", "replace").rstrip("\n")
    return f"{command.line} <<'END'\n{text}\nEND"


@dataclass(frozen=True, slots=True)
class Clipped:
    """The beginning of a command; *left* lines of its input are not in *text*."""

    text: str
    lines: int
    left: int


@register.filter
def clipped(command: Command) -> Clipped:
    """Return what a page shows of a command, at most its first rules."""
    lines = command.stdin.decode("utf-8", "replace").splitlines(keepends=True)
    left = len(lines) - MOST_LINES
    # A few more than that are not worth a click.
    if left <= MOST_LINES // 4:
        return Clipped(as_shell(command), len(lines), 0)
    head = replace(command, stdin="".join(lines[:MOST_LINES]).encode())
    return Clipped(as_shell(head).removesuffix("\nEND"), len(lines), left)


@register.inclusion_tag("parts/sparkline.html")
def sparkline(
    values: Sequence[float], width: int = 92, height: int = 22
) -> dict[str, Sparkline]:
    return {"spark": draw(values or (), width, height)}


@register.inclusion_tag("parts/weight.html")
def weight(value: int | None, largest: int = 0) -> dict[str, Any]:
    """Draw a weight with its share of the largest weight of the service."""
    top = max(largest, value or 0, 1)
    return {"weight": value, "share": round(100 * (value or 0) / top)}
