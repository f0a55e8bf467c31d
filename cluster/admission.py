"""Who may go on listening to a stream: everybody is asked about in two queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from cluster.models import User


class Ticket(NamedTuple):
    """What a stream was opened with."""

    user: int
    session: str


@lru_cache(maxsize=1024)
def _decoded(data: str) -> Mapping[str, Any]:
    return SessionStore().decode(data)


def still_in(tickets: Collection[Ticket]) -> set[Ticket]:
    """Return those whose session is still that person's, and the account open."""
    sessions = SessionStore.get_model_class().objects.filter(
        session_key__in={ticket.session for ticket in tickets},
        expire_date__gt=timezone.now(),
    )
    known = {row.session_key: _decoded(row.session_data) for row in sessions}
    people = User.objects.filter(
        pk__in={ticket.user for ticket in tickets}, is_active=True
    )
    hashes = {user.pk: user.get_session_auth_hash() for user in people}
    return {
        ticket
        for ticket in tickets
        if (session := known.get(ticket.session))
        and session.get(SESSION_KEY) == str(ticket.user)
        and ticket.user in hashes
        and constant_time_compare(
            session.get(HASH_SESSION_KEY, ""), hashes[ticket.user]
        )
    }
