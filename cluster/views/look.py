"""How somebody looks at a live page: kept in the address, so it can be sent to others.

Everybody with the same look of the same cluster in the same language gets the same
fragment, rendered once a tick.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

ALL = "all"
SPANS = (300, 900, 3600)
# Longer ones are nobody's doing but a script's: they would only fill the memory.
_LONGEST = 64
_MOST_OPEN = 20


@dataclass(frozen=True, slots=True)
class Look:
    """*opened* are the services whose real servers are shown in a long table, *picture*
    the one that is drawn alone, *span* the seconds of the graph."""

    totals: bool = False
    opened: tuple[str, ...] = ()
    picture: str = ""
    span: int = SPANS[0]
    row: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Look:
        opened = {key for key in query.getlist("open") if len(key) <= _LONGEST}
        span = query.get("span", "")
        return cls(
            totals=query.get("numbers") == "totals",
            opened=(ALL,) if ALL in opened else tuple(sorted(opened)[:_MOST_OPEN]),
            picture=query.get("picture", "")[:_LONGEST],
            span=int(span) if span in map(str, SPANS) else SPANS[0],
            row=query.get("row", "")[: 2 * _LONGEST],
        )

    @property
    def for_fragment(self) -> Look:
        """Return the part that changes the fragment; the graph is drawn elsewhere."""
        return replace(self, span=SPANS[0], row="")

    @property
    def query(self) -> str:
        """Return ``?numbers=totals&open=...``, or ``""`` for the plain look."""
        pairs = [("numbers", "totals")] if self.totals else []
        pairs += [("open", key) for key in self.opened]
        pairs += [("picture", self.picture)] if self.picture else []
        pairs += [("span", str(self.span))] if self.span != SPANS[0] else []
        pairs += [("row", self.row)] if self.row else []
        return f"?{urlencode(pairs)}" if pairs else ""

    def shows(self, key: str) -> bool:
        return ALL in self.opened or key in self.opened

    def opening(self, key: str) -> Look:
        return replace(self, opened=tuple(sorted({*self.opened, key})))

    def closing(self, key: str) -> Look:
        return replace(self, opened=tuple(k for k in self.opened if k != key))

    def drawing(self, key: str) -> Look:
        """Return the look with this service alone in the picture, ``""`` for all."""
        return replace(self, picture=key)
