"""File and row are one transaction, also where the caller has none: all tests are in autocommit."""

import io

import django
import pytest
from django.apps import apps
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, InvalidStorageError, default_storage
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter
from django.db.models.signals import post_save
from django.test.utils import isolate_apps

from lo_storage import catalogue
from lo_storage.fields import DbFileField, DbImageField
from lo_storage.models import LargeObject
from lo_storage.storage import DbFileStorage, db_file_storage

from .models import Document


def new(content=b"march"):
    return ContentFile(content, "march.txt")


def test_a_row_that_is_refused_leaves_no_file(documents, large_objects):
    taken = documents.objects.create(data=new())
    before = large_objects()
    with pytest.raises(IntegrityError):
        documents(pk=taken.pk, data=new()).save(force_insert=True)
    with pytest.raises(IntegrityError):
        documents.objects.create(pk=taken.pk, data=new(), scan=new())
    assert large_objects() == before


def test_a_receiver_that_fails_leaves_neither_row_nor_file(documents, large_objects):
    def fail(**kwargs):
        raise LookupError("later receiver")

    post_save.connect(fail, sender=documents)
    try:
        with pytest.raises(LookupError):
            documents.objects.create(data=new())
    finally:
        post_save.disconnect(fail, sender=documents)
    assert not documents.objects.exists()
    assert large_objects() == set()


def test_a_row_that_is_refused_in_a_transaction_breaks_it_as_django_s_do(documents):
    taken = documents.objects.create()
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            documents(pk=taken.pk, data=new()).save(force_insert=True)
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def test_a_field_s_own_save_and_delete_change_file_and_row(documents, large_objects):
    document = documents.objects.create()
    document.data.save("april.txt", new(b"april"))
    with documents.objects.get().data as file:
        assert file.read() == b"april"
    document.data.save("may.txt", new(b"may"))
    with documents.objects.get().data as file:
        assert file.read() == b"may"
    assert len(large_objects()) == 1
    document.data.delete()
    assert documents.objects.get().data.name is None
    assert large_objects() == set()


def test_a_field_s_own_save_of_a_row_that_is_refused_leaves_no_file(documents, large_objects):
    document = documents(title="x" * 51)
    with pytest.raises(Exception, match="too long for type"):
        document.data.save("march.txt", new())
    assert large_objects() == set()


def test_a_field_s_own_save_that_fails_before_the_database_leaves_the_transaction_usable(documents):
    document = documents.objects.create()
    document.data.field.max_length, length = 5, document.data.field.max_length
    try:
        with transaction.atomic():
            with pytest.raises(SuspiciousFileOperation):
                document.data.save("march.txt", new())
            assert documents.objects.count() == 1
    finally:
        document.data.field.max_length = length


def test_save_base_takes_its_arguments_by_position_as_django_s_does(documents):
    documents(data=new()).save_base(False, False, False, "default", None)
    assert documents.objects.count() == 1


@pytest.mark.parametrize("name", ["12\0.pdf", "12.\ud800", "\0"])
def test_what_can_be_no_name_is_looked_up_without_an_error(documents, name):
    assert not documents.objects.filter(data=name).exists()


def test_a_row_with_its_file_is_one_transaction_and_no_more(documents, round_trips):
    with round_trips:
        document = documents.objects.create(data=new())
    file, row = round_trips
    assert file == catalogue.CREATE
    assert row.startswith("INSERT")
    assert LargeObject.objects.get().name == document.data.name


def test_a_class_is_wrapped_once_for_all_its_fields():
    assert not hasattr(Document.save_base.__wrapped__, "__wrapped__")


@pytest.mark.parametrize("field", [DbFileField, DbImageField])
def test_a_stored_name_s_length_does_not_bound_the_name_of_what_is_uploaded(field):
    assert field().formfield().max_length is None


def test_an_empty_value_is_null_only_where_the_column_allows_it(documents):
    nullable, required = DbFileField(null=True), DbFileField()
    for value in ("", None):
        assert nullable.get_db_prep_save(value, None) is None
    assert required.get_db_prep_save("", None) == ""


def test_a_file_has_no_path(documents):
    with pytest.raises(NotImplementedError, match="doesn't support absolute paths"):
        documents.objects.create(data=new()).data.path  # noqa: B018  # asking raises


def test_a_file_is_read_as_text(documents):
    document = documents.objects.create(data=new("grün\nrot\n".encode()))
    with io.TextIOWrapper(document.data.open(), "utf-8") as text:
        assert list(text) == ["grün\n", "rot\n"]
    assert document.data.closed


def test_a_batch_of_which_one_row_is_refused_leaves_no_file(documents, large_objects):
    taken = documents.objects.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        documents.objects.bulk_create([documents(data=new()), documents(pk=taken.pk, data=new())])
    assert large_objects() == set()


@pytest.mark.parametrize(
    ("batch_size", "left"),
    [
        # Django 6.0 has no transaction around one batch; 5.2 has one around each bulk_create().
        (None, 2 if django.VERSION >= (6, 0) else 0),
        (1, 0),
    ],
)
def test_bulk_create_of_one_statement_in_autocommit_leaves_files(
    documents, large_objects, batch_size, left
):
    taken = documents.objects.create()
    rows = [documents(pk=taken.pk + 1, data=new()), documents(pk=taken.pk, data=new())]
    with pytest.raises(IntegrityError):
        documents.objects.bulk_create(rows, batch_size)
    assert documents.objects.get() == taken
    assert len(large_objects()) == left


def test_a_file_that_nobody_stored_is_refused(documents):
    """`bulk_update()` stores no file, Django's neither: it writes the name that was uploaded."""
    document = documents.objects.create()
    document.data = new()
    with pytest.raises(IntegrityError, match=r"\(data\)=\(march.txt\) is not present"):
        documents.objects.bulk_update([document], ["data"])
    assert not documents.objects.get().data


@pytest.fixture
def fixture(documents, tmp_path, settings):
    """The dump of a row with a file."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "lo_storage.tests"]
    documents.objects.create(data=new())
    path = tmp_path / "documents.json"
    call_command("dumpdata", "lo_storage_tests.document", output=path)
    return path


def test_a_fixture_of_a_row_whose_file_is_gone_is_refused(documents, fixture):
    documents.objects.all().delete()
    with pytest.raises(
        IntegrityError, match=r"(?s)Problem installing fix.*is not present in table"
    ):
        call_command("loaddata", fixture, verbosity=0)
    assert not documents.objects.exists()


def papers():
    return DbFileStorage("/papers")


@pytest.mark.parametrize(
    ("field", "storage"),
    [
        (DbFileField(null=True), None),
        (DbFileField(storage=db_file_storage), None),
        (DbFileField(storage=default_storage), None),
        (DbImageField(width_field="width", height_field="height"), None),
        (
            DbFileField(storage=DbFileStorage(alias="papers")),
            "lo_storage.storage.DbFileStorage(alias='papers')",
        ),
        (DbImageField(storage=DbFileStorage("/papers")), "DbFileStorage('/papers')"),
        (DbFileField(storage=papers), "lo_storage.tests.test_fields.papers"),
    ],
)
def test_a_field_in_a_migration(field, storage):
    """It names its storage, if that is not the library's own, and is the same when read again."""
    field.set_attributes_from_name("data")
    written, imports = MigrationWriter.serialize(field)
    assert (storage in written) if storage else ("storage=" not in written)
    namespace = {}
    exec("\n".join(imports), namespace)
    again = eval(written, namespace)
    again.set_attributes_from_name("data")
    assert MigrationWriter.serialize(again) == (written, imports)


def test_makemigrations_finds_nothing_to_do(settings):
    """Not after the migration that it wrote."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "lo_storage.tests"]
    written = ProjectState()
    questioner = MigrationQuestioner(specified_apps=["lo_storage_tests"])

    def changes():
        autodetector = MigrationAutodetector(written, ProjectState.from_apps(apps), questioner)
        return autodetector.changes(MigrationGraph()).get("lo_storage_tests", [])

    for migration in changes():
        namespace = {}
        exec(MigrationWriter(migration).as_string(), namespace)
        written = namespace["Migration"]("written", "lo_storage_tests").mutate_state(written)
    assert ("lo_storage_tests", "document") in written.models
    assert changes() == []


IN_MEMORY = "django.core.files.storage.InMemoryStorage"


@pytest.mark.parametrize("field", [DbFileField, DbImageField])
def test_a_field_without_a_storage_takes_the_default_one_if_it_is_ours(field, settings):
    data, other = field(), field(storage=DbFileStorage("/papers"))
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "lo_storage.storage.DbFileStorage",
            "OPTIONS": {"base_url": "/files/"},
        }
    }
    assert (data.storage.url("1.txt"), other.storage.url("1.txt")) == (
        "/files/1.txt",
        "/papers/1.txt",
    )
    assert "storage" not in data.deconstruct()[3]
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": IN_MEMORY}}
    assert data.storage is db_file_storage


@pytest.mark.parametrize(
    ("field", "of_django"), [(DbFileField, models.FileField), (DbImageField, models.ImageField)]
)
@pytest.mark.parametrize("arguments", [{}, {"storage": default_storage}])
def test_the_default_storage_is_asked_for_no_sooner_than_by_django_s_fields(
    field, of_django, arguments, settings
):
    """A model may be imported before the module of the default storage can be."""

    def is_asked_for_by(field):
        settings.STORAGES = {"default": {"BACKEND": "no.such.Storage"}}
        try:
            field(**arguments)
        except InvalidStorageError:
            return True
        return False

    assert is_asked_for_by(field) == is_asked_for_by(of_django)
    assert arguments or not is_asked_for_by(field)


@pytest.mark.parametrize(
    ("backend", "objects"), [(IN_MEMORY, 0), ("lo_storage.storage.DbFileStorage", 1)]
)
@isolate_apps("lo_storage")
def test_the_default_storage_may_be_in_memory_while_a_project_is_tested(
    db, settings, large_objects, backend, objects
):
    class Note(models.Model):
        data = DbFileField(storage=default_storage, null=True)

        class Meta:
            app_label = "lo_storage"

        def __str__(self):
            return "note"

    with connection.schema_editor() as editor:
        editor.create_model(Note)
    before = large_objects()
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": backend}}
    note = Note.objects.create(data=new())
    with Note.objects.get().data.open() as file:
        assert file.read() == b"march"
    assert len(large_objects() - before) == objects
    note.data.delete()


def test_a_reference_refuses_a_file_in_memory(documents, monkeypatch):
    monkeypatch.setattr(documents._meta.get_field("data"), "storage", InMemoryStorage())
    with pytest.raises(IntegrityError, match="is not present in table"):
        documents.objects.create(data=new())


def test_the_app_is_not_installed(settings):
    field = DbFileField(null=True)
    field.set_attributes_from_name("data")
    field.model = models.Model
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "lo_storage"]
    messages = [message for message in field.check() if message.id == "lo_storage.E001"]
    assert [message.hint for message in messages] == [
        "Add 'lo_storage' to INSTALLED_APPS and run 'manage.py migrate'."
    ]
