import sys
from importlib import reload

import pytest
from django.apps import apps
from django.core import checks
from django.core.files.storage import FileSystemStorage
from django.db import connections, models
from django.test.utils import isolate_apps
from django.urls import clear_script_prefix, path, set_script_prefix
from django.views.static import serve

import lo_storage
from lo_storage.checks import check_addresses, check_columns, check_references
from lo_storage.constraints import LargeObjectReference
from lo_storage.database_checks import check_databases, check_locks, check_requests
from lo_storage.fields import DbFileField
from lo_storage.storage import DbFileStorage


def test_a_project_that_is_right_has_no_messages():
    assert checks.run_checks(app_configs=[apps.get_app_config("lo_storage")]) == []


def test_a_database_that_does_not_exist(settings):
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    assert check_databases() == [
        checks.Error(
            "PG_LO_STORAGE_DB_FOR_READ names the database 'replica', which is not in DATABASES.",
            hint=f"Use one of: {', '.join(connections)}.",
            id="lo_storage.E002",
        )
    ]


@pytest.fixture
def add_database():
    """A function that adds an alias, by the settings of "default" and others in their place."""
    added = []

    def add(alias, **changed):
        added.append(alias)
        connections.databases[alias] = {**connections.databases["default"], **changed}

    yield add
    for alias in added:
        del connections[alias], connections.databases[alias]


def test_another_engine(settings, add_database):
    add_database("sqlite", ENGINE="django.db.backends.sqlite3", NAME=":memory:", OPTIONS={})
    settings.PG_LO_STORAGE_DB_FOR_WRITE = "sqlite"
    assert [message.id for message in check_databases()] == ["lo_storage.E003"]


@pytest.fixture
def paper(monkeypatch):
    """A function that makes a model, which is then the only one that is installed."""

    def make(field, reference=True):
        references = [LargeObjectReference(field="data", name="paper_data")] if reference else []

        with isolate_apps("lo_storage"):

            class Paper(models.Model):
                data = field

                class Meta:
                    app_label = "lo_storage"
                    constraints = references

                def __str__(self):
                    return "paper"

        monkeypatch.setattr(apps, "get_models", lambda: [Paper])
        return Paper._meta.get_field("data")

    return make


def ids(messages):
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def test_the_alias_of_a_storage_that_does_not_exist(paper):
    paper(DbFileField(storage=DbFileStorage("/papers", alias="files")))
    (message,) = check_databases()
    assert (message.id, message.msg) == (
        "lo_storage.E002",
        "lo_storage.Paper.data names the database 'files', which is not in DATABASES.",
    )


class KeepOut:
    """A router that has the library's tables in no database but "catalogue"."""

    def allow_migrate(self, db, app_label, **hints):
        return db == "catalogue" if app_label == "lo_storage" else None


def test_a_router_that_keeps_the_catalogue_out(paper, settings):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert check_databases() == []
    settings.DATABASE_ROUTERS = [KeepOut()]
    (message,) = check_databases()
    assert (message.id, message.hint) == (
        "lo_storage.E007",
        "Let its allow_migrate() return True for both, and run"
        " 'manage.py migrate --database default'.",
    )


def test_a_database_that_is_only_read_from_needs_no_migration(paper, settings, add_database):
    add_database("replica")
    paper(DbFileField(storage=DbFileStorage("/papers")))
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    settings.PG_LO_STORAGE_DB_FOR_WRITE = "default"
    settings.DATABASE_ROUTERS = [OnlyHere()]
    assert check_databases() == []


class OnlyHere:
    def allow_migrate(self, db, app_label, **hints):
        return db == "default"


@pytest.mark.parametrize(
    ("media_url", "base_url", "expected"),
    [
        ("", None, ["lo_storage.W002"]),
        ("/", None, ["lo_storage.W002"]),
        ("/media/", None, []),
        ("https://files.example.com/", None, []),
        (None, None, []),  # no file has an address
        ("", "/papers", []),
    ],
)
def test_the_address_of_a_file(paper, settings, media_url, base_url, expected):
    settings.MEDIA_URL = media_url
    paper(DbFileField(storage=DbFileStorage(base_url)))
    assert ids(check_columns()) == expected


def test_no_address_says_which_one_it_would_be(paper, settings):
    settings.MEDIA_URL = ""
    field = paper(DbFileField())
    assert check_columns() == [
        checks.Warning(
            "MEDIA_URL is not set, so the url of a file is '/16418.pdf'.",
            hint="Give the field the address of a view that calls db_serve, as in"
            " storage=DbFileStorage('/data'), or set MEDIA_URL.",
            obj=field,
            id="lo_storage.W002",
        )
    ]


def view(request, filename):
    raise NotImplementedError


urlpatterns = [
    path("papers/<str:filename>", view),
    path("slashed/<str:filename>/", view),
    path("media/<path:path>", serve, {"document_root": "/nowhere"}),
]


@pytest.mark.parametrize(
    ("base_url", "what"),
    [
        ("/papers", None),
        ("/slashed", None),
        ("https://files.example.com/", None),
        ("//files.example.com/", None),
        (None, None),  # W002 says it
        ("/scans", "leads to no view."),
        ("/media", "leads to files on disk."),
    ],
)
def test_where_an_address_leads(paper, settings, base_url, what):
    settings.ROOT_URLCONF = __name__
    settings.MEDIA_URL = ""
    field = paper(DbFileField(storage=DbFileStorage(base_url)))
    assert check_addresses() == (
        [
            checks.Warning(
                f"The url of a file, '{base_url}/16418.pdf', {what}",
                hint=f"Have path('{base_url[1:]}/<str:filename>', …) in ROOT_URLCONF, of a view"
                " that calls db_serve.",
                obj=field,
                id="lo_storage.W007",
            )
        ]
        if what
        else []
    )


def test_a_site_below_a_prefix_leads_to_its_addresses(paper, settings):
    settings.ROOT_URLCONF = __name__
    settings.MEDIA_URL = "papers/"
    set_script_prefix("/below/")
    try:
        field = paper(DbFileField())
        assert field.storage.url("1.pdf") == "/below/papers/1.pdf"
        assert check_addresses() == []
    finally:
        clear_script_prefix()


@pytest.mark.parametrize(
    ("max_length", "expected"),
    [(20, ["lo_storage.W003"]), (99, ["lo_storage.W003"]), (100, []), (None, [])],
)
def test_the_room_for_a_name(paper, max_length, expected):
    paper(DbFileField(storage=DbFileStorage("/papers"), max_length=max_length))
    assert ids(check_columns()) == expected


@pytest.mark.parametrize(
    ("field_class", "hint"),
    [
        (DbFileField, "Add a LargeObjectReference to the model's constraints."),
        (
            models.FileField,
            "Make it a DbFileField, with a LargeObjectReference in the model's constraints.",
        ),
    ],
)
def test_a_column_without_a_reference(paper, field_class, hint):
    field = paper(field_class(storage=DbFileStorage("/papers")), reference=False)
    (message,) = check_columns()
    assert (message.id, message.obj, message.hint) == ("lo_storage.W005", field, hint)


def test_a_column_of_another_storage_is_nobody_s_business(paper):
    paper(models.FileField(storage=FileSystemStorage(), max_length=5), reference=False)
    assert check_columns() == []


def test_each_request_a_transaction(paper, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    paper(models.FileField(storage=FileSystemStorage()), reference=False)
    assert check_requests() == []
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert ids(check_requests()) == ["lo_storage.W004"]


@pytest.mark.django_db
def test_more_files_than_locks(paper):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert check_locks(databases=["default"]) == []
    assert check_locks(databases=None) == check_locks(databases=["other"]) == []
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "select current_setting('max_locks_per_transaction')::int"
            " * (current_setting('max_connections')::int"
            "    + current_setting('max_prepared_transactions')::int)"
        )
        (locks,) = cursor.fetchone()
        insert = (
            "insert into lo_storage_largeobject"
            " (loid, name, original_name, size, version, created_at, modified_at)"
            " select i, i, '', 0, 1, now(), now() from generate_series(%s::int, %s::int) as i"
        )
        cursor.execute(insert, [1, locks])
        assert check_locks(databases=["default"]) == []
        cursor.execute(insert, [locks + 1, locks + 1])
    (message,) = check_locks(databases=["default"])
    assert message.id == "lo_storage.W006"
    assert message.msg.endswith(f"one transaction can delete about {locks:,}.")


@pytest.mark.django_db
def test_a_database_that_is_about_to_be_migrated_has_no_locks_to_look_at(paper):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    with connections["default"].cursor() as cursor:
        cursor.execute("alter table lo_storage_largeobject rename to another")
    assert check_locks(databases=["default"]) == []


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (DbFileField(null=True, blank=True), []),
        (DbFileField(), []),
        (DbFileField(blank=True), ["lo_storage.E005"]),
        (models.FileField(null=True), ["lo_storage.E004"]),
        (models.TextField(), ["lo_storage.E004"]),
        (DbFileField(storage=FileSystemStorage()), ["lo_storage.E008"]),
    ],
)
def test_the_field_of_a_reference(field, expected, paper):
    paper(field)
    assert ids(check_references()) == expected


def test_a_reference_to_a_field_of_another_name(paper):
    field = paper(DbFileField())
    field.model._meta.constraints[0].field = "dta"
    assert check_references() == [
        checks.Error(
            "<LargeObjectReference: field='dta' name='paper_data'> names a field that the model"
            " does not have.",
            hint="Use one of: id, data.",
            obj=field.model,
            id="lo_storage.E004",
        )
    ]


@isolate_apps("lo_storage")
def test_a_reference_on_a_column_of_the_parent_s_table(monkeypatch):
    class Paper(models.Model):
        data = DbFileField(null=True)

        class Meta:
            app_label = "lo_storage"

        def __str__(self):
            return "paper"

    class Contract(Paper):
        class Meta:
            app_label = "lo_storage"
            constraints = [LargeObjectReference(field="data", name="paper_data")]

    monkeypatch.setattr(apps, "get_models", lambda: [Contract])
    (message,) = check_references()
    assert (message.id, message.hint) == (
        "lo_storage.E006",
        "Move the constraint to lo_storage.Paper.",
    )


def test_the_app_is_not_installed(settings):
    field = DbFileField(null=True)
    field.set_attributes_from_name("data")
    field.model = models.Model
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "lo_storage"]
    messages = [message for message in field.check() if message.id == "lo_storage.E001"]
    assert [message.hint for message in messages] == [
        "Add 'lo_storage' to INSTALLED_APPS and run 'manage.py migrate'."
    ]


def test_an_older_python_is_told_so(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    with pytest.raises(ImportError, match="needs Python 3"):
        reload(lo_storage)
