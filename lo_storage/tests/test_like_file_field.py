"""Django's `FileField` and `ImageField` are the judge: each test holds for them and for ours."""

import copy
import pickle

import pytest
from django.conf import global_settings
from django.contrib import admin
from django.core.exceptions import FieldError, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, transaction
from django.forms import modelform_factory
from django.urls import path

from .models import Picture, PictureOnDisk

pytestmark = pytest.mark.django_db

site = admin.AdminSite("pictures")
site.register([Picture, PictureOnDisk])
urlpatterns = [path("admin/", site.urls)]


def gif(width, height):
    """The smallest picture of that size."""
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0" + size + b"\0\2\2D\1\0;"


def file(data=b"march", name="march.txt"):
    return ContentFile(data, name)


def upload(data=b"march", name="march.txt"):
    return SimpleUploadedFile(name, data)


# Ours in autocommit: each change of a file has to be a transaction by itself.
autocommit = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[PictureOnDisk, pytest.param(Picture, marks=autocommit)])
def model(request, db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.MEDIA_URL = "/media/"
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "lo_storage.tests"]
    with connection.schema_editor() as editor:
        editor.create_model(request.param)
    yield request.param
    with connection.schema_editor() as editor:
        editor.delete_model(request.param)


@pytest.fixture
def row(model):
    return model.objects.create(data=file())


def content(row):
    with type(row).objects.get(pk=row.pk).data.open() as file:
        return file.read()


def test_a_file_of_a_row(row):
    again = type(row).objects.get()
    assert (again.data, bool(again.data), again.data.closed) == (row.data, True, True)
    assert again.data == row.data.name == str(again.data)
    assert hash(again.data) == hash(row.data)
    assert again.data.name.endswith(".txt")
    assert again.data.url == f"/media/{again.data.name}"
    assert (again.data.size, len(again.data)) == (5, 5)
    assert again.data.read() == b"march"
    assert not again.data.closed
    again.data.close()
    with again.data.open() as opened:
        assert opened is again.data
        assert list(opened.chunks(2)) == [b"ma", b"rc", b"h"]
        assert list(opened) == [b"march"]
    assert again.data.closed


def test_no_file(model):
    row = model.objects.create()
    row.refresh_from_db()
    assert not row.data
    assert not row.data.name
    for use in ("file", "size", "url", "path"):
        with pytest.raises(ValueError, match="'data' attribute has no file associated with it"):
            getattr(row.data, use)
    with pytest.raises(ValueError, match="has no file"):
        row.data.open()
    row.data.close()
    row.data.delete()
    assert (bool(row.image), row.width, row.height) == (False, None, None)


def test_a_file_that_has_no_name(model):
    with pytest.raises(FieldError, match="must have the name attribute"), transaction.atomic():
        model.objects.create(data=ContentFile(b"x"))


def test_a_name_that_leads_elsewhere(model):
    with pytest.raises(SuspiciousFileOperation), transaction.atomic():
        model.objects.create(data=file(name="../march.txt"))
    assert not model.objects.exists()


def test_a_file_is_patched_and_written_anew(row):
    with transaction.atomic():
        with row.data.open("r+b") as opened:
            opened.write(b"M")
        assert content(row) == b"March"
        with row.data.open("ab") as opened:
            opened.write(b"!")
        assert content(row) == b"March!"
        with row.data.open("wb") as opened:
            opened.write(b"new")
    assert content(row) == b"new"
    assert row.data.size == 3


def test_saving_by_the_field(row):
    row.data.save("april.txt", file(b"april"), save=False)
    with row.data as opened:
        assert opened.read() == b"april"
    assert content(row) == b"march"
    row.save()
    assert content(row) == b"april"
    row.data.close()
    row.data.save("may.txt", file(b"may"))
    assert content(row) == b"may"


def test_deleting_by_the_field(row):
    name = row.data.name
    storage = row.data.storage
    with transaction.atomic():
        row.data.delete(save=False)
        assert not row.data
        assert type(row).objects.get().data == name
        row.save()
    assert not type(row).objects.get().data
    assert not storage.exists(name)


def test_a_file_whose_instance_is_no_model(row):
    """django-cleanup gives one to each file that it deletes."""

    class Instance:
        pass

    with transaction.atomic():
        found, storage = row.data, row.data.storage
        type(row).objects.update(data=None)
        found.instance = Instance()
        found.save("april.txt", file(b"april"), save=False)
        name = found.name
        found.delete(save=False)
    assert not storage.exists(name)


def test_deleting_an_open_file_by_the_field(row):
    opened = row.data.open().file
    row.data.delete()
    assert opened.closed
    assert not type(row).objects.get().data


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda row: pickle.loads(pickle.dumps(row))]
)
def test_a_row_is_copied(row, clone):
    row.data.open()
    other = clone(row)
    assert (other, other.data) == (row, row.data)
    row.data.close()
    with other.data.open() as opened:
        assert opened.read() == b"march"
    other.title = "copy"
    other.save()
    assert (type(row).objects.get().title, content(row)) == ("copy", b"march")


def test_deferred(row):
    deferred = type(row).objects.defer("data").get()
    assert deferred.get_deferred_fields() == {"data"}
    deferred.title = "deferred"
    deferred.save()
    assert deferred.get_deferred_fields() == {"data"}
    with deferred.data.open() as opened:
        assert opened.read() == b"march"
    only = type(row).objects.only("title").get()
    only.data = file(b"april", "april.txt")
    only.save(update_fields=["data"])
    assert content(row) == b"april"
    assert list(type(row).objects.values_list("data", flat=True)) == [only.data.name]


def test_refreshing(row):
    type(row).objects.get().data.save("april.txt", file(b"april"))
    row.data = file(b"never", "never.txt")
    row.refresh_from_db()
    with row.data as opened:
        assert opened.read() == b"april"
    row.data.close()


def test_in_bulk(model):
    rows = model.objects.bulk_create(model(data=file(b"%d" % i)) for i in range(3))
    assert [content(row) for row in rows] == [b"0", b"1", b"2"]
    assert model.objects.update(data=None) == 3
    assert not model.objects.exclude(data=None).exists()


def test_get_or_create_and_update_or_create(model):
    row, created = model.objects.get_or_create(title="a", defaults={"data": file()})
    assert (created, content(row)) == (True, b"march")
    row, created = model.objects.update_or_create(title="a", defaults={"data": file(b"april")})
    assert (created, content(row)) == (False, b"april")


def test_two_rows_may_name_one_file(row):
    other = type(row).objects.create(data=row.data)
    assert other.data == row.data
    assert content(other) == b"march"


# Forms


def test_a_form(model):
    form = modelform_factory(model, fields=["data", "image"])
    new = form({}, {"data": upload(), "image": upload(gif(4, 3), "x.gif")})
    assert new.is_valid(), new.errors
    row = new.save()
    assert (content(row), row.width, row.height) == (b"march", 4, 3)

    kept = form({}, {}, instance=row)
    assert not kept.has_changed()
    assert (kept.is_valid(), content(kept.save())) == (True, b"march")
    assert f'href="{row.data.url}"' in kept.as_p()
    assert 'name="data-clear"' in kept.as_p()

    replaced = form({}, {"data": upload(b"april")}, instance=row)
    assert replaced.has_changed()
    assert (replaced.is_valid(), content(replaced.save())) == (True, b"april")

    both = form({"data-clear": "on"}, {"data": upload()}, instance=row)
    assert both.errors["data"] == [
        "Please either submit a file or check the clear checkbox, not both."
    ]
    row.refresh_from_db()

    cleared = form({"data-clear": "on", "image-clear": "on"}, {}, instance=row)
    assert cleared.is_valid()
    cleared.save()
    row.refresh_from_db()
    assert (bool(row.data), bool(row.image), row.width, row.height) == (False, False, None, None)


@pytest.mark.parametrize(
    ("field", "file", "error"),
    [
        ("data", upload(b""), "The submitted file is empty."),
        ("image", upload(b"GIF89a"), "Upload a valid image."),
        ("image", upload(gif(1, 1), "x.txt"), "File extension “txt” is not allowed."),
    ],
)
def test_a_form_that_is_not_valid(row, field, file, error):
    form = modelform_factory(type(row), fields=[field])({}, {field: file}, instance=row)
    assert error in form.errors[field][0]
    assert content(row) == b"march"


def test_the_admin(model, settings, admin_client):
    settings.ROOT_URLCONF = __name__
    settings.FILE_UPLOAD_HANDLERS = global_settings.FILE_UPLOAD_HANDLERS  # not a site's own
    name = f"/admin/lo_storage_tests/{model._meta.model_name}/"
    added = admin_client.post(f"{name}add/", {"title": "a", "data": upload()})
    assert added.status_code == 302
    row = model.objects.get()
    assert content(row) == b"march"
    change = f"{name}{row.pk}/change/"
    assert f'href="{row.data.url}"' in admin_client.get(change).content.decode()
    admin_client.post(change, {"title": "b", "data": upload(b"april")})
    assert (model.objects.get().title, content(row)) == ("b", b"april")
    admin_client.post(change, {"title": "b", "data-clear": "on"})
    assert not model.objects.get().data
    admin_client.post(f"{name}{row.pk}/delete/", {"post": "yes"})
    assert not model.objects.exists()


# Pictures


def test_the_dimensions_of_a_picture(model, django_assert_num_queries):
    row = model(image=file(gif(20, 10), "x.gif"))
    assert (row.width, row.height) == (20, 10)
    row.save()
    with django_assert_num_queries(1):
        row = model.objects.get()
        assert (row.width, row.height) == (20, 10)
    assert (row.image.width, row.image.height) == (20, 10)
    row.image = file(gif(7, 5), "x.gif")
    row.save()
    assert model.objects.filter(width=7, height=5).count() == 1
    row.image.save("y.gif", file(gif(6, 4)))
    assert model.objects.filter(width=6, height=4).count() == 1
    row.image.delete()
    assert model.objects.filter(width=None, height=None).count() == 1


def test_what_is_no_picture_has_no_dimensions(model):
    row = model.objects.create(image=file(b"no picture", "x.gif"))
    assert (row.width, row.height) == (None, None)


# Fixtures


def test_a_fixture_of_a_row_whose_file_is_there(row, tmp_path):
    fixture = tmp_path / "rows.json"
    call_command("dumpdata", row._meta.label, output=fixture)
    type(row).objects.update(title="changed")
    call_command("loaddata", fixture, verbosity=0)
    assert (type(row).objects.get().title, content(row)) == ("", b"march")
