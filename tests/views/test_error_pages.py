import pytest
from django.test import RequestFactory
from django.views.defaults import permission_denied, server_error

pytestmark = pytest.mark.django_db


def test_an_unknown_page_is_told_in_words(client):
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_an_error_page_needs_no_context():
    response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert b"The dashboard has met an error" in response.content


def test_a_refusal_says_why(admin_client):
    request = admin_client.get("/no/such/page").wsgi_request
    response = permission_denied(request, PermissionError("Operators only."))
    assert b"Operators only." in response.content
