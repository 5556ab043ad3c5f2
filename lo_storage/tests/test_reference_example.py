"""pg-lo-storage's documented example, with nothing but its import changed."""

import pytest
from django.core.files.base import ContentFile
from django.db import connection, models, transaction
from django.db.models.signals import post_delete, post_init, post_save
from django.http import HttpRequest
from django.test import RequestFactory

from lo_storage.storage import DbFileIO, DbFileStorage, db_file_storage, db_for_read, db_for_write
from lo_storage.views import db_serve


class Invoice(models.Model):
    data = models.FileField(storage=DbFileStorage("/invoice"), null=True, blank=True)

    class Meta:
        app_label = "lo_storage_tests"

    def __str__(self):
        return self.data.name


def user_file_initialized(sender, instance, **kwargs):
    instance._lo_prev_state = {"data": instance.data.name if instance.data else None}


def user_file_saved(sender, instance, created, **kwargs):
    if not created and hasattr(instance, "_lo_prev_state"):
        state = instance._lo_prev_state
        if state.get("data"):
            instance.data.storage.delete(state["data"])


def user_file_deleted(sender, instance, **kwargs):
    if instance.data:
        instance.data.storage.delete(instance.data.name)


@pytest.fixture
def invoices(transactional_db):
    receivers = {
        post_init: user_file_initialized,
        post_save: user_file_saved,
        post_delete: user_file_deleted,
    }
    with connection.schema_editor() as editor:
        editor.create_model(Invoice)
    for signal, receiver in receivers.items():
        signal.connect(receiver, sender=Invoice)
    yield Invoice
    for signal, receiver in receivers.items():
        signal.disconnect(receiver, sender=Invoice)
    with connection.schema_editor() as editor:
        editor.delete_model(Invoice)


@transaction.atomic
def write(loid: int, data: bytes, pos: int) -> int:
    with DbFileIO(loid, "wb") as file:
        file.seek(pos)
        file.write(data)
        return file.loid


def serve(request: HttpRequest, filename: str):
    assert Invoice.objects.filter(data=filename).exists()
    return db_serve(request, filename)


def test_the_example(invoices, large_objects):
    invoice = invoices.objects.create(data=ContentFile(b"march", "march.pdf"))
    assert invoice.data.url == f"/invoice/{invoice.data.name}"
    assert b"".join(serve(RequestFactory().get("/"), invoice.data.name)) == b"march"

    loid = int(invoice.data.name.removesuffix(".pdf"))
    assert write(loid, b"M", 0) == loid
    with invoices.objects.get().data as file:
        assert file.read() == b"March"

    invoice = invoices.objects.get()
    invoice.data = ContentFile(b"april", "april.pdf")
    invoice.save()
    assert len(large_objects()) == 1
    with invoices.objects.get().data as file:
        assert file.read() == b"april"

    invoices.objects.get().delete()
    assert large_objects() == set()


def test_the_settings(settings):
    assert (db_for_read(), db_for_write()) == ("default", "default")
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    settings.PG_LO_STORAGE_DB_FOR_WRITE = "primary"
    assert (db_for_read(), db_for_write()) == ("replica", "primary")
    assert (db_for_read("other"), db_for_write("other")) == ("other", "other")
    assert db_file_storage.is_valid_name("16418.pdf")
