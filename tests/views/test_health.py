def test_it_answers_without_a_login_and_a_database(client):
    response = client.get("/health")
    assert response.status_code == 200
    assert response.content == b"ok"
    assert response["Content-Type"] == "text/plain"


def test_it_rejects_post(client):
    assert client.post("/health").status_code == 405
