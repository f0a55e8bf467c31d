"""``{% load words %}``: show what the core says in the language of the reader."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext

from cluster.lvs import words
from cluster.lvs.words import Sentence

register = template.Library()


@register.filter
def said(sentence: Sentence | dict[str, Any] | None) -> str:
    """Return a sentence, or the JSON of one, as text; nothing for None."""
    if not sentence:
        return ""
    if not isinstance(sentence, Sentence):
        sentence = words.from_json(sentence)
    return sentence.translated(gettext)
