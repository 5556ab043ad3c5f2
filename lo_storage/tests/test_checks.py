import pytest
from django.apps import apps
from django.core import checks
from django.db import connections, models
from django.test.utils import isolate_apps

from lo_storage.checks import check_databases, check_references
from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField


def test_a_project_that_is_right_has_no_messages():
    assert checks.run_checks(app_configs=[apps.get_app_config("lo_storage")]) == []


def test_a_database_that_does_not_exist(settings):
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    assert check_databases() == [
        checks.Error(
            "PG_LO_STORAGE_DB_FOR_READ or _WRITE names the database 'replica', which is not in"
            " DATABASES.",
            hint=f"Use one of: {', '.join(connections)}.",
            id="lo_storage.E002",
        )
    ]


def test_another_engine(settings):
    connections.databases["sqlite"] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {},
    }
    settings.PG_LO_STORAGE_DB_FOR_WRITE = "sqlite"
    try:
        assert [message.id for message in check_databases()] == ["lo_storage.E003"]
    finally:
        del connections["sqlite"]
        del connections.databases["sqlite"]


@pytest.mark.parametrize(
    ("field", "ids"),
    [
        (DbFileField(null=True, blank=True), []),
        (DbFileField(), []),
        (DbFileField(blank=True), ["lo_storage.E005"]),
        (models.FileField(null=True), ["lo_storage.E004"]),
        (models.TextField(), ["lo_storage.E004"]),
    ],
)
@isolate_apps("lo_storage", attr_name="isolated")
def test_the_field_of_a_reference(field, ids, monkeypatch):
    class Paper(models.Model):
        data = field

        class Meta:
            app_label = "lo_storage"
            constraints = [LargeObjectReference(field="data", name="paper_data")]

        def __str__(self):
            return "paper"

    monkeypatch.setattr(apps, "get_models", lambda: [Paper])
    messages = check_references()
    assert [message.id for message in messages] == ids
    assert all(message.hint for message in messages)


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
