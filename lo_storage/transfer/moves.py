"""What is moved, from where to where, and whether that can be."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import connections
from django.db.models import F, QuerySet, Value

from ..constraints import LargeObjectReference
from ..database import db_for_write
from ..models import LargeObject
from ..storage import DbFileStorage
from .contents import storage_errors
from .outcomes import words
from .rows import Column, as_key, has_table
from .sources import CannotBegin, Objects, Row, Source, StoredFiles


@dataclass(frozen=True)
class Move:
    """How the files of a column are moved.

    - `column`: the column whose rows name the new files.
    - `source`: where they come from: the storage of the names that the column has until now, or
      another column.
    - `target`: the storage that gets them.
    - `name_field`: a column with their original names, for what has none.
    - `jobs`: how many are read at once.
    - `adopt`: catalogue large objects where they are.
    - `delete`: the source does not keep what was moved.
    """

    column: Column
    source: Source
    target: Storage
    name_field: str | None = None
    jobs: int = 1
    adopt: bool = False
    delete: bool = False

    def is_in_place(self) -> bool:
        """Whether rows name the new file where they name the old one."""
        return self.source.column == self.column

    def is_ours(self) -> bool:
        """Whether rows and new files are one transaction."""
        return (
            isinstance(self.target, DbFileStorage)
            and db_for_write(self.target.alias) == self.column.alias
        )

    def keeps_names(self) -> bool:
        """Whether a new file has the name of the old one: neither storage is of the library."""
        return (
            self.is_in_place()
            and isinstance(self.source, StoredFiles)
            and not isinstance(self.source.storage, DbFileStorage)
            and not isinstance(self.target, DbFileStorage)
        )

    def rows(self) -> QuerySet[Any]:
        """Return the rows that have something to move, or, in place, that have a file.

        Each has `value`, what its source column has, and `named`, its original name.
        """
        rows: QuerySet[Any] = self.column.rows().filter(self.source.there())
        if not self.is_in_place():
            rows = rows.filter(self.column.is_empty())
        named = F(self.name_field) if self.name_field else Value("")
        rows = rows.annotate(value=self.source.value(), named=named)
        return rows

    def is_changed(self, row: Row) -> bool:
        """Whether a row names another file by now, as where somebody else has moved it."""
        rows = self.rows().filter(pk=row.pk)
        return [as_key(value) for value in rows.values_list("value", flat=True)] != [row.value]

    def check(self, dry_run: bool = False) -> None:
        """Raise `CannotBegin` where no row could be moved.

        - `dry_run`: nothing is to be written, not even for a moment.
        """
        field = self.source.column.field
        if (
            self.is_in_place()
            and isinstance(self.source, StoredFiles)
            and isinstance(self.source.storage, DbFileStorage)
            and isinstance(self.target, DbFileStorage)
        ):
            raise CannotBegin("both storages are of this library, and the files stay as they are")
        if self.adopt:
            if not isinstance(self.source, Objects):
                raise CannotBegin("--adopt is about large objects: a column of type oid or lo")
            if not self.is_ours():
                raise CannotBegin(f"the files of {self.column.label} are in another database")
        if isinstance(self.source, Objects) and (self.adopt or self.delete):
            self.source.refuse_triggers()
            if not has_table(LargeObject, self.source.column.alias):
                raise CannotBegin(
                    f"the database {self.source.column.alias!r} has no table of the library's, so"
                    " nobody can tell who uses the large objects; move without --delete-source"
                )
        if self.delete:
            self._refuse_transactions()
        if self.delete and not isinstance(self.source, StoredFiles) and not field.null:
            raise CannotBegin(
                f"{self.source.column.label} may not be NULL, and so cannot be emptied; move"
                " without --delete-source, and remove the column"
            )
        if not isinstance(self.target, DbFileStorage):
            for constraint in self.column.model._meta.constraints:
                if (
                    isinstance(constraint, LargeObjectReference)
                    and constraint.field == self.column.field.name
                ):
                    raise CannotBegin(
                        f"the LargeObjectReference {constraint.name!r} lets {self.column.label}"
                        " name files of the catalogue alone; remove it and migrate first"
                    )
        if self.keeps_names() and not dry_run:
            self._refuse_one_place()

    def _refuse_one_place(self) -> None:
        """Raise `CannotBegin` where a copy would be its own source, or be served from nowhere.

        A file that the target gets for a moment tells: of one place there may be two storages.
        """
        assert isinstance(self.source, StoredFiles)
        try:
            probe = self.target.save(f"lo_import-{uuid4().hex}", ContentFile(b"lo_import"))
            try:
                is_source = self.source.storage.exists(probe)
                is_of_the_field = self.column.field.storage.exists(probe)
            finally:
                self.target.delete(probe)
        except storage_errors() as error:
            raise CannotBegin(f"the new storage cannot be used: {words(error)}") from error
        if is_source:
            raise CannotBegin("both storages are the same, and the files stay as they are")
        if self.delete and not is_of_the_field:
            raise CannotBegin(
                f"{self.column.label} does not have its files in the new storage yet; move without"
                " --delete-source, give the field the new storage, and run it again"
            )

    def _refuse_transactions(self) -> None:
        """Raise `CannotBegin` where what is committed here would not be: it may be rolled back."""
        aliases = {self.column.alias}
        if isinstance(self.source, StoredFiles) and isinstance(self.source.storage, DbFileStorage):
            aliases.add(db_for_write(self.source.storage.alias))
        for alias in aliases:
            if not connections[alias].get_autocommit():
                raise CannotBegin(
                    f"the database {alias!r} is in a transaction, which may be rolled back when"
                    " the source is gone; call it outside of transaction.atomic(), or without"
                    " --delete-source"
                )
