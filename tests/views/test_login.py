import pytest
from django.contrib.auth import get_user
from django.urls import reverse

from cluster import throttle
from cluster.models import AuditEvent, User

URL = "/login/"
PASSWORD = "a long and calm password"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return User.objects.create_user("alice", password=PASSWORD)


def attempt(client, name="alice", password=PASSWORD, **more):
    return client.post(URL, {"username": name, "password": password} | more)


def test_it_shows_a_form_and_no_version(client, alice):
    html = client.get(URL).content.decode()
    assert 'name="password"' in html
    assert "5.2" not in html
    assert "Nobody has an account" not in html


def test_it_says_when_there_is_no_account_yet(client):
    assert "setup_link" in client.get(URL).content.decode()


def test_it_lets_the_right_person_in(client, alice):
    response = attempt(client)
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert get_user(client) == alice
    assert AuditEvent.objects.first().action == "signed_in"
    assert AuditEvent.objects.first().actor == "alice"


def test_the_session_key_changes(client, alice):
    client.get(URL)
    session = client.session
    session["before"] = "fixed by an attacker"
    session.save()
    before = session.session_key
    client.cookies["piranha"] = before
    attempt(client)
    assert client.session.session_key != before


def test_it_refuses_a_wrong_password(client, alice):
    response = attempt(client, password="wrong")
    assert response.status_code == 422
    assert "The name or the password is wrong." in response.content.decode()
    assert not get_user(client).is_authenticated


def test_the_words_are_the_same_for_an_unknown_name(client, alice):
    known = attempt(client, password="wrong").content.decode()
    unknown = attempt(client, "mallory").content.decode()
    sentence = "The name or the password is wrong."
    assert known.count(sentence) == unknown.count(sentence) == 1


def test_an_account_that_was_closed_stays_out(client, alice):
    User.objects.update(is_active=False)
    assert attempt(client).status_code == 422


def test_a_refusal_is_in_the_audit_log(client, alice):
    attempt(client, password="wrong")
    assert AuditEvent.objects.get().action == "sign_in_refused"
    assert AuditEvent.objects.get().object == "alice"


def test_a_password_typed_as_name_is_not_in_the_audit_log(client, alice):
    attempt(client, name="my secret password")
    event = AuditEvent.objects.get()
    assert "secret" not in event.text + event.object + event.actor


def test_after_five_failures_even_the_right_password_waits(client, alice, clock):
    for _ in range(throttle.PER_ACCOUNT.attempts):
        attempt(client, password="wrong")
    response = attempt(client)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= throttle.WINDOW + 1
    assert "Too many attempts. Wait" in response.content.decode()
    assert not get_user(client).is_authenticated


def test_the_right_password_is_let_in_when_the_wait_is_over(client, alice, clock):
    for _ in range(throttle.PER_ACCOUNT.attempts):
        attempt(client, password="wrong")
    clock.now += int(attempt(client)["Retry-After"])
    assert attempt(client).status_code == 302


def test_the_case_of_the_name_does_not_open_a_new_count(client, alice, clock):
    for name in ("alice", "ALICE", "Alice", "aLICE", "alicE"):
        attempt(client, name, password="wrong")
    assert attempt(client).status_code == 429


def test_one_address_cannot_try_many_accounts(client, alice, clock):
    for number in range(throttle.PER_ADDRESS.attempts):
        attempt(client, f"user{number}")
    assert attempt(client).status_code == 429


def test_another_address_is_not_punished(client, alice, clock):
    for number in range(throttle.PER_ADDRESS.attempts):
        attempt(client, f"user{number}")
    response = client.post(
        URL, {"username": "alice", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7"
    )
    assert response.status_code == 302


def test_a_success_forgets_the_failures_of_the_account(client, alice, clock):
    for _ in range(throttle.PER_ACCOUNT.attempts - 1):
        attempt(client, password="wrong")
    attempt(client)
    client.logout()
    attempt(client, password="wrong")
    assert attempt(client).status_code == 302


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/hosts/?q=1", "/hosts/?q=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_next_never_leaves_the_site(client, alice, wanted, reached):
    assert attempt(client, next=wanted)["Location"] == reached


def test_a_person_who_is_in_goes_on(client, alice):
    client.force_login(alice)
    assert client.get(URL, {"next": "/hosts/"})["Location"] == "/hosts/"


def test_it_needs_a_csrf_token(alice):
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post(reverse("cluster:login"))
    assert response.status_code == 403
    assert "This form is no longer valid" in response.content.decode()


def test_it_rejects_other_methods(client):
    assert client.put(URL).status_code == 405
