import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.utils.html import escape

from invoices.models import Invoice
from lo_storage.tests.uploads.conftest import full_disk as no_room  # noqa: F401  # a fixture
from lo_storage.uploads import staging
from lo_storage.uploads.models import Upload


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create_user("alice", is_staff=True, is_superuser=True)


@pytest.fixture
def bob(django_user_model):
    return django_user_model.objects.create_user("bob")


@pytest.fixture
def signed_in():
    """Return a browser, as far as a test client is one, in which this user is signed in."""

    def sign_in(user):
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def invoice_of():
    """Save an invoice with a file."""

    def save(owner, content=b"content", name="rent.pdf", **fields):
        fields.setdefault("number", Invoice.objects.next_number(owner, 2026))
        file = content if content is None else ContentFile(content, name=name)
        return Invoice.objects.create(owner=owner, data=file, **fields)

    return save


def multipart(files, **fields):
    """Encode a form as browsers do (HTML, "Multipart form data"), which Django's client does not.

    `files` holds (field, file name, content).
    """
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in fields.items()
    ]
    for field, name, content in files:
        name = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content)
    body = b"".join(b"--limit\r\n" + part + b"\r\n" for part in parts) + b"--limit--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=limit"}


def upload(client, *files, issued="2026-03-02", **fields):
    """Upload (file name, content) pairs through the page."""
    parts = [("files", name, content) for name, content in files]
    return client.post("/upload/", **multipart(parts, issued=issued, **fields))


def replace(client, invoice, name, content, **fields):
    """Send another file, and confirm that it takes the place of the old one."""
    address = f"/{invoice.pk}/replace/"
    answer = client.post(address, **multipart([("data", name, content)], **fields))
    form = answer.context and answer.context.get("form")
    if not form or form.errors or not (new := form.new_file()):
        return answer
    return client.post(address, {"data-staged": new.id, "seen": new.id, **fields})


def stage(user, name, content):
    """Send a file as a script does, and return its id."""
    upload = staging.create("default", user, len(content), name)
    staging.append("default", upload, content)
    staging.seal("default", upload)
    return upload.pk


def again(client, page, **fields):
    """Send the form that came back, with the files that it kept, and what it said."""
    form = page.context["form"]
    ids = [row.file.id for row in form.rows]
    known = {f"{row.file.id}-is_known": "on" for row in form.rows if row.twin}
    return client.post("/upload/", {"files-staged": ids, **known, **fields})


def shows(response, text):
    """Whether the page says this, whatever had to be escaped for it."""
    return escape(text) in response.content.decode()


def large_objects():
    """Count what the database holds, whoever made it, but for uploads that wait for a row."""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_largeobject_metadata")
        return cursor.fetchone()[0] - Upload.objects.count()


def staged():
    """The names of the uploads that wait for a row."""
    return sorted(Upload.objects.values_list("original_name", flat=True))


def content_of(invoice):
    with invoice.data.storage.open(invoice.data.name) as file:
        return file.read()


def downloaded(response):
    return b"".join(response.streaming_content)
