import pytest
from django.apps import apps
from django.core import checks

from lo_storage.checks.derived import check_derived_files
from lo_storage.storage import DbFileStorage

from .messages import ids

OURS = {"BACKEND": "lo_storage.storage.DbFileStorage"}
ON_DISK = {"BACKEND": "django.core.files.storage.FileSystemStorage"}


class OursWithMore(DbFileStorage):
    pass


@pytest.fixture
def installed(monkeypatch, settings):
    """A function that installs an app, by its name alone, beside files that go to the database."""

    def install(app, **given):
        settings.STORAGES = {"default": OURS, "disk": ON_DISK}
        for name, value in given.items():
            setattr(settings, name, value)
        monkeypatch.setattr(apps, "is_installed", lambda name: name == app)

    return install


def test_a_project_without_them_has_no_message(installed):
    installed("lo_storage")
    assert check_derived_files() == []


@pytest.mark.parametrize(
    ("app", "setting"),
    [
        ("easy_thumbnails", "THUMBNAIL_DEFAULT_STORAGE_ALIAS"),
        ("imagekit", "IMAGEKIT_DEFAULT_FILE_STORAGE"),
        ("sorl.thumbnail", "THUMBNAIL_STORAGE"),
    ],
)
def test_the_storage_of_what_is_made(app, setting, installed):
    installed(app)
    assert check_derived_files() == [
        checks.Warning(
            f"{app} looks for what it made under the name that it gave it, and a DbFileStorage"
            " gives each file another: a link leads nowhere, or each page that is shown stores one"
            " more.",
            hint=f"Let {setting} name a storage that keeps names, as FileSystemStorage does.",
            id="lo_storage.W009",
        )
    ]
    for storage, expected in [
        (None, ["lo_storage.W009"]),
        ("default", ["lo_storage.W009"]),
        ("disk", []),
    ]:
        installed(app, **{setting: storage})
        assert ids(check_derived_files()) == expected


@pytest.mark.parametrize(
    ("storages", "expected"),
    [
        ({"default": OURS}, ["lo_storage.W009"]),
        ({"default": ON_DISK}, []),
        ({"default": OURS, "easy_thumbnails": ON_DISK}, []),
        ({"default": ON_DISK, "easy_thumbnails": OURS}, ["lo_storage.W009"]),
    ],
)
def test_easy_thumbnails_has_an_alias_of_its_own(storages, expected, installed):
    installed("easy_thumbnails", STORAGES=storages)
    assert ids(check_derived_files()) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (OURS["BACKEND"], ["lo_storage.W009"]),
        (f"{__name__}.OursWithMore", ["lo_storage.W009"]),
        (ON_DISK["BACKEND"], []),
        ("lo_storage.storage.db_file_storage", []),  # no class: the package refuses it
        ("nothing.of.the.kind", []),
        ("nothing", []),
    ],
)
@pytest.mark.parametrize(
    ("app", "setting"),
    [
        ("imagekit", "IMAGEKIT_DEFAULT_FILE_STORAGE"),
        ("sorl.thumbnail", "THUMBNAIL_STORAGE"),
    ],
)
def test_a_class_for_an_alias(app, setting, path, expected, installed):
    installed(app, **{setting: path})
    assert ids(check_derived_files()) == expected


@pytest.mark.parametrize(
    ("thumbnails", "default", "expected"),
    [
        ({}, ON_DISK, []),
        ({}, OURS, ["public"]),
        ({"public": ON_DISK}, OURS, []),
        ({"public": OURS}, ON_DISK, ["public"]),
        ({"public": ON_DISK, "private": OURS}, OURS, ["private"]),
        ({}, None, []),
    ],
)
def test_filer_has_two_places(thumbnails, default, expected, installed):
    places = {who: {"thumbnails": {"ENGINE": t["BACKEND"]}} for who, t in thumbnails.items()}
    installed("filer", STORAGES={"default": default} if default else {}, FILER_STORAGES=places)
    assert [message.hint for message in check_derived_files()] == [
        f'Let FILER_STORAGES["{who}"]["thumbnails"] name a storage that keeps names, as'
        " FileSystemStorage does."
        for who in expected
    ]
