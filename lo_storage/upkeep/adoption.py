"""Catalogue the large objects that file columns already name, as pg-lo-storage left them."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Count, Exists, Model, OuterRef, QuerySet

from .. import catalogue, names
from ..content import Content
from ..database import cursor
from ..models import LargeObject
from .columns import columns_beside


class Adoption(NamedTuple):
    """A name in a file column that the catalogue lacked, and why it was refused, if it was."""

    column: str  # "papers.Paper.data"
    name: str
    refusal: str | None  # None: the object is catalogued now


def adopt_all(alias: str) -> Iterator[Adoption]:
    """Catalogue what the file columns of the installed models name, and yield each of the names.

    A '' becomes NULL where the column allows it. Each name is one statement, and a refused one at
    most three more. No byte is copied. Raises `RowsElsewhere`.
    """
    catalogued = LargeObject.objects.using(alias)
    for model, field in columns_beside(alias):
        rows: QuerySet[Model] = QuerySet(model, using=alias)  # A manager may hide some.
        if field.null:
            rows.filter(**{field.name: ""}).update(**{field.name: None})
        unknown = (
            rows.exclude(**{field.name: None})
            .exclude(**{field.name: ""})
            .filter(~Exists(catalogued.filter(name=OuterRef(field.name))))
        )
        # Of two spellings for one object that of more rows is adopted.
        spellings = unknown.values_list(field.name).annotate(rows=Count("*"))
        for name, _rows in spellings.order_by("-rows", field.name):
            yield Adoption(f"{model._meta.label}.{field.name}", name, adopt(alias, name))


def adopt(alias: str, name: str, original_name: str = "") -> str | None:
    """Catalogue the object of a name; return None, or the reason why that cannot be."""
    loid = names.loid_of(name)
    if loid is None:
        return "is no name that the library gives"
    with cursor(alias) as c:
        if catalogue.adopt(c, name, original_name):
            return None
    other = LargeObject.objects.using(alias).filter(loid=loid).first()
    if other is not None:
        return f"the large object is catalogued as {other.name!r}"
    try:
        Content.open(alias, loid, writing=False, content_below=0)
    except FileNotFoundError:
        return "there is no such large object"
    except PermissionError:
        pass  # As of one that the role may read and not delete.
    return "the large object is another role's, which alone may delete it"
