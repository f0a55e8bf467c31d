"""Questions to a director that are asked while somebody looks, and their answers.

A page asks by an entry with an end; the worker that has the director's connection
answers again and again until nobody asks any more. Nothing here opens a connection.

watch:asked    a sorted set: question as JSON, by the time until which it is asked
answer:<hash>  the newest answer as JSON, gone after a minute
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, cast

from cluster.lvs.connections import Filter
from cluster.watch import store

# A page asks every 2 s: when three in a row are lost, nobody looks any more.
LEASE = 8.0
ANSWER_SECONDS = 60
# So many different questions are open at once, all in all.
MOST = 32
_ASKED = "watch:asked"


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries of the connection table of this director are wanted."""

    director: int
    filter: Filter

    @property
    def text(self) -> str:
        data = {"director": self.director, "filter": self.filter.as_json()}
        return json.dumps(data, sort_keys=True)

    @classmethod
    def read(cls, text: str | bytes) -> Question:
        """Read it again; raises ValueError."""
        data = json.loads(text)
        return cls(int(data["director"]), Filter.from_json(data["filter"]))

    @property
    def key(self) -> str:
        return f"answer:{hashlib.sha256(self.text.encode()).hexdigest()[:32]}"


def ask(question: Question) -> bool:
    """Say that somebody looks; False when too many others do. Raises RedisError."""
    now, text = time.time(), question.text
    pipeline = store.client().pipeline()
    pipeline.zremrangebyscore(_ASKED, "-inf", now)
    pipeline.zscore(_ASKED, text)
    pipeline.zcard(_ASKED)
    _gone, known, others = pipeline.execute()
    if known is None and others >= MOST:
        return False
    store.client().zadd(_ASKED, {text: now + LEASE})
    return True


def answer(question: Question) -> dict[str, Any] | None:
    """Return the newest answer, None before the first. Raises RedisError."""
    found = cast("bytes | None", store.client().get(question.key))
    return json.loads(found) if found else None


def asked() -> list[Question]:
    """Return what is asked now. Raises RedisError."""
    client = store.client()
    found = cast("list[bytes]", client.zrangebyscore(_ASKED, time.time(), "+inf"))
    questions = []
    for text in found:
        try:
            questions.append(Question.read(text))
        except (ValueError, KeyError):  # of another version of ours
            client.zrem(_ASKED, text)
    return questions


def publish(question: Question, content: dict[str, Any]) -> None:
    """Write an answer down with the time. Raises RedisError."""
    text = json.dumps({"at": time.time(), **content}, separators=(",", ":"))
    store.client().set(question.key, text, ex=ANSWER_SECONDS)
