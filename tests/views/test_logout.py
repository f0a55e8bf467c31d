import pytest
from django.contrib.auth import get_user

from cluster.models import AuditEvent, User

URL = "/logout/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    user = User.objects.create_user("alice")
    client.force_login(user)
    return user


def test_it_ends_the_session(client, alice):
    cookie = client.cookies["piranha"].value
    assert client.post(URL)["Location"] == "/login/"
    client.cookies["piranha"] = cookie
    assert not get_user(client).is_authenticated


def test_it_is_in_the_audit_log(client, alice):
    client.post(URL)
    assert AuditEvent.objects.get().action == "signed_out"
    assert AuditEvent.objects.get().actor == "alice"


def test_a_link_cannot_log_anybody_out(client, alice):
    assert client.get(URL).status_code == 405
    assert get_user(client) == alice
