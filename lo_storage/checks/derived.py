"""System checks of other packages: those that make files of files, and find them by their names."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from ..storage import DbFileStorage

# The app, the setting that names its storage, its default, and what it takes where STORAGES has no
# such alias (None: the path of a class). None of them is imported here.
BY_ALIAS = [
    ("easy_thumbnails", "THUMBNAIL_DEFAULT_STORAGE_ALIAS", "easy_thumbnails", "default"),
    ("imagekit", "IMAGEKIT_DEFAULT_FILE_STORAGE", "default", None),
    ("sorl.thumbnail", "THUMBNAIL_STORAGE", "default", None),
]


@checks.register(checks.Tags.files)
def check_derived_files(**kwargs: Any) -> list[checks.CheckMessage]:
    """W009: what is made of files is kept where it is found again by its name."""
    return [
        checks.Warning(
            f"{app} looks for what it made under the name that it gave it, and a DbFileStorage"
            " gives each file another: a link leads nowhere, or each page that is shown stores one"
            " more.",
            hint=f"Let {setting} name a storage that keeps names, as FileSystemStorage does.",
            id="lo_storage.W009",
        )
        for app, setting, path in _derived()
        if _is_ours(path)
    ]


def _derived() -> Iterator[tuple[str, str, str]]:
    """Yield (app, what says where its files go, the path of the storage's class)."""
    backends: Any = storages.backends  # as STORAGES has them
    for app, setting, default, otherwise in BY_ALIAS:
        if apps.is_installed(app):
            alias = getattr(settings, setting, None) or default
            found = backends.get(alias) or backends.get(otherwise or "", {})
            yield app, setting, found.get("BACKEND", alias)
    if apps.is_installed("filer"):
        # What is private is on disk unless this setting says otherwise.
        places = getattr(settings, "FILER_STORAGES", {})
        public = backends.get("default", {}).get("BACKEND", "")
        for who, default in (("public", public), ("private", "")):
            engine = places.get(who, {}).get("thumbnails", {}).get("ENGINE") or default
            yield "filer", f'FILER_STORAGES["{who}"]["thumbnails"]', engine


def _is_ours(path: str) -> bool:
    try:
        storage = import_string(path)
    except ImportError:
        return False  # which is for the package to say
    return isinstance(storage, type) and issubclass(storage, DbFileStorage)
