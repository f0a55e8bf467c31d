"""Answers what pages ask of a director's connection table, while somebody looks.

One question at a time for each director, in a thread of its own, over the connection
that the director's stream has anyway. A costly answer is followed by a long pause.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import redis

from cluster.lvs import connections
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.remote.shell import RemoteError
from cluster.watch import questions
from cluster.watch.questions import Question
from cluster.watch.stream import DirectorStream, in_background

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
# A question is answered again after a pause: at most a tenth of the time is spent on it.
PAUSE = 3.0
SHARE = 10
_REMEMBERED = 1000


class Lookout:
    """`step` is called by one thread, again and again."""

    def __init__(self, stream_of: Callable[[int], DirectorStream | None]) -> None:
        self._stream_of = stream_of
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._due: dict[Question, float] = {}
        self._next_look = 0.0

    def step(self) -> None:
        """Answer what is due. Raises redis.RedisError."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        # Who waits longest comes first.
        for question in sorted(questions.asked(), key=lambda q: self._due.get(q, 0.0)):
            stream = self._stream_of(question.director)
            if stream is None or self._due.get(question, 0.0) > now:
                continue
            with self._lock:
                if question.director in self._busy:
                    continue
                self._busy.add(question.director)
            in_background(partial(self._answer, question, stream))

    def _answer(self, question: Question, stream: DirectorStream) -> None:
        began = time.monotonic()
        try:
            content = answer(question, stream)
            questions.publish(question, content)
        except redis.RedisError as error:
            log.warning("An answer could not be written down: %s", error)
        finally:
            now = time.monotonic()
            with self._lock:
                if len(self._due) > _REMEMBERED:
                    self._due.clear()
                self._due[question] = now + max(PAUSE, SHARE * (now - began))
                self._busy.discard(question.director)


def answer(question: Question, stream: DirectorStream) -> dict[str, Any]:
    """Ask the director; return what is published: an answer or a trouble."""
    name = stream.host.name
    try:
        output = stream.run(connections.question(question.filter))
    except RemoteError as error:
        return _trouble(_("{said}", said=error))
    if not output.ok or output.truncated:
        said = output.stderr.decode("utf-8", "replace").strip()[:300]
        return _trouble(_("{host} says: {said}", host=name, said=said or "?"))
    try:
        found = connections.parse(output.text)
    except connections.Unreadable as error:
        said = output.stderr.decode("utf-8", "replace").strip()[:300]
        text = _(
            "{host} did not answer as expected: {why}", host=name, why=said or error
        )
        return _trouble(text)
    return {"seconds": round(output.seconds, 2), "found": found.as_json()}


def _trouble(sentence: Sentence) -> dict[str, Any]:
    return {"trouble": sentence.as_json()}
