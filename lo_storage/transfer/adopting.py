"""Large objects that rows point at are catalogued where they are."""

from django.db import transaction

from .. import names
from ..models import LargeObject
from ..upkeep.adoption import adopt
from .contents import storage_errors
from .moves import Move
from .outcomes import Outcome, finding, refused
from .renaming import Copy, Renaming
from .sources import Objects, Row


def adopt_object(move: Move, renaming: Renaming, row: Row) -> Outcome:
    """Catalogue the object of a row, and let the row name it; return what became of it."""
    assert isinstance(move.source, Objects)
    name = f"{row.value}{names.suffix_of(row.named)}"
    alias = move.column.alias
    try:
        with transaction.atomic(using=alias):
            entry = LargeObject.objects.using(alias).filter(loid=row.value).first()
            if entry is not None:  # Another row points at it, too.
                name = entry.name
            elif move.source.is_claimed(row):
                return row, finding(
                    move.column,
                    row,
                    "refused",
                    f"another column has large object {row.value}, too, or one that cannot be"
                    " read may have it",
                    "Copy it: without --adopt",
                )
            elif refusal := adopt(alias, name, row.named):
                return row, finding(move.column, row, "refused", refusal, "Leave it, or mend that")
            named = renaming.name([Copy(row, name, "")], wait=True, keep=True)
            return row, named.get(row, "")
    except storage_errors() as error:
        return row, refused(move.column, row, error)
