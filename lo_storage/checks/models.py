"""System checks of models: their file columns, references and addresses."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.urls import Resolver404, get_script_prefix, resolve
from django.views.static import serve

from ..constraints import LargeObjectReference
from ..fields import DbFileField, DbImageField
from ..names import MAX_LENGTH
from ..storage import DbFileStorage
from ..upkeep.columns import file_columns


@checks.register(checks.Tags.models)
def check_references(**kwargs: Any) -> list[checks.CheckMessage]:
    """E004 to E006, E008: a LargeObjectReference is on a field that can keep its promise."""
    messages: list[checks.CheckMessage] = []
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if isinstance(constraint, LargeObjectReference) and (
                found := _check_reference(model, constraint)
            ):
                id, message, hint = found
                messages.append(checks.Error(message, hint=hint, obj=model, id=id))
    return messages


def _check_reference(model: Any, constraint: LargeObjectReference) -> tuple[str, str, str] | None:
    fields = {field.name: field for field in model._meta.fields}
    field = fields.get(constraint.field)
    if field is None:
        return (
            "lo_storage.E004",
            f"{constraint!r} names a field that the model does not have.",
            f"Use one of: {', '.join(fields)}.",
        )
    if not isinstance(field, DbFileField | DbImageField):
        return (
            "lo_storage.E004",
            f"{constraint!r} needs a DbFileField or DbImageField.",
            "Django's FileField stores '' for no file, which the foreign key refuses. Make"
            f" {constraint.field!r} a DbFileField.",
        )
    if field.model is not model and not _has_reference(field):
        return (
            "lo_storage.E006",
            f"The column of {constraint!r} is in the table of {field.model._meta.label}, so it"
            " makes nothing.",
            f"Move the constraint to {field.model._meta.label}.",
        )
    if field.blank and not field.null:
        return (
            "lo_storage.E005",
            f"{constraint.field!r} may be blank but not NULL, and the foreign key of"
            f" {constraint!r} refuses ''.",
            "Set null=True, or blank=False.",
        )
    if not isinstance(field.storage, DbFileStorage):
        return (
            "lo_storage.E008",
            f"The storage of {constraint.field!r} keeps its files elsewhere, and {constraint!r}"
            " refuses each name that the catalogue does not have.",
            "Give the field a DbFileStorage, or leave out the constraint.",
        )
    return None


@checks.register(checks.Tags.models)
def check_columns(**kwargs: Any) -> list[checks.CheckMessage]:
    """W002, W003, W005: a file column has an address, room for a name, and a reference."""
    return [
        checks.Warning(message, hint=hint, obj=field, id=id)
        for _model, field in file_columns()
        for id, message, hint in _check_column(field)
    ]


def _check_column(field: Any) -> Iterator[tuple[str, str, str]]:
    # An unset MEDIA_URL is the script's prefix.
    if field.storage._base_url is None and get_script_prefix() == settings.MEDIA_URL:
        yield (
            "lo_storage.W002",
            f"MEDIA_URL is not set, so the url of a file is '{field.storage.url('16418.pdf')}'.",
            "Give the field the address of a view that calls db_serve, as in"
            f" storage=DbFileStorage('/{field.name}'), or set MEDIA_URL.",
        )
    if field.max_length is not None and field.max_length < MAX_LENGTH:
        yield (
            "lo_storage.W003",
            f"The column has room for {field.max_length} characters, and the name of a file may"
            f" take {MAX_LENGTH}: saving one with a longer suffix will be refused.",
            "Leave out max_length.",
        )
    if not _has_reference(field):
        yield (
            "lo_storage.W005",
            "Nothing in the database ties these files to their rows: those that a row lets go of"
            " stay, and one that a row names can be deleted.",
            "Add a LargeObjectReference to the model's constraints."
            if isinstance(field, DbFileField | DbImageField)
            else "Make it a DbFileField, with a LargeObjectReference in the model's constraints.",
        )


@checks.register(checks.Tags.urls)
def check_addresses(**kwargs: Any) -> list[checks.CheckMessage]:
    """W007: the address of a file on this site leads to a view of the project's own."""
    messages: list[checks.CheckMessage] = []
    for _model, field in file_columns():
        if not field.storage.base_url or not hasattr(settings, "ROOT_URLCONF"):
            continue
        prefix = get_script_prefix()
        url = field.storage.url("16418.pdf")
        if field.storage.base_url == prefix or not url.startswith(prefix) or url[:2] == "//":
            continue  # W002, or on another site
        found = _view(f"/{url.removeprefix(prefix)}")
        if found is None or found is serve:
            address = url.removesuffix("16418.pdf")
            give = ""
            if found is serve or _in_media(address):
                address = _address_of_its_own(field)
                give = f"Give the field storage=DbFileStorage('{address[:-1]}'). "
            messages.append(
                checks.Warning(
                    f"The url of a file, '{url}', leads to"
                    + (" no view." if found is None else " files on disk."),
                    hint=f"{give}Have path('{address.removeprefix(prefix)}<str:filename>', …) in"
                    " ROOT_URLCONF, of a view that calls db_serve.",
                    obj=field,
                    id="lo_storage.W007",
                )
            )
    return messages


def _in_media(address: str) -> bool:
    """Whether files on disk have it, or may have it."""
    media = settings.MEDIA_URL
    return media not in (None, "", get_script_prefix()) and address.startswith(media)


def _address_of_its_own(field: Any) -> str:
    names = (field.name, f"{field.model._meta.model_name}_{field.name}")
    addresses = [f"{get_script_prefix()}{name}/" for name in names]
    return next(address for address in addresses if not _in_media(address))


def _view(path: str) -> Any:
    for candidate in (path, f"{path}/"):  # as APPEND_SLASH does
        with suppress(Resolver404):
            return resolve(candidate).func
    return None


def _has_reference(field: Any) -> bool:
    return any(
        isinstance(constraint, LargeObjectReference) and constraint.field == field.name
        for constraint in field.model._meta.constraints
    )
