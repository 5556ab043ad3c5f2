from base64 import b64encode

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

# A project that leaves the app out has no use for its tests, either.
collect_ignore_glob = [] if apps.is_installed("lo_storage.uploads") else ["*.py"]

HEADERS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


class TusClient(Client):
    """A client of the protocol, as literal as its text: each call is one request."""

    def tus(self, method, address="/uploads/", data=b"", content_type="", **headers):
        headers = HEADERS | {key.replace("_", "-"): str(value) for key, value in headers.items()}
        return self.generic(method, address, data, content_type, headers=headers)

    def begin(self, length, name="scan.pdf", **headers):
        encoded = b64encode(name.encode()).decode()
        response = self.tus(
            "POST", Upload_Length=length, Upload_Metadata=f"filename {encoded}", **headers
        )
        assert response.status_code == 201, response.content
        return f"/uploads/{response.headers['Location']}"

    def send(self, address, offset, data, **headers):
        return self.tus("PATCH", address, data, PIECE, Upload_Offset=offset, **headers)


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = "lo_storage.tests.uploads.urls"
    settings.LOGIN_URL = "/signing-in/"
    settings.CSRF_FAILURE_VIEW = "lo_storage.tests.uploads.urls.refuse"


@pytest.fixture
def user(transactional_db):
    return get_user_model().objects.create_user("ada")


@pytest.fixture
def stranger(transactional_db):
    return get_user_model().objects.create_user("eve")


@pytest.fixture
def client_of():
    def client_of(user):
        client = TusClient()
        client.force_login(user)
        return client

    return client_of


@pytest.fixture
def tus(user, client_of):
    return client_of(user)


@pytest.fixture
def staged(user):
    """A function that stages some bytes, whole and sealed, and returns the row."""

    def staged(content=b"content", name="scan.pdf", owner=user):
        from lo_storage.uploads import staging

        begun = staging.create("default", owner, len(content), name)
        upload = staging.claim("default", owner, begun.pk)
        if content:
            staging.append("default", upload, content)
        assert staging.seal("default", upload)
        return upload

    return staged


@pytest.fixture
def full_disk(transactional_db):
    """The disk of the database is full."""
    with connection.cursor() as cursor:
        cursor.execute("""
            create function no_room() returns trigger language plpgsql as $$
            begin
                raise disk_full;
            end $$;
            create trigger no_room before update on lo_storage_uploads_upload
                for each row execute function no_room();
        """)
    yield
    with connection.cursor() as cursor:
        cursor.execute("drop trigger no_room on lo_storage_uploads_upload; drop function no_room")
