"""The rows that name a file, as far as somebody may see them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from django.contrib.admin import AdminSite
from django.db import connections
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from ..models import LargeObject
from ..upkeep.columns import columns_beside
from ..upkeep.rows import Naming, naming_columns

# Of a column, what is shown of each.
MOST = 20

COUNT = "select count(*) from {table} where {column}::text = %s"


class Column(NamedTuple):
    """The rows of a column that name a file."""

    label: str  # "papers.Paper.data", or for a table without a model "public.papers.data"
    links: list[tuple[str, str]]  # a row, and the address of its page
    others: int  # rows that are not shown: this user may not see them, or they are too many


def rows_naming(site: AdminSite, request: HttpRequest, file: LargeObject) -> list[Column]:
    """Return each column with rows that name a file.

    Two queries for each column of a database, and one for each that has links. Raises
    `RowsElsewhere`.
    """
    alias = str(file._state.db)
    fields = {f"{model._meta.label}.{field.name}": field for model, field in columns_beside(alias)}
    found = []
    for column in naming_columns(alias):
        if isinstance(column, Naming) and (rows := _count(alias, column, file)):
            field = fields.get(column.label)
            shown = list(islice(_visible(site, request, field, file), MOST)) if field else []
            links = [(str(row), _address(site, row)) for row in shown]
            found.append(Column(column.label, links, rows - len(links)))
    return found


def may_see_a_row(site: AdminSite, request: HttpRequest, file: LargeObject) -> bool:
    """Whether some row that names a file is one that this user may look at in the admin."""
    return any(
        True
        for _, field in columns_beside(str(file._state.db))
        for row in _visible(site, request, field, file)
    )


def _count(alias: str, column: Naming, file: LargeObject) -> int:
    names = {key: getattr(column, key).replace("%", "%%") for key in ("table", "column")}
    with connections[alias].cursor() as cursor:
        cursor.execute(COUNT.format(**names), [file.name])
        return int(cursor.fetchone()[0])


def _visible(site: AdminSite, request: HttpRequest, field: Any, file: LargeObject) -> Iterator[Any]:
    """Yield the rows that name a file and that the model's admin shows to this user."""
    model_admin = site._registry.get(field.model)
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return
    rows = model_admin.get_queryset(request).using(file._state.db)
    for row in rows.filter(**{field.name: file.name}).order_by("pk")[: 2 * MOST]:
        if model_admin.has_view_or_change_permission(request, row):
            yield row


def _address(site: AdminSite, row: Any) -> str:
    """Return the page of a row; "" where its admin has none."""
    try:
        name = f"{site.name}:{row._meta.app_label}_{row._meta.model_name}_change"
        return reverse(name, args=[row.pk], current_app=site.name)
    except NoReverseMatch:
        return ""
