"""Who may go on listening to a stream, asked about all at once."""

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from cluster.admission import Ticket, still_in
from cluster.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def li():
    return User.objects.create_user("li.wei", password="a long password of li.wei")


def ticket_of(user):
    client = Client()
    client.force_login(user)
    return Ticket(user.pk, client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_sessions_that_go_on(li):
    tickets = {ticket_of(li), ticket_of(User.objects.create_user("zhou.min"))}
    assert still_in(tickets) == tickets


def test_two_questions_whatever_the_number(li, django_assert_num_queries):
    tickets = {ticket_of(User.objects.create_user(f"p{n}")) for n in range(9)}
    with django_assert_num_queries(2):
        assert still_in(tickets) == tickets


def logged_out(ticket, user):
    SessionStore(ticket.session).delete()


def deactivated(ticket, user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def deleted(ticket, user):
    User.objects.filter(pk=user.pk).delete()


def new_password(ticket, user):
    user.set_password("quite another password")
    user.save()


def somebody_else(ticket, user):
    session = SessionStore(ticket.session)
    session["_auth_user_id"] = str(user.pk + 1)
    session.save()


def expired(ticket, user):
    session = SessionStore(ticket.session)
    session.set_expiry(-1)
    session.save()


ENDS = (logged_out, deactivated, deleted, new_password, somebody_else, expired)


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_one_stream_and_no_other(li, end):
    mine, other = ticket_of(li), ticket_of(User.objects.create_user("zhou.min"))
    end(mine, li)
    assert still_in({mine, other}) == {other}


def test_forged_tickets(li):
    assert still_in({Ticket(li.pk, ""), Ticket(li.pk, "x" * 32)}) == set()
    assert still_in(set()) == set()
