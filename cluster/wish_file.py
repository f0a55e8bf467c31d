"""YAML text <-> the plain document that ``cluster.lvs.wish_file`` reads.

A small part of YAML, without its traps: no anchors and aliases, no tags, no key twice,
and of the plain words only whole numbers, true, false and null are no texts. JSON is
a part of it. Nothing is ever constructed but dicts, lists, texts, numbers and truths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from cluster.lvs.file_reader import Path, shown
from cluster.lvs.wanted import Document
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

MOST_BYTES = 1024 * 1024
DEEPEST = 16
_WORDS: dict[str, bool | None] = {
    "true": True,
    "false": False,
    "null": None,
    "~": None,
    "": None,
}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
# The parser in C is many times faster; not every build of PyYAML has it.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Events: TypeAlias = Iterator[yaml.Event]


class BadText(ValueError):
    """The text is no document; *sentence* says why, *line* where."""

    def __init__(self, sentence: Sentence, line: int | None = None) -> None:
        self.sentence, self.line = sentence, line
        super().__init__(str(sentence))


@dataclass(slots=True)
class Parsed:
    """A document, and the line of each of its places."""

    document: object
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Return the line of a place, or of what it would stand in."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def dump(document: Document) -> str:
    """Return the YAML of a document; the same document gives the same bytes."""
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=2**20,
        indent=2,
    )


class _Dumper(yaml.SafeDumper):
    """Escapes what is no plain character: a line separator in single quotes would
    come back as a space."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def parse(content: bytes) -> Parsed:
    """Return the document with the lines of its places; raises BadText."""
    if len(content) > MOST_BYTES:
        raise BadText(_("The file is larger than 1 MiB."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadText(_("This is not UTF-8 text."), line) from error
    parsed = Parsed(None)
    try:
        _whole(yaml.parse(text, Loader=_PARSER), parsed)
    except yaml.YAMLError as error:
        raise BadText(*_why(error)) from error
    return parsed


def _why(error: yaml.YAMLError) -> tuple[Sentence, int | None]:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        return _("This is no YAML: {reason}.", reason=error.problem), line
    return _("This is no YAML: {reason}.", reason=shown(error)), None


def _whole(events: Events, parsed: Parsed) -> None:
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise BadText(_("One file holds one document."), _line(event))
            parsed.document = _node(next(events), events, (), parsed)
    if not documents:
        raise BadText(_("The file is empty."))


def _node(event: yaml.Event, events: Events, path: Path, parsed: Parsed) -> object:
    parsed.lines.setdefault(path, _line(event))
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        text = _("Anchors (&) and aliases (*) are not taken: write it out.")
        raise BadText(text, _line(event))
    if len(path) > DEEPEST:
        raise BadText(_("This is nested too deeply."), _line(event))
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    _refuse_tag(event)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(events, path, parsed)
    return _mapping(events, path, parsed)


def _sequence(events: Events, path: Path, parsed: Parsed) -> list[object]:
    found: list[object] = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        found.append(_node(event, events, (*path, len(found)), parsed))
    return found


def _mapping(events: Events, path: Path, parsed: Parsed) -> dict[str, object]:
    found: dict[str, object] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        if not isinstance(event, yaml.ScalarEvent):
            raise BadText(_("A key is one word."), _line(event))
        _scalar(event)  # refuses anchors, tags and bad characters
        key = event.value
        if key in found:
            first = parsed.lines[(*path, key)]
            text = _("The key “{key}” stands here twice; the first is in line {line}.",
                     key=shown(key), line=first)  # fmt: skip
            raise BadText(text, _line(event))
        parsed.lines[(*path, key)] = _line(event)
        found[key] = _node(next(events), events, (*path, key), parsed)
    return found


def _scalar(event: yaml.ScalarEvent) -> object:
    if event.anchor:
        text = _("Anchors (&) and aliases (*) are not taken: write it out.")
        raise BadText(text, _line(event))
    _refuse_tag(event)
    value: str = event.value
    if _NO_CHARACTER.search(value):
        raise BadText(_("Half a character (a surrogate) stands here."), _line(event))
    if not event.implicit[0]:
        return value  # in quotes
    if value in _WORDS:
        return _WORDS[value]
    # Longer than any number of ours: stays a text, and is refused as one.
    return int(value) if _NUMBER.fullmatch(value) and len(value) < 16 else value


def _refuse_tag(event: yaml.Event) -> None:
    tag = getattr(event, "tag", None)
    if tag:
        text = _("Tags such as {tag} are not taken.", tag=shown(tag))
        raise BadText(text, _line(event))


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1
