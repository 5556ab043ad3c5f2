"""What was moved is deleted where it came from, once no row names it any more."""

from collections.abc import Iterator
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, transaction

from ..database import db_for_write
from ..storage import DbFileStorage
from ..upkeep.finding import Finding
from .contents import storage_errors
from .moves import Move
from .outcomes import finding, words
from .rows import file_columns
from .sources import Row, StoredFiles


def delete_moved(move: Move, source: StoredFiles, moved: dict[Row, str]) -> Iterator[Finding]:
    """Delete the files of rows that were moved, and yield why some are kept.

    - `moved`: the name that each row has now. By one that it had before it names the new file.
    """
    same = {name for row, name in moved.items() if name == row.value}
    try:
        columns = {move.column, *file_columns()} if moved else set()
        unnamed = list(source.unnamed(moved, columns, (move.column, same)))
    except (Error, ImproperlyConfigured) as error:
        for row in moved:
            yield finding(
                move.column,
                row,
                "not-deleted",
                f"{row.value} was moved, and is kept, because nobody can tell whether another"
                f" row names it: {words(error)}",
                "Delete it by hand if none does",
            )
        return
    if isinstance(source.storage, DbFileStorage):
        # One transaction, or where one of them is refused, one for each.
        with suppress(Error):
            with transaction.atomic(using=db_for_write(source.storage.alias)):
                for _, name in unnamed:
                    source.storage.delete(name)
            return
    for row, name in unnamed:
        try:
            source.storage.delete(name)
        except storage_errors() as error:
            yield finding(
                move.column,
                row,
                "not-deleted",
                f"{name} was moved, and could not be deleted: {words(error)}",
                "Delete it by hand",
            )
