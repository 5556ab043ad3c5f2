import pytest
from django.apps import apps
from django.core import checks
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.test.utils import isolate_apps
from django.urls import clear_script_prefix, path, set_script_prefix
from django.views.static import serve

from lo_storage.checks.models import (
    check_addresses,
    check_columns,
    check_references,
)
from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField
from lo_storage.storage import DbFileStorage

from .messages import ids


def test_a_project_that_is_right_has_no_messages():
    assert checks.run_checks(app_configs=[apps.get_app_config("lo_storage")]) == []


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


@pytest.mark.parametrize(
    ("media_url", "base_url", "url", "what", "address"),
    [
        ("/media/", None, "/media/", "files on disk", "data"),
        ("/media/", "/media", "/media/", "files on disk", "data"),
        ("", "/media", "/media/", "files on disk", "data"),
        # As static() has no view unless DEBUG is on, and a web server sends what is on disk.
        ("/disk/", None, "/disk/", "no view", "data"),
        ("/disk/", "/disk/papers", "/disk/papers/", "no view", "data"),
        ("/data/", None, "/data/", "no view", "paper_data"),
    ],
)
def test_an_address_among_the_files_on_disk(
    paper, settings, media_url, base_url, url, what, address
):
    settings.ROOT_URLCONF = __name__
    settings.MEDIA_URL = media_url
    field = paper(DbFileField(storage=DbFileStorage(base_url)))
    assert check_addresses() == [
        checks.Warning(
            f"The url of a file, '{url}16418.pdf', leads to {what}.",
            hint=f"Give the field storage=DbFileStorage('/{address}'). Have"
            f" path('{address}/<str:filename>', …) in ROOT_URLCONF, of a view that calls db_serve.",
            obj=field,
            id="lo_storage.W007",
        )
    ]


def test_a_site_below_a_prefix_leads_to_its_addresses(paper, settings):
    settings.ROOT_URLCONF = __name__
    settings.MEDIA_URL = "papers/"
    set_script_prefix("/below/")
    try:
        field = paper(DbFileField())
        assert field.storage.url("1.pdf") == "/below/papers/1.pdf"
        assert check_addresses() == []
        settings.MEDIA_URL = "scans/"
        (message,) = check_addresses()
        assert message.hint.startswith(
            "Give the field storage=DbFileStorage('/below/data'). Have path('data/<str:filename"
        )
    finally:
        clear_script_prefix()


@pytest.mark.parametrize(
    ("max_length", "expected"),
    [(20, ["lo_storage.W003"]), (31, ["lo_storage.W003"]), (32, []), (None, [])],
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
