"""Read words out of a document of dicts and lists, and remember what is odd where.

Single words are judged by ``validate``, as in the form. Nothing here stops at the
first problem: a person wants to see all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeAlias, TypeVar

from cluster.lvs.table import IPAddress
from cluster.lvs.validate import Wrong, read_address, read_local, read_number
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

Path: TypeAlias = tuple[str | int, ...]
Word = TypeVar("Word", bound=Enum)
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of the document."""

    path: Path
    sentence: Sentence

    @property
    def where(self) -> str:
        return spelled(self.path)

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}" if self.path else str(self.sentence)


def spelled(path: Path) -> str:
    """Return ``services[0].real_servers[1].weight``."""
    words = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(words).removeprefix(".")


@dataclass(slots=True)
class Reader:
    """Takes a document apart; what cannot be read is None and stands in *problems*."""

    problems: list[Problem] = field(default_factory=list)

    def refuse(self, path: Path, sentence: Sentence) -> None:
        self.problems.append(Problem(path, sentence))

    def refuse_word(
        self, path: Path, word: str, possible: Sequence[str], sentence: Sentence
    ) -> None:
        """Refuse a word, and name the one that may have been meant, or all of them."""
        longer = [one for one in possible if one.startswith(f"{word.lower()}_")]
        near = longer or get_close_matches(word.lower(), possible, n=1)
        if near:
            hint = _("Did you mean “{word}”?", word=near[0])
        elif possible:
            hint = _("Possible are: {words}.", words=listed(list(possible)))
        else:
            self.refuse(path, sentence)
            return
        self.refuse(path, _("{what} {hint}", what=sentence, hint=hint))

    # -- containers --

    def mapping(
        self,
        data: object,
        path: Path,
        keys: Sequence[str],
        needed: Sequence[str],
        what: Sentence,
    ) -> dict[str, Any]:
        """Return the keys that are known; complain about others and missing ones."""
        if not isinstance(data, dict):
            text = _("Write keys and values here: {keys}.", keys=listed(list(keys)))
            self.refuse(path, text)
            return {}
        for key in data:
            if key not in keys:
                text = _("“{key}” is no key of {what}.", key=shown(key), what=what)
                self.refuse_word((*path, str(key)), str(key), keys, text)
        for key in needed:
            if key not in data:
                text = _("The key “{key}” is missing.", key=key)
                self.refuse(path, text)
        return {key: data[key] for key in keys if key in data}

    def items(
        self, row: dict[str, Any], path: Path, key: str, most: int
    ) -> list[object]:
        data = row.get(key, [])
        if not isinstance(data, list):
            self.refuse((*path, key), _("Write a list here; [] is an empty one."))
            return []
        if len(data) > most:
            text = _("{count} are too many: at most {most} are possible.",
                     count=len(data), most=most)  # fmt: skip
            self.refuse((*path, key), text)
            return []
        return data

    # -- words --

    def text(self, row: dict[str, Any], path: Path, key: str) -> str:
        """Return a string that is not empty, or "" with a complaint if it is there."""
        value = row.get(key)
        if isinstance(value, str) and value:
            return value
        if key in row:
            self.refuse((*path, key), _not_text(value))
        return ""

    def name(self, row: dict[str, Any], path: Path, key: str, longest: int) -> str:
        """Return a free text; it may be empty."""
        value = row.get(key, "")
        why = None
        if not isinstance(value, str):
            why = _not_text(value)
        elif len(value) > longest:
            why = _("{count} letters are too many: at most {most} are possible.",
                    count=len(value), most=longest)  # fmt: skip
        elif "\0" in value:
            why = _("A null character is not possible in a text.")
        if why:
            self.refuse((*path, key), why)
            return ""
        return str(value)

    def switch(
        self, row: dict[str, Any], path: Path, key: str, *, default: bool
    ) -> bool:
        value = row.get(key, default)
        if not isinstance(value, bool):
            self.refuse((*path, key), _("Write true or false."))
            return default
        return value

    def number(
        self,
        row: dict[str, Any],
        path: Path,
        key: str,
        limits: tuple[int, int],
        default: int | None = None,
    ) -> int | None:
        """Return a number within *limits*, *default* when the key is not there."""
        if key not in row:
            return default
        try:
            return _number(row[key], limits)
        except Wrong as wrong:
            self.refuse((*path, key), wrong.sentence)
            return None

    def address(self, row: dict[str, Any], path: Path, key: str) -> IPAddress | None:
        if key not in row:
            return None
        try:
            return _address(row[key])
        except Wrong as wrong:
            self.refuse((*path, key), wrong.sentence)
            return None

    def word(
        self, row: dict[str, Any], path: Path, key: str, possible: Sequence[str]
    ) -> str:
        """Return one of the words, or "" when the key is not there or is wrong."""
        value = row.get(key, "")
        if key in row and value not in possible:
            text = _("“{value}” is not possible here.", value=shown(value))
            self.refuse_word((*path, key), str(value), possible, text)
            return ""
        return str(value)

    def local(
        self, row: dict[str, Any], path: Path, key: str
    ) -> tuple[IPAddress, IPAddress] | None:
        text = self.text(row, path, key)
        try:
            return read_local(text) if text else None
        except Wrong as wrong:
            self.refuse((*path, key), wrong.sentence)
            return None

    def choice(
        self,
        row: dict[str, Any],
        path: Path,
        key: str,
        possible: Sequence[Word],
        default: Word,
    ) -> Word:
        """Return one of the words; *default* when the key is not there or is wrong."""
        value = row.get(key, default.value)
        found = next((word for word in possible if word.value == value), None)
        if found is not None and isinstance(value, str):
            return found
        words = [str(word.value) for word in possible]
        text = _("“{value}” is not possible here.", value=shown(value))
        self.refuse_word((*path, key), str(value), words, text)
        return default


def _number(value: object, limits: tuple[int, int]) -> int:
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Wrong(_("Write a whole number from {low} to {high}.", low=low, high=high))
    number = read_number(_flat(value), low, high)
    if isinstance(value, str):
        raise Wrong(_("Write {number} without quotes.", number=number))
    return number


def _address(value: object) -> IPAddress:
    if not isinstance(value, str):
        raise Wrong(_not_text(value))
    address = read_address(value)
    if value != value.strip():
        raise Wrong(_("Write “{text}” without spaces.", text=address))
    return address


def _not_text(value: object) -> Sentence:
    if value is None or value == "":
        return _("Nothing stands here. Write a text, or leave the key out.")
    if isinstance(value, bool | int):
        return _("Write “{value}” in quotes: it is a text.", value=shown(value))
    return _("Write a text here.")


def shown(value: object) -> str:
    """Return what was written, short and in one line."""
    words = {True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        text = "null" if value is None else words[value]
    else:
        text = _flat(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _flat(value: object) -> str:
    """Spell a value in one line; a number too long for any limit of ours, and for
    str(), becomes another one that is too long."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return "9" * 16
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", str(value))
