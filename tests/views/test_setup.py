import json
import stat
import time

import pytest
from django.contrib.auth import get_user
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cluster import setup_link, throttle
from cluster.models import AuditEvent, User

PASSWORD = "a long and calm password"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_link_of_others():
    setup_link.path().unlink(missing_ok=True)


@pytest.fixture
def url():
    yield reverse("cluster:setup", args=[setup_link.make()])
    setup_link.path().unlink(missing_ok=True)


def answers(**changes):
    both = {"password1": PASSWORD, "password2": PASSWORD}
    return {"username": "alice"} | both | changes


def test_a_fresh_install_has_no_account():
    assert not User.objects.exists()


def test_it_shows_the_form(client, url):
    response = client.get(url)
    assert response.status_code == 200
    assert 'name="password2"' in response.content.decode()


def test_looking_does_not_use_the_link_up(client, url):
    client.get(url)
    client.head(url)
    assert client.get(url).status_code == 200


def test_the_first_person_is_administrator_and_logged_in(client, url):
    response = client.post(url, answers())
    user = User.objects.get()
    assert response["Location"] == "/"
    assert get_user(client) == user
    assert user.is_superuser
    assert user.may_administer
    assert user.check_password(PASSWORD)
    assert AuditEvent.objects.get().action == "set_up"
    assert AuditEvent.objects.get().actor == "alice"


def test_the_link_works_once(client, url):
    client.post(url, answers())
    response = Client().post(url, answers(username="mallory"))
    assert response.status_code == 404
    assert User.objects.count() == 1


def test_no_link_works_once_somebody_has_an_account(client, url):
    User.objects.create_user("first")
    assert client.get(url).status_code == 404


def test_a_wrong_token_is_refused(client, url):
    response = client.get(reverse("cluster:setup", args=["x" * 43]))
    assert response.status_code == 404
    assert "This link does not work" in response.content.decode()


def test_without_a_link_no_token_works(client):
    assert not setup_link.path().exists()
    assert client.get(reverse("cluster:setup", args=["x"])).status_code == 404


def test_a_link_ends_after_a_day(client, url):
    record = json.loads(setup_link.path().read_text())
    assert record["expires"] - time.time() <= setup_link.LIFETIME
    setup_link.path().write_text(json.dumps(record | {"expires": time.time() - 1}))
    assert client.get(url).status_code == 404


def test_a_new_link_ends_the_old_one(client, url):
    setup_link.make()
    assert client.get(url).status_code == 404


def test_the_file_holds_no_token_and_is_private(url):
    token = url.split("/")[-2]
    assert token not in setup_link.path().read_text()
    assert stat.S_IMODE(setup_link.path().stat().st_mode) == 0o600


def test_guessing_is_slowed_down(client, url, clock):
    for _ in range(throttle.PER_ADDRESS_SETUP.attempts):
        client.get(reverse("cluster:setup", args=["x"]))
    assert client.get(url).status_code == 429


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password1": "short", "password2": "short"}, "at least 12 characters"),
        ({"password1": "qwerty123456", "password2": "qwerty123456"}, "too common"),
        ({"password2": "something else here"}, "didn’t match"),  # noqa: RUF001
        ({"username": ""}, "This field is required"),
    ],
)
def test_a_bad_answer_is_told_and_loses_nothing(client, url, changes, sentence):
    response = client.post(url, answers(**changes))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not User.objects.exists()
    assert client.post(url, answers()).status_code == 302


def test_the_command_prints_a_link_that_works(client, capsys):
    call_command("setup_link", base="http://127.0.0.1:8000")
    link = capsys.readouterr().out.strip()
    assert client.get(link.removeprefix("http://127.0.0.1:8000")).status_code == 200


def test_the_command_makes_no_link_once_there_is_an_account(capsys):
    User.objects.create_user("first")
    setup_link.path().unlink(missing_ok=True)
    call_command("setup_link")
    assert "/login/" in capsys.readouterr().out
    assert not setup_link.path().exists()
