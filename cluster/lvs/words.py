"""Sentences for people that the core can say without knowing a language.

A sentence keeps its message and its values apart, so that it can be stored as JSON
and read later in the language of whoever looks: ``say("Bind {vip}", vip="10.0.1.31")``.
Modules import ``say as _``, which is also what makemessages looks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def gettext_noop(message: str) -> str:
    """Mark a message for translation and return it unchanged."""
    return message


@dataclass(frozen=True, slots=True)
class Sentence:
    """One message with its values; ``str()`` is the English text."""

    msgid: str
    params: tuple[tuple[str, str | int | Sentence], ...] = ()

    def __str__(self) -> str:
        return self.translated(gettext_noop)

    def translated(self, gettext: Callable[[str], str]) -> str:
        """Return the text in the language that *gettext* speaks."""
        values = {
            name: value.translated(gettext) if isinstance(value, Sentence) else value
            for name, value in self.params
        }
        return gettext(self.msgid).format(**values)

    def as_json(self) -> dict[str, Any]:
        """Return ``{"msgid": ..., "params": {...}}``, see :func:`from_json`."""
        return {
            "msgid": self.msgid,
            "params": {
                name: value.as_json() if isinstance(value, Sentence) else value
                for name, value in self.params
            },
        }


def say(msgid: str, **params: str | int | Sentence | object) -> Sentence:
    """Return a sentence; values that are neither int nor sentence are spelled out."""
    return Sentence(
        msgid,
        tuple(
            (name, value if isinstance(value, int | Sentence) else str(value))
            for name, value in params.items()
        ),
    )


def from_json(data: dict[str, Any]) -> Sentence:
    """Return the sentence that :meth:`Sentence.as_json` wrote."""
    return Sentence(
        data["msgid"],
        tuple(
            (name, from_json(value) if isinstance(value, dict) else value)
            for name, value in data["params"].items()
        ),
    )


def listed(words: list[str]) -> str:
    """Join names for a sentence: ``web1, web2``."""
    return ", ".join(words)
