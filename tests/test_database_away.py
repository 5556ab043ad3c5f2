"""The database's port is closed: each page says so, and all is well again once it is open."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from .doors import Door
from .serving import database, gunicorn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def door():
    with Door() as door:
        yield door


@pytest.fixture(params=["0", "60"])
def server(request, door, tmp_path):
    address = urlsplit(database()["DATABASE_URL"])
    login = address.netloc.rpartition("@")[0]
    name = connection.settings_dict["NAME"]
    through_the_door = {
        "DATABASE_URL": f"postgres://{login}@127.0.0.1:{door.port}/{name}",
        "CONN_MAX_AGE": request.param,
    }
    with gunicorn(tmp_path, **through_the_door) as (_, address, _):
        yield urlsplit(address)


@pytest.fixture
def cookie(server):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return f"sessionid={client.cookies[site.SESSION_COOKIE_NAME].value}; csrftoken={32 * 'a'}"


@pytest.fixture
def ask(server, cookie):
    def ask(method, target, body=None):
        client = HTTPConnection(server.hostname, server.port, timeout=60)
        headers = {"Cookie": cookie, "Connection": "close"}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        client.request(method, target, body, headers)
        with client.getresponse() as answer:
            return answer.status, answer.read().decode()

    return ask


TOKEN = f"csrfmiddlewaretoken={32 * 'a'}"
REQUESTS = {
    ("GET", "/"): 200,
    ("GET", "/accounts/login/"): 302,
    ("POST", "/accounts/login/", f"{TOKEN}&username=root&password=wrong"): 302,
    ("GET", "/admin/"): 200,
    ("GET", "/admin/auth/group/"): 200,
    ("POST", "/admin/auth/group/add/", f"{TOKEN}&name="): 200,
    ("GET", "/healthz/"): 200,
    ("GET", "/nothing/"): 404,
    ("POST", "/nothing/", TOKEN): 404,
}


def test_each_page_says_that_the_database_is_away_and_is_there_again_with_it(ask, door):
    assert {request: ask(*request)[0] for request in REQUESTS} == REQUESTS
    for _ in range(2):
        door.close()
        for request in REQUESTS:
            status, page = ask(*request)
            assert (status, "The database does not answer" in page) == (503, True), request
        door.open()
        assert {request: ask(*request)[0] for request in REQUESTS} == REQUESTS
