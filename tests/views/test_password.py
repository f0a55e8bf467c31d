import pytest
from django.contrib.auth import get_user
from django.test import Client

from cluster.models import AuditEvent, User

URL = "/password/"
OLD = "a long and calm password"
NEW = "an even longer, calmer password"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    user = User.objects.create_user("alice.wonder", password=OLD)
    client.force_login(user)
    return user


def answers(**changes):
    new = {"new_password1": NEW, "new_password2": NEW}
    return {"old_password": OLD} | new | changes


def test_it_shows_the_form(client, alice):
    html = client.get(URL).content.decode()
    assert 'autocomplete="current-password"' in html
    assert "<title>" in html


def test_it_changes_the_password(client, alice):
    assert client.post(URL, answers()).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert AuditEvent.objects.get().action == "password"


def test_this_session_goes_on_and_the_others_end(client, alice):
    other = Client()
    other.force_login(alice)
    client.post(URL, answers())
    assert get_user(client) == alice
    assert not get_user(other).is_authenticated


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"old_password": "wrong"}, "entered incorrectly"),
        ({"new_password1": "short", "new_password2": "short"}, "at least 12"),
        (
            {"new_password1": "alice.wonder1", "new_password2": "alice.wonder1"},
            "too similar",
        ),
    ],
)
def test_it_says_what_is_wrong(client, alice, changes, sentence):
    response = client.post(URL, answers(**changes))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(OLD)


def test_no_password_reaches_the_audit_log(client, alice):
    client.post(URL, answers())
    event = AuditEvent.objects.get()
    assert NEW not in event.text
    assert OLD not in event.text
